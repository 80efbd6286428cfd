"""``$(params.NAME)``: what the process gets in the end, Kubernetes' own expansion included."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support import profiles  # noqa: F401
from tests.support.builders import make_container

from celeriac_operator.core.substitution import escaped, filled_bytes, missing_params, substituted, unfit_params


def kubernetes_expands(text: str, env: Mapping[str, str]) -> str:
    """Kubernetes' third_party/forked/golang/expansion.Expand with the kubelet's mapping: the oracle."""
    result, cursor = [], 0
    while cursor < len(text):
        if text[cursor] != "$" or cursor + 1 == len(text):
            result.append(text[cursor])
            cursor += 1
            continue
        following, closer = text[cursor + 1], text.find(")", cursor + 2)
        if following == "$":
            result.append("$")
            cursor += 2
        elif following == "(" and closer >= 0:
            name = text[cursor + 2 : closer]
            result.append(env.get(name, f"$({name})"))
            cursor = closer + 1
        else:
            result.append("$" + following)
            cursor += 2
    return "".join(result)


TABLE: dict[str, tuple[str, dict[str, Any], str]] = {
    "a string goes in as it is": ("hello $(params.who)", {"who": "world"}, "hello world"),
    "several references, one of them twice": ("$(params.a)$(params.b)$(params.a)", {"a": 1, "b": True}, "1true1"),
    "other JSON goes in compact": ("$(params.a)", {"a": {"b": [1, None]}}, '{"b":[1,null]}'),
    "no character of JSON is escaped without need": ("$(params.a)", {"a": ["é"]}, '["é"]'),
    "what was substituted is not looked at again": ("$(params.a)", {"a": "$(params.b)", "b": "no"}, "$(params.b)"),
    "a value names no environment variable": ("$(params.a)", {"a": "$(SECRET)"}, "$(SECRET)"),
    "nor does it with a dollar before it": ("$$$(params.a)", {"a": "(SECRET)"}, "$(SECRET)"),
    "a reference of Kubernetes is left to it": ("$(SECRET) $(params.a)", {"a": "x"}, "hunter2 x"),
    "two dollars make it no reference, as for Kubernetes": ("$$(params.a)", {"a": "(SECRET)"}, "$(params.a)"),
    "a shell's own substitution works": ("echo $(cat $(params.file))", {"file": "/tmp/a"}, "echo $(cat /tmp/a)"),
    "a dollar at the end": ("$(params.a)$", {"a": "5$"}, "5$$"),
    "any name can be referred to": ("$(params.a.b-1)", {"a.b-1": "x"}, "x"),
}


@pytest.mark.parametrize(("text", "params", "wanted"), TABLE.values(), ids=TABLE)
def test_what_the_process_gets(text: str, params: dict[str, Any], wanted: str) -> None:
    assert kubernetes_expands(substituted(text, params), {"SECRET": "hunter2"}) == wanted


pieces = st.text(st.sampled_from("$()ab SECRET-é"), max_size=12)


@given(pieces, pieces.filter(lambda text: "$" not in text), pieces.filter(lambda text: "$" not in text))
def test_kubernetes_gives_every_value_back_as_it_was(value: str, before: str, after: str) -> None:
    """In any text that has no references and dollars of its own."""
    found = kubernetes_expands(substituted(f"{before}$(params.a){after}", {"a": value}), {"SECRET": "hunter2"})

    assert found == before + value + after


@given(pieces)
def test_a_value_alone_comes_back_exactly(value: str) -> None:
    env = {name: "hunter2" for name in ("SECRET", "a", "b", "")}

    assert kubernetes_expands(substituted("$(params.a)", {"a": value}), env) == value
    assert kubernetes_expands(escaped(value), env) == value


def test_missing_params_are_named_once_in_order() -> None:
    container = make_container(
        command=["$(params.b)"],
        args=["$(params.a) $(params.b) $$(params.no)"],
        env=[{"name": "X", "value": "$(params.c)"}],
    )

    assert missing_params(container, {"c": None}) == ["b", "a"]


def test_a_missing_parameter_is_an_error() -> None:
    with pytest.raises(KeyError):
        substituted("$(params.a)", {})


def test_params_with_a_nul_character_fit_no_process() -> None:
    container = make_container(args=["$(params.a)", "$(params.b)", "$(params.gone)"])

    assert unfit_params(container, {"a": "x\0y", "b": ["\0"], "c": "\0"}) == ["a"]


@given(
    texts=st.lists(st.text(st.sampled_from("$()ab") | st.characters(codec="utf-8"), max_size=20), max_size=4),
    value=st.text(st.characters(codec="utf-8"), max_size=8),
)
def test_what_params_come_to_is_counted_as_it_is_filled_in(texts: list[str], value: str) -> None:
    params = {"p": value, "q": [value], "": value}
    args = [text.replace("a", "$(params.p)").replace("b", "$(params.q)") for text in texts]

    filled = sum(len(substituted(text, params).encode()) for text in args)
    empty = sum(len(substituted(text, {"p": "", "q": ""}).encode()) for text in args)

    assert filled_bytes(make_container(args=args), params) == filled - empty
