"""The example of Python functions, whole, against a queue in memory; and its TaskDefinitions."""

from __future__ import annotations

from pathlib import Path

import pytest
from examples.python import census, run

import celeriac
from celeriac.api.v1alpha1 import TaskDefinitionSpec
from celeriac.app.definition import definitions_of
from celeriac.testing import TestQueue
from celeriac_operator.core.schema import broken_schema

ROOT = Path(celeriac.__file__).parent / "cron"


def test_the_program(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "good.py").write_text("def f(): pass\nclass A: pass\n")
    (tmp_path / "bad.py").write_text("def (\n")
    with TestQueue(census.app) as queue:
        run.main(str(tmp_path))
    said = capsys.readouterr().out
    assert f"{tmp_path / 'bad.py'}: AppError" in said
    assert f"Census(files=1, lines=2, functions=1, classes=1, largest={tmp_path / 'good.py'!r})" in said
    assert "lucky at attempt 3" in said
    assert {"census"} == {task.queue for task in queue.tasks}
    assert [1] == [task.status.attempt_count for task in queue.tasks if "bad.py" in str(task.spec.params)]


def test_many_files_in_one_task() -> None:
    paths = census.source_files(ROOT)
    with TestQueue(census.app):
        found = census.count_all.delay(paths).get()
    assert len(paths) == found.files
    assert found == census.gather(census.count(path) for path in paths)


def test_the_definitions_are_valid() -> None:
    definitions = definitions_of(census.app, "examples.python.census:app")
    assert ["count", "count-all", "source-files", "unsteady"] == [each["metadata"]["name"] for each in definitions]
    for each in definitions:
        spec = TaskDefinitionSpec.model_validate(each["spec"])
        assert spec.defaults is not None and spec.defaults.queue_name == "census"
        assert spec.params_schema is not None and broken_schema(spec.params_schema) is None
