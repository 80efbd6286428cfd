"""What a stream's refusal means: full, an outage, or neither."""

from __future__ import annotations

import pytest

from celeriac import errors
from celeriac._nats_refusals import error_of, is_full, is_outage


@pytest.mark.parametrize(
    ("code", "err_code", "text", "full", "outage"),
    [
        pytest.param(503, 10077, "maximum messages exceeded", True, False, id="the stream has its messages"),
        pytest.param(503, 10077, "maximum bytes exceeded", True, False, id="the stream has its bytes"),
        pytest.param(503, 10077, "no space left on device", False, True, id="a disk in trouble has the same code"),
        pytest.param(503, 10047, "insufficient storage resources available", True, False, id="the server is full"),
        pytest.param(400, 10002, "resource limits exceeded for account", True, False, id="the account is full"),
        pytest.param(503, 10008, "JetStream system temporarily unavailable", False, True, id="no leader"),
        pytest.param(500, 0, "an answer that cannot be read", False, True, id="nonsense"),
        pytest.param(400, 10060, "expected stream does not match", False, False, id="another stream has the subject"),
        pytest.param(400, 10054, "message size exceeds maximum allowed", False, False, id="too large"),
    ],
)
def test_kinds_of_refusal(code: int, err_code: int, text: str, full: bool, outage: bool) -> None:
    assert (full, outage) == (is_full(code, err_code, text), is_outage(code, err_code, text))


@pytest.mark.parametrize(
    ("code", "err_code", "text", "error"),
    [
        (503, 10077, "maximum messages exceeded", errors.QueueFull),
        (400, 10054, "message size exceeds maximum allowed", errors.InvalidTask),
        (400, 10060, "expected stream does not match", errors.RequestRejected),
    ],
)
def test_errors_name_the_queue_and_the_words_of_the_server(
    code: int, err_code: int, text: str, error: type[errors.CeleriacError]
) -> None:
    made = error_of("team", "q", code, err_code, text)

    assert type(made) is error
    assert "queue q of namespace team" in str(made).lower()
    assert text in str(made)
