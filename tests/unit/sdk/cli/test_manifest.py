"""``celeriac manifest`` and ``celeriac check``."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tests.unit.sdk.cli.conftest import Cluster, Command

OLD = """
from celeriac import App
app = App("media", image="image:1")

@app.task
def thumb(path: str, width: int = 1) -> int:
    return 1

empty = App("empty", image="image:1")
"""


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder to run the command in, with a module of tasks."""
    monkeypatch.chdir(tmp_path)
    path = list(sys.path)
    file = tmp_path / "shop_tasks.py"
    file.write_text(OLD)
    (tmp_path / "broken_tasks.py").write_text("1 / 0")
    yield file
    sys.path[:] = path
    sys.modules.pop("shop_tasks", None)


def change(code: Path, old: str, new: str) -> None:
    """The module, changed, as another process would import it."""
    code.write_text(code.read_text().replace(old, new))
    sys.modules.pop("shop_tasks", None)


@pytest.mark.parametrize("output", ["table", "yaml"])
def test_manifest_is_yaml_for_kubectl(code: Path, celeriac: Command, output: str) -> None:
    done = celeriac("manifest", "shop_tasks:app", "-n", "team", "--version", "7", "-o", output)
    assert 0 == done.exit_code, done.output
    (definition,) = yaml.safe_load_all(done.stdout)
    assert ("thumb", "team", "image:1", "7") == (
        definition["metadata"]["name"],
        definition["metadata"]["namespace"],
        definition["spec"]["container"]["image"],
        definition["spec"]["version"],
    )


def test_manifest_as_json_and_names(code: Path, celeriac: Command) -> None:
    listed = json.loads(celeriac("manifest", "shop_tasks:app", "--image", "other:2", "-o", "json").stdout)
    assert ["other:2"] == [item["spec"]["container"]["image"] for item in listed["items"]]
    assert "taskdefinition.celeriac.dev/thumb\n" == celeriac("manifest", "shop_tasks:app", "-o", "name").stdout


@pytest.mark.parametrize(
    ("old", "new", "code_", "says"),
    [
        pytest.param("width: int = 1", "width: float = 2", 0, "", id="nothing breaks"),
        pytest.param("width: int = 1", "", 1, "thumb: params.width: it is removed\n", id="something does"),
    ],
)
def test_check_of_a_file(code: Path, celeriac: Command, old: str, new: str, code_: int, says: str) -> None:
    Path("old.yaml").write_text(celeriac("manifest", "shop_tasks:app").stdout)
    change(code, old, new)
    done = celeriac("check", "shop_tasks:app", "old.yaml")
    assert (code_, says) == (done.exit_code, done.stdout), done.output


def test_a_check_that_compares_nothing_says_so(code: Path, celeriac: Command) -> None:
    done = celeriac("check", "shop_tasks:app", "--cluster", "-n", "elsewhere")
    assert (0, "") == (done.exit_code, done.stdout)
    assert "Nothing was compared: none of the App's TaskDefinitions is there." in " ".join(done.stderr.split())


def test_check_of_the_cluster(code: Path, celeriac: Command, cluster: Cluster) -> None:
    (definition,) = yaml.safe_load_all(celeriac("manifest", "shop_tasks:app").stdout)
    path = "/apis/celeriac.dev/v1alpha1/namespaces/team/taskdefinitions/thumb"
    asyncio.run(cluster.put(path, definition))
    change(code, "path: str", "path: str, name: str")
    done = celeriac("check", "shop_tasks:app", "--cluster", "-o", "json")
    assert 1 == done.exit_code, done.output
    assert [{"definition": "thumb", "place": "params.name", "what": "it is required now"}] == json.loads(done.stdout)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        pytest.param(("manifest", "shop_tasks:nothing"), "has no nothing", id="no such App"),
        pytest.param(("manifest", "shop_tasks"), "write MODULE:APP", id="no App is named"),
        pytest.param(("manifest", "broken_tasks:app"), "ZeroDivisionError", id="a module that raises"),
        pytest.param(("manifest", "no_such_module:app"), "no_such_module", id="no such module"),
        pytest.param(
            ("manifest", "shop_tasks:thumb"), "is no celeriac.App but a TaskFunction", id="a task, not the App"
        ),
        pytest.param(("manifest", "shop_tasks:empty"), "App(include=", id="an App without tasks"),
        pytest.param(("check", "shop_tasks:app"), "--cluster", id="nothing to compare with"),
        pytest.param(("check", "shop_tasks:app", "missing.yaml"), "cannot be read", id="no such file"),
    ],
)
def test_wrong_usage(code: Path, celeriac: Command, words: tuple[str, ...], says: str) -> None:
    done = celeriac(*words)
    assert 2 == done.exit_code
    assert says in done.output
