import hashlib

import pytest

from celeriac.wire.identity import digest_of, name_of, read
from celeriac.wire.message import encode
from celeriac.wire.names import name_of_unnamed

ORIGIN = "CELERIAC_media_slow.1.7"
NAMES: dict[str, tuple[str | None, bytes, str]] = {
    "a message has the name that it says": ("t1", encode({"name": "t1", "spec": {}}), "other.00"),
    "one without a name is called by its origin": (name_of_unnamed(ORIGIN), encode({"spec": {}}), "other.00"),
    "one with a name that no Task can have has none": (None, encode({"name": "T 1", "spec": {}}), "other.00"),
    "one with a name that is too long has none": (None, encode({"name": "a" * 64, "spec": {}}), "other.00"),
    "a malformed one is called as its id says": ("t1", b"no JSON", "t1.0123456789abcdef"),
    "a malformed one without an id has no name": (None, b"no JSON", ""),
}


@pytest.mark.parametrize(("expected", "data", "message_id"), NAMES.values(), ids=NAMES.keys())
def test_name(expected: str | None, data: bytes, message_id: str) -> None:
    assert expected == name_of(read(data), ORIGIN, message_id)


@pytest.mark.parametrize("data", [encode({"name": "t1", "spec": {}}), b"no JSON"], ids=["a message", "a malformed one"])
def test_the_digest_is_that_of_the_bytes_that_the_client_sent(data: bytes) -> None:
    assert f"sha256:{hashlib.sha256(data).hexdigest()}" == digest_of(read(data), data)
