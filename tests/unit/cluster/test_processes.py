"""A pidfile means one process, not whoever has its number today."""

import os
import signal
import sys
from pathlib import Path

import pytest
from e2e.cluster import processes
from e2e.cluster.processes import Pidfile, Stat


def test_stat_of_a_name_with_brackets_and_spaces_is_parsed() -> None:
    fields = " ".join(["S", *(str(number) for number in range(4, 53))])

    assert processes.parse_stat(f"17 (kube) (a b)) {fields}") == Stat(state="S", start_ticks=22, cpu_ticks=14 + 15)


@pytest.fixture
def sleeper(tmp_path: Path) -> Path:
    pidfile = tmp_path / "sleeper.json"
    argv = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]
    processes.spawn(argv, pidfile, tmp_path / "log", recipe="r1")
    return pidfile


def test_a_daemon_is_known_until_it_is_killed(sleeper: Path) -> None:
    known = processes.read_pidfile(sleeper)
    assert known is not None and processes.running_pid(sleeper) == known.pid
    assert (known.recipe, os.getsid(known.pid)) == ("r1", known.pid)

    processes.terminate(sleeper, signal.SIGKILL)

    assert processes.running_pid(sleeper) is None
    assert not sleeper.exists()


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"start_ticks": 1}, id="started at another time: the number was given to somebody else"),
        pytest.param({"boot_id": "another"}, id="of an earlier boot"),
        pytest.param({"pid": 2**22 + 1}, id="gone"),
    ],
)
def test_another_process_is_neither_taken_for_ours_nor_killed(sleeper: Path, change: dict[str, int | str]) -> None:
    known = processes.read_pidfile(sleeper)
    assert known is not None
    other = sleeper.with_name("other.json")
    other.write_text(Pidfile.model_validate({**known.model_dump(), **change}).model_dump_json())

    assert processes.running_pid(other) is None
    processes.terminate(other)
    assert processes.running_pid(sleeper) == known.pid

    processes.terminate(sleeper, signal.SIGKILL)


@pytest.mark.parametrize("text", ["", "17", '{"pid": 17}'])
def test_a_broken_pidfile_counts_as_none(tmp_path: Path, text: str) -> None:
    pidfile = tmp_path / "broken.json"
    pidfile.write_text(text)

    assert processes.running_pid(pidfile) is None
