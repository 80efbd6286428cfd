"""Messages that no client of ours sends, and somebody will."""

import json

from e2e.support.manifests import task

DEEP = b'{"name":"deep","spec":' + b'{"params":' * 2_000 + b"{}" + b"}" * 2_000 + b"}"


def _message(name: str, **more: object) -> bytes:
    return json.dumps({"name": name, "spec": {"definitionName": "audited", **more}}).encode()


POISON = {
    "no JSON": b"{",
    "no bytes at all": b"",
    "no UTF-8": b'{"name":"\xff"}',
    "an array": b"[]",
    "a number": b"7",
    "no spec": b'{"name":"no-spec"}',
    "a spec that is no object": b'{"name":"list","spec":[]}',
    "a field that messages do not have": b'{"name":"other","namespace":"kube-system","spec":{"definitionName":"x"}}',
    "a field that specs do not have": _message("extra", hostNetwork=True),
    "a value out of bounds": _message("bounds", priority=1_000_000),
    "a value of another type": _message("typed", priority="high"),
    "a name that no object can have": _message("Not A Name"),
    "a name that is too long": _message("n" * 64),
    "a name with a path in it": _message("../../secrets"),
    "labels that are none": b'{"name":"labels","labels":{"a":{}},"spec":{"definitionName":"audited"}}',
    "a label that Kubernetes refuses": b'{"name":"label","labels":{"a b":"c"},"spec":{"definitionName":"audited"}}',
    "Infinity": _message("infinite", params={"x": float("inf")}),
    "a number that no JSON reader has room for": _message("huge", params={"x": "!"}).replace(b'"!"', b"1e999"),
    "nesting without end": DEEP,
    "half a surrogate": _message("half", params={"x": "\ud800"}),
    "neither definition nor container": b'{"name":"neither","spec":{}}',
    "a container, which the queue does not take": json.dumps(
        {"name": "inline", "spec": task("inline")["spec"]}
    ).encode(),
    "a definition that is not what it was": _message("old", definitionDigest=f"sha256:{'0' * 64}"),
}
"""By what is wrong with each: its bytes. The operator has a TaskDefinition `audited`."""
TOO_LARGE = _message("large", params={"x": "x" * 300_000})
"""No stream takes it."""
REASONS = {"inline": "InlineContainerDenied", "old": "DefinitionGone"}
"""Reasons that are public API, by the name in the message."""
