"""The command: what is wrong with its settings is a sentence."""

from __future__ import annotations

import pytest

from celeriac_operator.__main__ import main


@pytest.mark.parametrize(
    ("words", "says"),
    [
        pytest.param(["--shards", "99"], "celeriac-operator: CELERIAC_SHARDS: Input should be", id="one setting"),
        pytest.param(["--lease-seconds=5"], "celeriac-operator: CELERIAC_RENEW_DEADLINE_SECONDS must", id="several"),
    ],
)
def test_wrong_settings_are_refused_in_a_sentence(monkeypatch: pytest.MonkeyPatch, words: list[str], says: str) -> None:
    monkeypatch.setattr("sys.argv", ["celeriac-operator", *words])

    with pytest.raises(SystemExit) as refused:
        main()

    assert str(refused.value).startswith(says)
