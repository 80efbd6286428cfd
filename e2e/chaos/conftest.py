"""The table of what was shown, at the end."""

from collections.abc import Callable, Iterator

import pytest
from e2e.chaos.outcomes import FILE, Outcome, keep, told
from rich.console import Console

_OUTCOMES: list[Outcome] = []


def pytest_configure(config: pytest.Config) -> None:
    """Python itself leaves a socket open whose server dies between the connection and the handshake, as ours do."""
    config.addinivalue_line("filterwarnings", "ignore:unclosed <ssl.SSLSocket:ResourceWarning")


@pytest.fixture(scope="session")
def tell() -> Callable[[Outcome], None]:
    """Takes what came of a row, and keeps it at once: a run that is stopped has run what it has run."""

    def take(outcome: Outcome) -> None:
        _OUTCOMES.append(outcome)
        keep([outcome], FILE)

    return take


@pytest.hookimpl(wrapper=True)
def pytest_terminal_summary() -> Iterator[None]:
    """Print it."""
    yield
    if _OUTCOMES:
        Console(width=150).print(told(_OUTCOMES))
