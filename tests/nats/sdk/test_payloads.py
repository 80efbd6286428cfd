"""Params and results that are too large for a message or a status."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta

import pytest
from tests.support.nats_operator import FakeOperator

from celeriac import AsyncClient, _objects, errors
from celeriac.api.v1alpha1 import Result, ResultRef
from celeriac.wire.names import PAYLOADS_BUCKET, PAYLOADS_STREAM, params_object, result_object

LARGE = {"b": "ü" * 60_000, "a": [1, None]}


def ref_of(key: str, data: bytes, **other: object) -> ResultRef:
    found = f"sha256:{hashlib.sha256(data).hexdigest()}"
    return ResultRef(**({"bucket": PAYLOADS_BUCKET, "key": key, "size": len(data), "digest": found} | other))


async def test_large_params_go_by_reference(client: AsyncClient, operator: FakeOperator) -> None:
    await client.submit(definition="d", params=LARGE)
    [message] = await operator.take()

    data = json.dumps(LARGE, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    found = f"sha256:{hashlib.sha256(data).hexdigest()}"
    key = params_object(operator.namespace, found)
    expected = {"bucket": PAYLOADS_BUCKET, "key": key, "size": len(data), "digest": found}
    assert {"definitionName": "d", "paramsRef": expected} == message.spec
    assert data == await operator.stored(key)


@pytest.mark.parametrize(("size", "by_reference"), [(32 * 1024, False), (32 * 1024 + 1, True)])
async def test_params_of_32_kib_go_in_the_message(
    client: AsyncClient, operator: FakeOperator, size: int, by_reference: bool
) -> None:
    await client.submit(definition="d", params={"a": "x" * (size - len('{"a":""}'))})
    [message] = await operator.take()

    assert by_reference == ("paramsRef" in message.spec) == ("params" not in message.spec)


async def test_the_same_large_params_are_stored_once(client: AsyncClient, operator: FakeOperator) -> None:
    done = await client.submit_many([{"definition": "d", "params": LARGE}] * 5)
    mine = f"$O.{PAYLOADS_BUCKET}.C.{operator.namespace}.*.0"
    state = (await operator.js.stream_info(PAYLOADS_STREAM, subjects_filter=mine)).state

    assert (True, 1) == (all(one.ok for one in done), len(state.subjects or ()))


async def test_large_params_that_are_old_are_stored_anew(
    client: AsyncClient, operator: FakeOperator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They may be about to be collected."""
    [one] = await client.submit_many([{"definition": "d", "params": LARGE}])
    [message] = await operator.take()
    before = await _objects.describe(operator.js, message.spec["paramsRef"]["key"])
    monkeypatch.setattr("celeriac._payloads.YOUNG", timedelta(0))
    await client.submit(definition="d", params=LARGE)
    after = await _objects.describe(operator.js, message.spec["paramsRef"]["key"])

    assert one.ok
    assert (before.digest, before.size) == (after.digest, after.size)
    assert before.nuid != after.nuid


async def test_params_over_16_mib_are_refused(client: AsyncClient, operator: FakeOperator) -> None:
    with pytest.raises(errors.InvalidParams, match="16,777,216 are allowed"):
        await client.submit(definition="d", params={"a": "x" * 16 * 1024 * 1024})

    assert await operator.held() == 0


@pytest.mark.parametrize("size", [10, 1_000_000], ids=["one chunk", "many chunks"])
async def test_a_large_result_is_fetched(client: AsyncClient, operator: FakeOperator, size: int) -> None:
    handle = await client.submit(definition="d")
    value = ["x" * size]
    key, data = result_object(operator.namespace, "uid", 1), json.dumps(value).encode()
    await operator.store(key, data)
    await operator.finish(handle.name, result=Result(ref=ref_of(key, data)))

    assert value == await handle.get(30) == await client.result(handle.name)
    assert (await handle.wait()).status.result == Result(ref=ref_of(key, data))


@pytest.mark.parametrize(
    ("stored", "other", "said"),
    [
        (b'["y"]', {}, "its digest is another"),
        (b'["xxxx"]', {}, "8 bytes instead of 5"),
        (None, {}, "not there any more"),
        (b'["x"]', {"bucket": "elsewhere"}, "elsewhere, which are not fetched"),
        (b'["x"]', {"size": 1 << 40}, "not fetched"),
    ],
    ids=["other content", "another size", "nothing", "another bucket", "too much"],
)
async def test_a_result_that_is_not_what_the_record_says_is_no_result(
    client: AsyncClient, operator: FakeOperator, stored: bytes | None, other: dict[str, object], said: str
) -> None:
    handle = await client.submit(definition="d")
    key = result_object(operator.namespace, handle.name, 1)
    if stored is not None:
        await operator.store(key, stored)
    await operator.finish(handle.name, result=Result(ref=ref_of(key, b'["x"]', **other)))

    with pytest.raises(errors.ResultInvalid, match=said) as caught:
        await handle.get(30)
    assert caught.value.task.succeeded
