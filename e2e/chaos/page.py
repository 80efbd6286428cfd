"""The figures of the last run, for docs/reliability.md. Pure."""

from collections.abc import Iterable, Mapping

from e2e.chaos.outcomes import Outcome

BEGIN, END = "<!-- figures: make reliability -->\n", "<!-- end of figures -->"
HEAD = """\
| row | fault | tasks in | faults | tasks | lost | run twice | recovery, s | seed, when |
|---:|---|---|---:|---:|---:|---:|---:|---|
"""


def with_figures(page: str, names: Mapping[str, int], outcomes: Mapping[str, Outcome]) -> str:
    """The page with the figures between its marks.

    Args:
        names: every row that there is, with its number in the matrix. One without an outcome was not run.
    """
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    ordered = sorted(names, key=lambda name: names[name])
    lines = "".join(_line(names[name], name, outcomes.get(name)) for name in ordered)
    return f"{before}{BEGIN}\n{HEAD}{lines}{_sum(outcomes[name] for name in ordered if name in outcomes)}\n{END}{after}"


def _line(number: int, name: str, outcome: Outcome | None) -> str:
    if outcome is None:
        return f"| {number} | {name} | not run | | | | | | |\n"
    twins = f"; {outcome.twins} by Kubernetes" if outcome.twins else ""
    twice = f"{outcome.twice}{twins}"
    figures = (outcome.times, outcome.tasks, outcome.lost, twice, f"{outcome.recovery_seconds:.1f}")
    wrong = f"; {len(outcome.problems)} problems" if outcome.problems else ""
    cells = (number, name, outcome.mode, *figures, f"{outcome.seed}, {outcome.at}{wrong}")
    return f"| {' | '.join(map(str, cells))} |\n"


def _sum(outcomes: Iterable[Outcome]) -> str:
    each = list(outcomes)
    totals = (sum(row.times for row in each), sum(row.tasks for row in each))
    kept = (sum(row.lost for row in each), sum(row.twice for row in each))
    slowest = max((row.recovery_seconds for row in each), default=0.0)
    cells = ("", f"{len(each)} rows", "", *totals, *kept, f"{slowest:.1f} at most", "")
    return f"| {' | '.join(map(str, cells))} |\n"
