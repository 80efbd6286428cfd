"""The page of the backlog's figures."""

from e2e.bench.backlog import Sight, table
from e2e.bench.scale.usage import Memory
from rich.console import Console


def test_each_look_is_a_row_with_the_memory_in_mebibytes() -> None:
    with (console := Console(width=80)).capture() as captured:
        console.print(table([Sight("they wait", 1_000_000, 3, Memory(87.4, 91.6))]))
    assert all(text in captured.get() for text in ("they wait", "1,000,000", " 3 ", " 87 ", " 92 "))
