"""What the sweep trains: 24 sets of params, and four tasks that show what happens when things go wrong. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

DEFINITION = "digits"
LABELS = {"sweep": "digits"}

Params = dict[str, Any]


@dataclass(frozen=True)
class Training:
    """One Task of the sweep."""

    name: str
    params: Params
    shows: str = ""
    """What it is there to show, where it is one of the special cases."""


REFUSED = Training("refused", {"model": "svc", "C": -1}, "params that the schema refuses")
RAISES = Training("raises", {"model": "logistic", "C": 1, "penalty": "l1"}, "training that raises")
TOO_BIG = Training("too-big", {"model": "svc", "C": 1, "copies": 10000}, "out of memory")
FLAKY = Training("flaky", {"model": "svc", "C": 20, "gamma": 0.1, "failFirst": 2}, "fails twice, then works")
SPECIAL = (REFUSED, RAISES, TOO_BIG, FLAKY)


def grid() -> tuple[Training, ...]:
    """The 24 sets of params: three kinds of model."""
    svc = [{"model": "svc", "C": c, "gamma": gamma} for c, gamma in product((0.1, 1, 10, 100), (0.01, 0.05, 0.2))]
    mlp = [{"model": "mlp", "hidden": h, "alpha": a} for h, a in product(([32], [64], [64, 32], [128]), (0.0001, 0.1))]
    logistic = [{"model": "logistic", "C": c} for c in (0.01, 0.1, 1, 10)]
    return (*_named(svc), *_named(mlp), *_named(logistic))


def _named(params: list[Params]) -> list[Training]:
    return [Training(f"{each['model']}-{number:02}", each) for number, each in enumerate(params, 1)]


def manifest(training: Training) -> dict[str, Any]:
    """The Task, as `kubectl apply` takes it."""
    return {
        "apiVersion": "celeriac.dev/v1alpha1",
        "kind": "Task",
        "metadata": {"name": training.name, "labels": LABELS},
        "spec": {"definitionName": DEFINITION, "params": training.params},
    }


def in_words(params: Mapping[str, Any]) -> str:
    """The params as people write them, the model first; the API server gives them back sorted."""
    names = [name for name in _ORDER if name in params] + sorted(set(params) - set(_ORDER) - _NOT_THE_MODELS)
    return " ".join([str(params.get("model", "?")), *(f"{name}={_value(params[name])}" for name in names)])


_NOT_THE_MODELS = {"model", "failFirst"}
_ORDER = ("C", "gamma", "penalty", "hidden", "alpha")


def _value(value: Any) -> str:
    return "-".join(map(str, value)) if isinstance(value, list) else str(value)
