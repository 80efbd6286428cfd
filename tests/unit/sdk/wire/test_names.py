from datetime import UTC, datetime

import pytest

from celeriac.wire import names

CASES = {
    "a queue's stream carries namespace and queue": ("CELERIAC_media_slow-jobs", names.stream_of("media", "slow-jobs")),
    "a message goes to its queue's subject, by band": (
        "celeriac.submit.media.slow.h",
        names.submit_subject("media", "slow", "h"),
    ),
    "a queue's stream takes its three bands, and nothing else": (
        "celeriac.submit.media.slow.h celeriac.submit.media.slow.n celeriac.submit.media.slow.l",
        " ".join(names.submit_subjects("media", "slow")),
    ),
    "a deleted queue's stream takes nothing of clients": (
        "celeriac.closed.media.slow",
        names.closed_subject("media", "slow"),
    ),
    "a delayed message is kept under the minute of its start": (
        "celeriac.delayed.media.slow.n.29000000",
        names.delayed_subject("media", "slow", "n", 29_000_000),
    ),
    "a message's origin is its stream, that stream's creation and its sequence": (
        "CELERIAC_media_slow.1764061200123456000.7",
        names.origin_of("CELERIAC_media_slow", datetime(2025, 11, 25, 9, 0, 0, 123456, UTC), 7),
    ),
    "a message without a name gets one from its origin": ("m-ca978112ca1bbdcafac2", names.name_of_unnamed("a")[:22]),
    "priority above zero is the high band": ("h", names.band_of(1)),
    "priority zero is the normal band": ("n", names.band_of(0)),
    "priority below zero is the low band": ("l", names.band_of(-1)),
    "a dead letter goes to its queue's subject": ("celeriac.dead.media.slow", names.dead_subject("media", "slow")),
    "an event goes to its task's subject": (
        "celeriac.events.media.t1.Running",
        names.event_subject("media", "t1", "Running"),
    ),
    "a task's record is found by namespace and name": ("media.t1", names.record_key("media", "t1")),
    "an attempt's record is found by the task's uid": ("media.u-1.2", names.attempt_key("media", "u-1", 2)),
    "params are found by their digest": ("media.params.ab12", names.params_object("media", "sha256:ab12")),
    "a result is found by its attempt": ("media.result.u-1.2", names.result_object("media", "u-1", 2)),
}


@pytest.mark.parametrize(("expected", "found"), CASES.values(), ids=CASES.keys())
def test_names_of_the_contract(expected: str, found: str) -> None:
    assert expected == found


STREAMS = {
    "a queue's stream": (("media", "slow-jobs"), "CELERIAC_media_slow-jobs"),
    "a stream of the operator's own": (None, names.DEAD_STREAM),
    "a bucket": (None, f"KV_{names.RESULTS_BUCKET}"),
    "somebody else's": (None, "ORDERS_media_slow"),
    "more parts than a queue's has": (None, "CELERIAC_a_b_c"),
    "no queue": (None, "CELERIAC_media_"),
}


@pytest.mark.parametrize(("expected", "stream"), STREAMS.values(), ids=STREAMS.keys())
def test_whose_stream_it_is(expected: tuple[str, str] | None, stream: str) -> None:
    assert expected == names.queue_of_stream(stream)
