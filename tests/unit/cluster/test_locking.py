"""What processes share. The kernel's locks are of open files, so one process can play several."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest
from e2e.cluster.locking import together


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        pytest.param(["+a", "-a"], ["begin", "end"], id="who is alone begins and ends it"),
        pytest.param(["+a", "+b", "-b", "-a"], ["begin", "end"], id="the first begins and ends it, if it is the last"),
        pytest.param(["+a", "+b", "-a", "-b"], ["begin", "end"], id="else the last ends it"),
        pytest.param(["+a", "+b", "-a", "+c", "-c", "-b"], ["begin", "end"], id="who comes meanwhile changes nothing"),
        pytest.param(["+a", "-a", "+b", "-b"], ["begin", "end"] * 2, id="who comes after its end begins it again"),
    ],
)  # fmt: skip
def test_the_first_begins_and_the_last_ends(steps: list[str], expected: list[str], tmp_path: Path) -> None:
    done: list[str] = []
    held: dict[str, ExitStack] = {}
    for step in steps:
        who = step[1:]
        if step.startswith("+"):
            held[who] = ExitStack()
            held[who].enter_context(
                together(tmp_path / "locks" / "it", lambda: done.append("begin"), lambda: done.append("end"))
            )
        else:
            held[who].close()

    assert expected == done


def test_what_could_not_be_begun_is_not_ended_and_the_next_one_tries_again(tmp_path: Path) -> None:
    done: list[str] = []

    def fails() -> None:
        raise OSError("not now")

    with pytest.raises(OSError, match="not now"), together(tmp_path / "it", fails, lambda: done.append("end")):
        pass
    with together(tmp_path / "it", lambda: done.append("begin"), lambda: done.append("end")):
        pass

    assert ["begin", "end"] == done
