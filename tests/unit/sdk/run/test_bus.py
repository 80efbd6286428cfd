"""A write against a revision, by answers that NATS may give; those of a real server are in ``tests/nats/run``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from nats.js.api import RawStreamMsg
from nats.js.errors import BadRequestError, NotFoundError

from celeriac.run import bus
from celeriac.run.bus import put_against

OURS, OTHERS = b'{"podUID":"ours"}', b'{"podUID":"other"}'
STORED = None
LOST = TimeoutError()
UNDER_WAY = BadRequestError(code=400, err_code=10164, description="wrong last sequence")


def refused(revision: int) -> BadRequestError:
    return BadRequestError(code=400, err_code=10071, description=f"wrong last sequence: {revision}")


class Copies:
    """JetStream, whose bucket has copies: each read is answered by another one."""

    def __init__(self, answers: list[Exception | None], copies: list[tuple[int, bytes] | None]) -> None:
        self.answers, self.copies = answers, copies

    async def publish(self, subject: str, data: bytes, headers: dict[str, str]) -> None:
        answer = self.answers.pop(0)
        if answer is not None:
            raise answer

    async def get_last_msg(self, stream: str, subject: str, **_: Any) -> RawStreamMsg:
        found = self.copies.pop(0)
        if found is None:
            raise NotFoundError
        return RawStreamMsg(subject, found[0], found[1], time=datetime.now(UTC))


@pytest.mark.parametrize(
    ("answers", "copies", "found"),
    [
        pytest.param([STORED], [], None, id="it is stored"),
        pytest.param([LOST, STORED], [], None, id="it was lost on its way"),
        pytest.param([LOST, refused(5)], [(5, OURS)], OURS, id="its answer was lost"),
        pytest.param([refused(5)], [(5, OTHERS)], OTHERS, id="another was first"),
        pytest.param([refused(5)], [(6, OTHERS)], OTHERS, id="another came between refusal and read"),
        pytest.param(
            [LOST, refused(5), refused(5)], [None, (5, OURS)], OURS, id="the copy that is asked has nothing yet"
        ),
        pytest.param(
            [LOST, refused(5), refused(5)], [(3, OTHERS), (5, OURS)], OURS, id="that copy has what was before"
        ),
        pytest.param([LOST, UNDER_WAY, refused(5)], [None, (5, OURS)], OURS, id="its first try was under way"),
        pytest.param([UNDER_WAY, STORED], [(3, OTHERS)], None, id="another that was under way came to nothing"),
        pytest.param([refused(0)], [None], b"", id="the revision is of a store that was lost"),
        pytest.param([refused(9)], [(9, b"")], b"", id="what was there was collected"),
    ],
)
async def test_who_has_written_is_known_whatever_is_lost_and_whichever_copy_answers(
    answers: list[Exception | None],
    copies: list[tuple[int, bytes] | None],
    found: bytes | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bus, "BEHIND_SECONDS", 0)
    js = Copies(list(answers), list(copies))

    assert found == await put_against(js, "team.claim.uid.1", OURS, 0)
    assert (js.answers, js.copies) == ([], [])


async def test_what_is_refused_for_another_reason_is_told() -> None:
    with pytest.raises(BadRequestError):
        await put_against(Copies([BadRequestError(code=400, err_code=10054)], []), "key", OURS, 0)
