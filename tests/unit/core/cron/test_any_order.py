"""Two operators, of which either may act, die, lose replies and lag, while the clock jumps: no slot twice, none lost.

The one thing kept in order: a watch is never more than half a minute late. What is later than that is repaired by
a relist, or the process is not alive.
"""

from __future__ import annotations

from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.support.clock import T0, Clock
from tests.support.crash import Fault
from tests.support.cron import CRON, clock
from tests.support.cron_cluster import CronCluster, hear, work
from tests.support.process import Process
from tests.support.profiles import examples

from celeriac.cron.calendar import Calendar
from celeriac.cron.expression import parse_expression
from celeriac.cron.run import slot_of
from celeriac_operator.core.cron.backlog import MOST_COUNTED

SCHEDULES = ("*/5 * * * *", "* * * * *", "7,11 * * * *")


class AnyOrder(RuleBasedStateMachine):
    """A CronTask, and all that can happen to it."""

    @initialize(
        schedule=st.sampled_from(SCHEDULES),
        concurrency=st.sampled_from(["Allow", "Forbid", "Replace", "Queue"]),
        catch_up=st.sampled_from(["None", "Latest", "All"]),
        most=st.integers(1, 4),
        jitter=st.sampled_from([0, 20, 200]),
    )
    def begin(self, schedule: str, concurrency: str, catch_up: str, most: int, jitter: int) -> None:
        self.cluster = CronCluster(Clock(T0))
        self.cluster.one_at_a_time = concurrency != "Allow"
        self.catch_up = catch_up
        self.calendar = Calendar(parse_expression(schedule, f"media/{CRON}"), "Etc/UTC", "Once")
        self.cluster.schedule(
            schedule,
            concurrencyPolicy=concurrency,
            catchUp={"policy": catch_up, "windowSeconds": 1800, "maxRuns": most},
            jitterSeconds=jitter,
        )
        self.operators = [Process(self.cluster), Process(self.cluster)]
        self.latest = T0

    @rule(seconds=st.integers(1, 30))
    def a_moment_passes(self, seconds: int) -> None:
        self._pass(timedelta(seconds=seconds))

    @rule(minutes=st.integers(1, 90))
    def time_passes_or_the_clock_jumps(self, minutes: int) -> None:
        self._pass(timedelta(minutes=minutes))

    @rule(slots=st.integers(1, 3), seconds=st.sampled_from([0, 0, 5, 59]), who=st.sampled_from([None, 0, 1]))
    def the_next_slot_comes(self, slots: int, seconds: int, who: int | None) -> None:
        """And perhaps an operator is there."""
        for _ in range(slots):
            slot = self.calendar.next(self.cluster.clock.now)
            assert slot is not None
            self._pass(slot - self.cluster.clock.now + timedelta(seconds=seconds))
            if who is not None:
                work(self.operators[who])

    @rule(who=st.integers(0, 1))
    def an_operator_hears_all_and_works(self, who: int) -> None:
        hear(self.operators[who])
        work(self.operators[who])

    @rule(minutes=st.integers(1, 20))
    def the_clock_goes_back(self, minutes: int) -> None:
        self.cluster.clock.now = max(self.cluster.clock.now - timedelta(minutes=minutes), T0)

    def _pass(self, time: timedelta) -> None:
        for operator in self.operators:
            hear(operator)
        self.cluster.clock.now += time
        self.latest = max(self.latest, self.cluster.clock.now)

    @rule(who=st.integers(0, 1), kind=st.sampled_from(["tasks", "crons"]), events=st.integers(1, 4))
    def a_watch_delivers(self, who: int, kind: str, events: int) -> None:
        self.operators[who].hear(kind, events)

    @rule(who=st.integers(0, 1))
    def an_operator_works(self, who: int) -> None:
        work(self.operators[who])

    @rule(who=st.integers(0, 1))
    def an_operator_starts_anew(self, who: int) -> None:
        self.operators[who].start()

    @rule(faults=st.lists(st.sampled_from([None, *Fault]), min_size=1, max_size=3))
    def writes_will_go_wrong(self, faults: list[Fault | None]) -> None:
        self.cluster.faults = faults

    @rule(which=st.integers(0, 5), outcome=st.sampled_from(["Succeeded", "AppError"]))
    def a_run_ends(self, which: int, outcome: str) -> None:
        runs = self.cluster.unfinished()
        if runs:
            self.cluster.end(runs[which % len(runs)], outcome)

    @rule(which=st.integers(0, 5))
    def a_finished_run_is_deleted(self, which: int) -> None:
        """Once it is recorded: one that nobody has written down yet can be told from one that never was by nothing."""
        last = self.cluster.cron_status.get("lastScheduleTime", "")
        names = [raw["metadata"]["name"] for raw in self.cluster.all("tasks") if raw.get("status")]
        known = [name for name in names if f"{slot_of(CRON, name):%Y-%m-%dT%H:%M:%SZ}" <= last]
        if known:
            self.cluster.remove("tasks", known[which % len(known)])

    @rule(who=st.integers(0, 1))
    def a_run_comes_and_goes_before_the_other_operator_hears_of_it(self, who: int) -> None:
        self.the_next_slot_comes(1, 5, None)
        work(self.operators[who])
        for name in self.cluster.unfinished():
            self.cluster.end(name)
        self.a_finished_run_is_deleted(-1)
        work(self.operators[1 - who])

    @precondition(lambda self: self.catch_up != "None")
    @rule(suspend=st.booleans())
    def somebody_suspends_it_or_not(self, suspend: bool) -> None:
        self.cluster.edit("crontasks", CRON, suspend=suspend)

    @rule(limit=st.integers(0, 3))
    def somebody_edits_what_is_no_matter_of_time(self, limit: int) -> None:
        self.cluster.edit("crontasks", CRON, successfulTasksHistoryLimit=limit)

    @invariant()
    def no_slot_runs_twice_or_early(self) -> None:
        if not hasattr(self, "cluster"):
            return
        assert [name for name, times in self.cluster.runs.items() if times > 1] == []
        slots = [slot_of(CRON, name) for name in self.cluster.runs]
        assert [slot for slot in slots if slot is None or not T0 < slot <= self.latest] == []

    def teardown(self) -> None:
        """In the end every slot up to the last decided one has run, or was counted."""
        if not hasattr(self, "cluster"):
            return
        self.cluster.faults = []
        self.cluster.edit("crontasks", CRON, suspend=False)
        self._pass(self.latest - self.cluster.clock.now + timedelta(hours=1))
        for _ in range(20):
            for operator in self.operators:
                hear(operator)
                work(operator)
            for name in self.cluster.unfinished():
                self.cluster.end(name)
        status = self.cluster.cron_status
        until = max(clock("12:00"), *(parse(status.get(each)) for each in ("decidedTime", "lastScheduleTime")))
        expected = list(self.calendar.between(T0, until))
        ran = [slot for slot in expected if self.cluster.ran(slot)]

        missed, counted = len(expected) - len(ran), status.get("missedRuns", 0)
        assert missed == counted or missed > counted >= MOST_COUNTED
        assert len(ran) == len(self.cluster.runs), "a run that is no slot's"
        late = self.calendar.newest(T0, self.cluster.clock.now - timedelta(minutes=7), 1)
        assert [] == [slot for slot in late if slot > until], "a slot that nobody decided upon"


def parse(text: str | None):  # type: ignore[no-untyped-def]
    """A time of the status."""
    return clock("12:00") if text is None else T0.fromisoformat(text)


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = examples(60)
