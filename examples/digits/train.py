"""Train one classifier on scikit-learn's handwritten digits, and report how well it reads digits it has not seen.

This is the whole contract between a task and Celeriac: params come as JSON in CELERIAC_PARAMS, the result goes as JSON
to CELERIAC_RESULT_FILE, and the exit code says how it went. Nothing here imports Celeriac.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

TRY_AGAIN = 75  # EX_TEMPFAIL of sysexits.h; definition.yaml retries this exit code and no other
SEED = 17


class DataNotReadyError(Exception):
    """The data could not be had now; in a while they may be."""


def main(environ: Mapping[str, str]) -> int:
    """Read the params, train, write the result. Whatever else goes wrong is raised: its traceback is in the status."""
    params = json.loads(environ["CELERIAC_PARAMS"])
    try:
        check_data(int(environ["CELERIAC_ATTEMPT"]), params.get("failFirst", 0))
    except DataNotReadyError as error:
        print(error, file=sys.stderr)
        return TRY_AGAIN
    result = train(params)
    print(f"{params} reads {result['accuracy']:.2%} of the digits")
    Path(environ["CELERIAC_RESULT_FILE"]).write_text(json.dumps(result))
    return 0


def check_data(attempt: int, fail_first: int) -> None:
    """Stand in for a store of data that is away at first: this is here to show retries."""
    if attempt <= fail_first:
        raise DataNotReadyError(f"The data store does not answer (attempt {attempt} of this task)")


def train(params: Mapping[str, Any]) -> dict[str, float]:
    """The share of unseen digits that the model reads correctly, and how long training took."""
    from sklearn.datasets import load_digits  # noqa: PLC0415 -- slow, and the rest can be tested without it
    from sklearn.model_selection import train_test_split  # noqa: PLC0415

    images, labels = load_digits(return_X_y=True)
    seen, unseen, seen_labels, unseen_labels = train_test_split(images / 16, labels, test_size=0.25, random_state=SEED)
    began = time.perf_counter()
    model = new_model(params).fit(*copies(seen, seen_labels, params.get("copies", 1)))
    seconds = time.perf_counter() - began
    return {"accuracy": round(float(model.score(unseen, unseen_labels)), 4), "seconds": round(seconds, 3)}


def copies(images: Any, labels: Any, count: int) -> tuple[Any, Any]:
    """The same images so many times over: a way to need as much memory as you like."""
    import numpy  # noqa: PLC0415

    return numpy.tile(images, (count, 1)), numpy.tile(labels, count)


def new_model(params: Mapping[str, Any]) -> Any:
    """The untrained model that the params ask for."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415
    from sklearn.neural_network import MLPClassifier  # noqa: PLC0415
    from sklearn.svm import SVC  # noqa: PLC0415

    kinds = {
        "svc": lambda **settings: SVC(random_state=SEED, **settings),
        "mlp": lambda **settings: MLPClassifier(max_iter=400, random_state=SEED, **settings),
        "logistic": lambda **settings: LogisticRegression(max_iter=400, random_state=SEED, **settings),
    }
    return kinds[params["model"]](**settings_of(params))


def settings_of(params: Mapping[str, Any]) -> dict[str, Any]:
    """The params that are the model's own, by scikit-learn's names."""
    names = {"C": "C", "gamma": "gamma", "penalty": "penalty", "alpha": "alpha", "hidden": "hidden_layer_sizes"}
    return {theirs: params[ours] for ours, theirs in names.items() if ours in params}


if __name__ == "__main__":
    sys.exit(main(os.environ))
