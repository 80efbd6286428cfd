"""The demo's pure parts: what it trains, how a training speaks with Celeriac, and what people are shown."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from examples.digits import show, train
from examples.digits.follow import Sweep
from examples.digits.trainings import FLAKY, RAISES, REFUSED, SPECIAL, TOO_BIG, grid, in_words, manifest
from jsonschema import Draft202012Validator
from rich.console import Console

from celeriac.api.v1alpha1 import TaskDefinitionSpec, TaskSpec

DEFINITION = yaml.safe_load((Path(train.__file__).parent / "definition.yaml").read_text())["spec"]
TRACEBACK = "Attempt 1 failed: exit code 1: Traceback (most recent call last):\n  File …\nValueError: no l1 penalty"


def task(name: str, phase: str | None, **status: Any) -> dict[str, Any]:
    """A Task as the API server gives it."""
    ended = phase in ("Succeeded", "Failed")
    condition = {
        "type": "Finished",
        "status": "True" if ended else "False",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    shown = {"phase": phase, "conditions": [{**condition, "reason": "X", "message": ""}], **status} if phase else {}
    return {"metadata": {"name": name}, "spec": {"params": {"model": "svc", "C": 1}}, "status": shown}


def result(accuracy: float, seconds: float) -> dict[str, Any]:
    """A result as the training writes it."""
    return {"result": {"value": {"accuracy": accuracy, "seconds": seconds}}, "attemptCount": 1, "message": "Succeeded"}


def test_there_are_24_trainings_with_a_name_of_their_own_each() -> None:
    assert len(grid()) == 24
    assert len({training.name for training in (*grid(), *SPECIAL)}) == 28


@pytest.mark.parametrize("training", [*grid(), RAISES, TOO_BIG, FLAKY], ids=lambda training: training.name)
def test_params_fit_the_definitions_schema(training: Any) -> None:
    Draft202012Validator(DEFINITION["paramsSchema"]).validate(training.params)
    TaskSpec.model_validate(manifest(training)["spec"])


def test_one_task_has_params_that_the_schema_refuses() -> None:
    assert not Draft202012Validator(DEFINITION["paramsSchema"]).is_valid(REFUSED.params)


def test_the_definition_is_valid_and_retries_what_the_training_calls_temporary() -> None:
    spec = TaskDefinitionSpec.model_validate(DEFINITION)
    assert spec.defaults is not None and spec.defaults.retry is not None and spec.defaults.retry.rules is not None
    codes = spec.defaults.retry.rules[0].on_exit_codes
    assert codes is not None

    assert codes.values == (train.TRY_AGAIN,)


def test_a_training_fails_as_often_as_it_is_asked_to_and_then_works() -> None:
    for attempt in (1, 2):
        with pytest.raises(train.DataNotReadyError, match=f"attempt {attempt}"):
            train.check_data(attempt, fail_first=2)

    train.check_data(3, fail_first=2)


def test_a_temporary_failure_has_its_own_exit_code_and_leaves_no_result(tmp_path: Path) -> None:
    file = tmp_path / "result"
    environ = {"CELERIAC_PARAMS": '{"model": "svc", "failFirst": 1}', "CELERIAC_ATTEMPT": "1"}

    assert train.main({**environ, "CELERIAC_RESULT_FILE": str(file)}) == train.TRY_AGAIN
    assert not file.exists()


def test_a_result_is_what_the_schema_asks_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "train", lambda _: {"accuracy": 0.98, "seconds": 0.1})
    file = tmp_path / "result"
    environ = {"CELERIAC_PARAMS": '{"model": "svc"}', "CELERIAC_ATTEMPT": "1", "CELERIAC_RESULT_FILE": str(file)}

    assert train.main(environ) == 0
    Draft202012Validator(DEFINITION["resultSchema"]).validate(json.loads(file.read_text()))


def test_only_a_models_own_settings_reach_it() -> None:
    params = {"model": "mlp", "hidden": [64], "alpha": 0.1, "failFirst": 2, "copies": 3}

    assert train.settings_of(params) == {"hidden_layer_sizes": [64], "alpha": 0.1}


def test_params_in_words_have_the_model_first_and_no_brackets() -> None:
    assert in_words({"alpha": 0.1, "hidden": [64, 32], "model": "mlp", "failFirst": 2}) == "mlp hidden=64-32 alpha=0.1"


def test_a_change_is_a_new_phase_or_a_new_attempt_and_not_another_wording() -> None:
    sweep = Sweep(expected=1)

    assert sweep.take(task("a", None)) is not None
    assert sweep.take(task("a", None)) is None
    assert sweep.take(task("a", "Starting", message="one", attemptCount=1)) is not None
    assert sweep.take(task("a", "Starting", message="two", attemptCount=1)) is None
    assert sweep.take(task("a", "Starting", message="two", attemptCount=2)) is not None


def test_a_sweep_is_done_when_all_that_is_expected_has_ended() -> None:
    sweep = Sweep(expected=2)
    sweep.take(task("a", "Succeeded", **result(0.9, 1)))
    assert not sweep.done
    sweep.take(task("b", "Failed"))

    assert sweep.done


def test_the_ranking_has_the_best_first_and_of_equals_the_quicker_and_no_failures() -> None:
    sweep = Sweep(expected=4)
    sweep.take(task("slow", "Succeeded", **result(0.98, 9)))
    sweep.take(task("quick", "Succeeded", **result(0.98, 1)))
    sweep.take(task("best", "Succeeded", **result(0.99, 20)))
    sweep.take(task("bad", "Failed", message="no"))

    assert [state.name for state in show.ranking(sweep)] == ["best", "quick", "slow"]


@pytest.mark.parametrize(
    ("message", "line"),
    [
        pytest.param("", "", id="nothing"),
        pytest.param("Waiting: no node fits", "Waiting: no node fits", id="a sentence is left as it is"),
        pytest.param(TRACEBACK, "Attempt 1 failed: exit code 1: … ValueError: no l1 penalty", id="a traceback's end"),
    ],
)
def test_a_message_on_one_line(message: str, line: str) -> None:
    assert show.one_line(message) == line


def test_without_a_terminal_there_is_a_plain_line_for_each_change() -> None:
    output = io.StringIO()
    sweep = Sweep(expected=2)
    board = show.Board(Console(file=output, width=80), sweep)
    with board.live():
        for manifest_ in (
            task("a", None),
            task("a", "Succeeded", **result(0.9822, 1)),
            task("raises", "Failed", message=TRACEBACK),
        ):
            state = sweep.take(manifest_)
            assert state is not None
            board.tell(state)

    lines = output.getvalue().splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("[ 1/2] ")
    assert lines[0].endswith("a            Succeeded reads 98.22% of unseen digits")
    assert lines[1].endswith("ValueError: no l1 penalty")
    assert "\x1b" not in output.getvalue()


def test_trouble_is_told_without_what_the_columns_before_say_already() -> None:
    sweep = Sweep(expected=1)
    state = sweep.take(task("raises", "Failed", message=TRACEBACK))
    assert state is not None

    assert show.trouble(state) == "ValueError: no l1 penalty"
