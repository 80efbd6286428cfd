"""CronTasks against what is known to have run of their slots."""

from __future__ import annotations

import pytest
from tests.support.evidence import NOW, a_bus, a_cron, ago, an_event, evidence, said

from celeriac.audit.evidence import Evidence
from celeriac.audit.of_crons import slots_that_are_due, slots_that_ran
from celeriac.cron.run import run_name

AT_NINE = ("media", run_name("hourly", ago(60)))
AT_EIGHT = ("media", run_name("hourly", ago(120)))
ENDED = an_event("Succeeded")


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        pytest.param(
            evidence(bus=a_bus(events={AT_NINE: ENDED}), crons=(a_cron(ago(60)),)), [], id="its CronTask knows it"
        ),
        pytest.param(
            evidence(bus=a_bus(events={AT_NINE: ENDED, AT_EIGHT: ENDED}), crons=(a_cron(ago(120)),)),
            ["Again hourly"],
            id="its CronTask knows the one before",
        ),
        pytest.param(
            evidence(bus=a_bus(events={("media", "hourly-manual-bcdfg"): ENDED}), crons=(a_cron(ago(120)),)),
            [],
            id="a run by hand is no slot",
        ),
        pytest.param(
            evidence(bus=a_bus(events={("other", AT_NINE[1]): ENDED}), crons=(a_cron(ago(120)),)),
            [],
            id="it is of another namespace",
        ),
        pytest.param(evidence(crons=(a_cron(ago(120)),)), [], id="NATS was not asked"),
    ],
)
def test_a_slot_has_run(given: Evidence, wanted: list[str]) -> None:
    assert said(slots_that_ran(given)) == wanted


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        pytest.param(evidence(crons=(a_cron(ago(60)),)), [], id="the next one is due just now"),
        pytest.param(evidence(crons=(a_cron(ago(180)),)), ["Note hourly"], id="one is an hour late"),
        pytest.param(evidence(crons=(a_cron(ago(180), suspend=True),)), [], id="it is suspended"),
        pytest.param(evidence(crons=(a_cron(ago(180), jitterSeconds=7200),)), [], id="its jitter may be the reason"),
        pytest.param(evidence(crons=(a_cron(ago(180), timeZone="Nowhere"),)), [], id="its zone is not known"),
    ],
)
def test_a_slot_is_due(given: Evidence, wanted: list[str]) -> None:
    assert NOW.minute == 0
    assert said(slots_that_are_due(given)) == wanted
