import json
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from celeriac.wire.message import (
    MAX_MESSAGE_BYTES,
    MalformedMessage,
    TaskMessage,
    decode,
    encode,
    message_id,
    message_of,
)

MANIFEST = {
    "metadata": {"name": "t1", "namespace": "media", "labels": {"a": "b"}, "annotations": {"c": "d"}},
    "spec": {"definitionName": "resize", "params": {"w": 1}},
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def test_a_message_carries_all_of_a_manifest_but_its_namespace() -> None:
    sent = decode(encode(message_of(MANIFEST, "sha256:12")))
    assert (
        "t1",
        {"a": "b"},
        {"c": "d"},
        {"definitionName": "resize", "params": {"w": 1}},
        "sha256:12",
    ) == (sent.name, sent.labels, sent.annotations, sent.spec, sent.definition_digest)


def test_the_spelling_of_the_json_does_not_change_the_digest() -> None:
    message = message_of(MANIFEST)
    assert decode(encode(message)).digest == decode(json.dumps(message, indent=1).encode()).digest


def test_the_message_id_is_the_name_and_half_of_the_digest() -> None:
    message = message_of(MANIFEST)
    assert re.fullmatch(r"t1\.[0-9a-f]{16}", message_id(message))
    assert message_id(message)[3:] == decode(encode(message)).digest[7:23]


MALFORMED = {
    "no JSON": (b"hello", "no JSON"),
    "no UTF-8": (b"\xff\xfe\xfa", "no JSON"),
    "nested beyond any parser": (b"[" * 100_000, "no JSON"),
    "NaN, which is no JSON": (b'{"spec": {"a": NaN}}', "no JSON"),
    "no object": (b"[]", "no JSON object"),
    "without a spec": (b"{}", "spec is missing"),
    "with a spec that is no object": (b'{"spec": 1}', "spec is missing"),
    "with a field that no message has": (b'{"spec": {}, "namespace": "other"}', "unknown field 'namespace'"),
    "with a name that is no string": (b'{"spec": {}, "name": 1}', "name is no string"),
    "with labels that are no object": (b'{"spec": {}, "labels": []}', "labels is no object of strings"),
    "with a label that is no string": (b'{"spec": {}, "labels": {"a": 1}}', "labels is no object of strings"),
    "with a digest that is no string": (b'{"spec": {"definitionDigest": 1}}', "spec.definitionDigest is no string"),
    "with half a character": (b'{"spec": {"a": "\\ud800"}}', "no Unicode"),
    "too large": (b'{"spec": {"a": "' + b"x" * MAX_MESSAGE_BYTES + b'"}}', "at most 262,144"),
}


@pytest.mark.parametrize(("data", "expected"), MALFORMED.values(), ids=MALFORMED.keys())
def test_what_is_no_message_is_refused_by_a_sentence_that_names_the_field(data: bytes, expected: str) -> None:
    with pytest.raises(MalformedMessage, match=re.escape(expected)):
        decode(data)


@given(JSON)
@example({"spec": {"definitionDigest": None}})
def test_any_json_is_a_message_or_malformed(value: object) -> None:
    _decode_or_refuse(json.dumps(value).encode())


@given(st.binary())
def test_any_bytes_are_a_message_or_malformed(data: bytes) -> None:
    _decode_or_refuse(data)


def _decode_or_refuse(data: bytes) -> None:
    try:
        assert isinstance(decode(data), TaskMessage)
    except MalformedMessage as error:
        assert str(error)
