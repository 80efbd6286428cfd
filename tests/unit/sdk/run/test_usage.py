"""What an attempt takes, as its runner measures it; a pod that waited has run before."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from celeriac.api.v1alpha1 import Usage
from celeriac.run import usage


def test_what_was_taken_before_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    walls, cpus = iter([100.0, 100.25]), iter([7.0, 7.125])
    monkeypatch.setattr(usage, "time", SimpleNamespace(monotonic=lambda: next(walls)))
    monkeypatch.setattr(usage, "_cpu", lambda: next(cpus))
    found = Usage.model_validate(usage.since(usage.mark()))

    assert (250, 125) == (found.run_milliseconds, found.cpu_milliseconds)


def test_work_is_processor_time() -> None:
    before = usage.mark()
    while usage.since(before)["cpuMilliseconds"] < 2:
        sum(range(1000))


@pytest.mark.parametrize(
    ("written", "least", "most"),
    [
        pytest.param("12345\n", 12345, 12345, id="the container's highest"),
        pytest.param(None, 1_000_000, 2**40, id="the process's, where the kernel does not keep the container's"),
        pytest.param("max\n", 1_000_000, 2**40, id="the process's, where the file says something else"),
    ],
)
def test_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str | None, least: int, most: int) -> None:
    if written is not None:
        (tmp_path / "peak").write_text(written)
    monkeypatch.setattr(usage, "PEAK", tmp_path / "peak")

    assert least <= usage.since(usage.mark())["memoryBytes"] <= most
