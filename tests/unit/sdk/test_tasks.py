"""The queries that a listing takes. What else is done with Tasks is tested through the client."""

from __future__ import annotations

from typing import Any

import pytest

from celeriac._tasks import list_queries

NOTHING: dict[str, Any] = {"queue": None, "phase": None, "definition": None, "labels": None}


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param({}, [()], id="nothing is selected"),
        pytest.param(
            {"phase": "Failed", "definition": "d"},
            [(("fieldSelector", "status.phase=Failed,spec.definitionName=d"),)],
            id="fields are selected together",
        ),
        pytest.param({"labels": {"a": "b", "c": "d"}}, [(("labelSelector", "a=b,c=d"),)], id="labels as a mapping"),
        pytest.param({"labels": "a in (b)"}, [(("labelSelector", "a in (b)"),)], id="labels as a selector"),
        pytest.param(
            {"queue": "q", "phase": "Queued"},
            [
                (("fieldSelector", "status.phase=Queued,spec.queueName=q"),),
                (("fieldSelector", "status.phase=Queued,spec.queueName="),),
            ],
            id="a queue is asked for by name and by absence",
        ),
    ],
)
def test_list_queries(asked: dict[str, Any], expected: list[tuple[tuple[str, str], ...]]) -> None:
    assert list_queries(**(NOTHING | asked)) == expected
