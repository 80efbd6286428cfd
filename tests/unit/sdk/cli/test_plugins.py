"""Commands of other packages: found, broken, or missing."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest
import typer
from typer.testing import CliRunner

from celeriac.cli import _plugins


def brings_hello(app: typer.Typer) -> None:
    """A plugin."""
    app.command("hello")(lambda: typer.echo("hello"))


def point(name: str, value: str) -> EntryPoint:
    return EntryPoint(name, value, _plugins.GROUP)


def app_with(monkeypatch: pytest.MonkeyPatch, *points: EntryPoint) -> typer.Typer:
    monkeypatch.setattr(_plugins, "entry_points", lambda group: list(points) if group == _plugins.GROUP else [])
    app = typer.Typer()
    app.command("own")(lambda: typer.echo("own"))
    _plugins.add(app)
    return app


def test_a_plugin_adds_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EntryPoint, "load", lambda _self: brings_hello)
    app = app_with(monkeypatch, point("hello", "somewhere:brings_hello"))

    assert "hello\n" == CliRunner().invoke(app, ["hello"]).output


def test_a_broken_plugin_is_named_and_the_others_work(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    app = app_with(monkeypatch, point("broken", "no.such.module:register"))

    assert "the plugin broken (no.such.module:register) does not work: ModuleNotFoundError" in capsys.readouterr().err
    assert "own\n" == CliRunner().invoke(app, ["own"]).output


def test_without_the_operator_dev_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    done = CliRunner().invoke(app_with(monkeypatch), ["dev", "shop:app", "--slots", "2"])

    assert 3 == done.exit_code
    assert "pip install 'celeriac[dev]' celeriac-operator" in done.output


def test_the_operator_brings_dev() -> None:
    assert "dev" in {found.name for found in _plugins.entry_points(group=_plugins.GROUP)}
