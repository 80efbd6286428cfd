"""Exit codes."""

from __future__ import annotations

import pytest
import typer
from tests.unit.sdk.test_outcome import task

from celeriac import errors
from celeriac.cli._exit import ExitCode, code_of
from celeriac.cli._flags import guarded, parse_duration

DONE = task({})


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (errors.TaskFailed("", DONE), 1),
        (errors.ResultInvalid("", DONE), 1),
        (errors.TaskCancelled("", DONE), 1),
        (errors.TaskExpired("", DONE), 1),
        (errors.TaskNotFound(""), 2),
        (errors.InvalidTask(""), 2),
        (errors.AlreadyExists(""), 2),
        (errors.UnknownDefinition(""), 2),
        (errors.LogsUnavailable(""), 2),
        (errors.ConnectionFailed(""), 3),
        (errors.NotInstalled(""), 3),
        (errors.Forbidden(""), 3),
        (errors.QueueFull(""), 3),
        (errors.TimeoutError(""), 124),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_code_of(error: errors.CeleriacError, expected: int) -> None:
    assert code_of(error) == expected


def test_people_get_no_traceback(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CELERIAC_DEBUG", raising=False)

    def fail() -> None:
        raise KeyError("x")

    with pytest.raises(typer.Exit) as caught:
        guarded(fail)

    assert caught.value.exit_code == ExitCode.CLUSTER
    assert "CELERIAC_DEBUG=1 shows where" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("5m", 300), ("2h", 7200), ("1d", 86400), ("0.5", 0.5), ("0", 0)]
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "-5", "1w", "nan", "inf", "1e99"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        parse_duration(text)
