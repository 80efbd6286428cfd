"""What a TaskQueue's status says of its stream."""

from __future__ import annotations

from tests.support.clock import T0, at

from celeriac_operator.core.intake.stream import StreamState, stream_condition


def test_a_stream_that_takes_messages_is_ready() -> None:
    found = stream_condition((), StreamState(7), generation=2, now=T0)
    assert ("StreamReady", "True", "StreamReady", 2) == (
        found.type,
        found.status,
        found.reason,
        found.observed_generation,
    )


def test_trouble_says_since_when_and_why() -> None:
    before = stream_condition((), StreamState(7), generation=1, now=T0)
    down = stream_condition((before,), StreamState(7, "NATSDown", "no answer"), generation=1, now=at(10))
    still = stream_condition((down,), StreamState(7, "StreamRefused", "no room"), generation=1, now=at(20))
    assert [("False", "NATSDown", at(10)), ("False", "StreamRefused", at(10))] == [
        (each.status, each.reason, each.last_transition_time) for each in (down, still)
    ]
