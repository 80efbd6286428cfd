"""The headers of dead letters."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from celeriac.wire.dead import dead_headers, dead_letter

AT = datetime(2026, 11, 25, 10, 0, tzinfo=UTC)


def test_what_was_written_is_read_back() -> None:
    headers = dead_headers("TooOld", "It waited", origin="CELERIAC_a_b.1.2", band="h", submitted=AT, name="t")
    found = dead_letter("celeriac.dead.a.b", headers)
    assert ("a", "b", "TooOld", "It waited", "CELERIAC_a_b.1.2", "h", "t", AT) == (
        found.namespace,
        found.queue,
        found.reason,
        found.message,
        found.origin,
        found.band,
        found.name,
        found.submitted,
    )
    assert headers["Nats-Msg-Id"] == headers["Celeriac-Origin"]


def test_a_message_cannot_bring_headers_of_its_own() -> None:
    headers = dead_headers("X", "a\r\nCeleriac-Reason: Y\n", origin="o", band="n", submitted=AT, name=None)
    assert "a Celeriac-Reason: Y" == headers["Celeriac-Message"]
    assert "Celeriac-Name" not in headers


def test_headers_that_others_wrote_are_taken_for_what_they_are_worth() -> None:
    found = dead_letter("celeriac.dead.a.b", {"Celeriac-Band": "x", "Celeriac-Submit-Time": "never"})
    assert ("Unknown", "n", None, None) == (found.reason, found.band, found.name, found.submitted)


@pytest.mark.parametrize("subject", ["celeriac.dead.a", "celeriac.submit.a.b", "celeriac.dead.a.b.c"])
def test_another_subject_is_none_of_a_dead_letter(subject: str) -> None:
    with pytest.raises(ValueError, match="no subject of dead letters"):
        dead_letter(subject, {})


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        pytest.param("NameReused", "NameReused", id="one word is a reason"),
        pytest.param("x\r\nNats-Rollup: all", "Unknown", id="a line is none, and adds no header"),
        pytest.param("R" * 65, "Unknown", id="what is too long is none"),
        pytest.param("größe", "Unknown", id="what no header can say is none"),
    ],
)
def test_headers_are_bounded_whatever_was_recorded(reason: str, expected: str) -> None:
    found = dead_headers(
        reason, "é😀" * 4000, origin="o", band="n", submitted=datetime(2026, 1, 1, tzinfo=UTC), name=None
    )
    assert (expected, True) == (found["Celeriac-Reason"], sum(map(len, found.values())) < 2500)
