import pytest

from celeriac_operator.kube import shared as module
from celeriac_operator.kube.shared import shared


def equal_texts() -> tuple[str, str]:
    """Two equal texts that are two objects."""
    return "".join(["a", "bc!"]), "".join(["ab", "c!"])


def test_equal_values_are_one_object() -> None:
    one, other = equal_texts()
    assert one is not other
    assert shared(one) is shared(other)


def test_what_is_known_stays_bounded_and_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 10)
    monkeypatch.setattr(module, "_known", {})
    assert [shared(number) for number in range(1000)] == list(range(1000))
    assert len(module._known) <= 10
