"""Names, keys and digests."""

from __future__ import annotations

import re
import uuid

import pytest

from celeriac._names import name_of_key, new_name, retry_name, retry_number, uuid7
from celeriac.api.v1alpha1.model import DNS_LABEL
from celeriac.wire.canonical import digest


def test_a_new_name_is_a_dns_label_and_a_uuid_of_version_7() -> None:
    name = new_name()

    assert re.fullmatch(DNS_LABEL, name) and len(name) <= 63
    assert uuid.UUID(name).version == 7
    assert uuid.UUID(name).variant == uuid.RFC_4122


def test_names_made_later_sort_later() -> None:
    names = [str(uuid7(ms, b"\xff" * 10)) for ms in (1, 2, 1 << 40)]

    assert sorted(names) == names


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        pytest.param(
            ("ns", "definition:d", "k"), ("ns", "definition:d", "k"), True, id="the same key is the same name"
        ),
        pytest.param(("ns", "definition:d", "k"), ("ns", "definition:d", "l"), False, id="another key is another name"),
        pytest.param(
            ("ns", "definition:d", "k"), ("ms", "definition:d", "k"), False, id="another namespace is another"
        ),
        pytest.param(("ns", "definition:d", "k"), ("ns", "image:d", "k"), False, id="a definition is not an image"),
        pytest.param(("a", "b", "cd"), ("a", "bc", "d"), False, id="parts cannot run into each other"),
    ],
)
def test_name_of_key(one: tuple[str, str, str], other: tuple[str, str, str], same: bool) -> None:
    assert (name_of_key(*one) == name_of_key(*other)) is same
    assert re.fullmatch(r"k-[0-9a-f]{40}", name_of_key(*one))


def test_a_digest_does_not_depend_on_the_order_of_keys() -> None:
    assert digest({"a": 1, "b": [2]}) == digest({"b": [2], "a": 1})


@pytest.mark.parametrize(
    ("name", "retry_of", "number", "expected"),
    [
        pytest.param("a", None, 1, "a-r1", id="a first retry gets a suffix"),
        pytest.param("a-r1", "a", 2, "a-r2", id="a retry of a retry replaces the suffix"),
        pytest.param("a-r1", None, 1, "a-r1-r1", id="a name that only looks like a retry keeps what looks like it"),
        pytest.param("x" * 63, None, 1, "x" * 60 + "-r1", id="a long name is cut to fit"),
        pytest.param("x" * 59 + "-yyy", None, 1, "x" * 59 + "-r1", id="a cut name does not end in two hyphens"),
    ],
)
def test_retry_name(name: str, retry_of: str | None, number: int, expected: str) -> None:
    assert expected == retry_name(name, retry_of, number)


@pytest.mark.parametrize(
    ("name", "retry_of", "expected"),
    [
        pytest.param("a", None, 0, id="a first run is number 0"),
        pytest.param("a-r7", "a-r6", 7, id="a retry carries its number"),
        pytest.param("a-r7", None, 0, id="a name alone does not make a retry"),
    ],
)
def test_retry_number(name: str, retry_of: str | None, expected: int) -> None:
    assert expected == retry_number(name, retry_of)
