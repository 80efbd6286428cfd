import pytest

from celeriac.wire import names

CASES = {
    "a queue's stream carries namespace and queue": ("CELERIAC_media_slow-jobs", names.stream_of("media", "slow-jobs")),
    "a message goes to its queue's subject, by band": (
        "celeriac.submit.media.slow.h",
        names.submit_subject("media", "slow", "h"),
    ),
    "a queue's stream takes all bands": ("celeriac.submit.media.slow.*", names.submit_subjects("media", "slow")),
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
