"""What etcd tells of its history."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from e2e.support.witness import changes

TASK = {"kind": "Task", "metadata": {"name": "t"}}


def kept(value: bytes) -> str:
    return base64.b64encode(value).decode()


def line(*events: dict[str, Any]) -> bytes:
    return json.dumps({"result": {"events": list(events)}}).encode()


STORED = {"kv": {"mod_revision": "7", "value": kept(json.dumps(TASK).encode())}}
GONE = {"type": "DELETE", "kv": {"mod_revision": "9"}, "prev_kv": STORED["kv"]}


@pytest.mark.parametrize(
    ("told", "found"),
    [
        pytest.param(line(STORED), [(7, "MODIFIED", TASK)], id="an object was stored"),
        pytest.param(line(STORED, GONE), [(7, "MODIFIED", TASK), (9, "DELETED", TASK)], id="and deleted, as it was"),
        pytest.param(
            line({"kv": {"mod_revision": "3", "value": kept(b"k8s\x00\xff")}}), [(3, "MODIFIED", {})], id="no JSON"
        ),
        pytest.param(line({"kv": {"mod_revision": "3", "value": kept(b"[1]")}}), [(3, "MODIFIED", {})], id="no object"),
        pytest.param(b'{"result": {"created": true}}', [], id="the watch has begun"),
    ],
)
def test_what_a_line_tells(told: bytes, found: list[tuple[int, str, Any]]) -> None:
    assert list(changes(told)) == found
