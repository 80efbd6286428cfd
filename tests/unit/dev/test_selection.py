"""Selectors, as the API has them."""

from __future__ import annotations

import pytest

from celeriac_operator.dev.selection import selected

RAW = {"metadata": {"name": "a", "labels": {"x": "1", "y": "2"}}, "spec": {"queueName": "media"}}


@pytest.mark.parametrize(
    ("labels", "fields", "expected"),
    [
        pytest.param("", "", True, id="nothing asked"),
        pytest.param("x=1", "", True, id="a label"),
        pytest.param("x==1,y=2", "", True, id="two labels"),
        pytest.param("x=1,y=3", "", False, id="one of two labels is another"),
        pytest.param("x!=1", "", False, id="not that label"),
        pytest.param("z!=1", "", True, id="a label that is not there is not that"),
        pytest.param("x", "", True, id="a label that is there"),
        pytest.param("!x", "", False, id="a label that must not be there"),
        pytest.param("x in (1, 2),y", "", True, id="one of several values, and more"),
        pytest.param("x notin (1,2)", "", False, id="none of several values"),
        pytest.param("", "metadata.name=a", True, id="a field"),
        pytest.param("", "spec.queueName!=media", False, id="not that field"),
        pytest.param("", "status.phase=", True, id="a field that is not there is empty"),
    ],
)
def test_selected(labels: str, fields: str, expected: bool) -> None:
    assert expected is selected(RAW, labels, fields)


def test_what_cannot_be_read_is_refused() -> None:
    with pytest.raises(ValueError, match="unable to parse"):
        selected(RAW, "x=1=2", "")
