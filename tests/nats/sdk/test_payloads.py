"""Large params in the object store: put once, and again before the operator could collect them."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest
from tests.support.keeping import keeper
from tests.support.nats_server import NatsServer

from celeriac import _payloads
from celeriac._nats import Nats
from celeriac._nats_options import NatsOptions
from celeriac.api.v1alpha1 import ObjectRef
from celeriac.wire.names import PAYLOADS_BUCKET, params_object

DATA = b"[1]"
DIGEST = f"sha256:{hashlib.sha256(DATA).hexdigest()}"
REF = ObjectRef(bucket=PAYLOADS_BUCKET, key=params_object("media", DIGEST), size=len(DATA), digest=DIGEST)


@pytest.mark.parametrize(
    ("fresh", "puts"),
    [
        pytest.param(timedelta(hours=1), 1, id="params that were put lately are not put again"),
        pytest.param(timedelta(0), 2, id="params that were put long ago are put again"),
    ],
)
async def test_putting_twice(server: NatsServer, monkeypatch: pytest.MonkeyPatch, fresh: timedelta, puts: int) -> None:
    monkeypatch.setattr(_payloads, "FRESH", fresh)
    async with keeper(server) as keeping:
        connection = Nats(NatsOptions(url=server.url))
        store = _payloads.Payloads(connection)
        await store.put(REF, DATA)
        await store.put(REF, DATA)
        assert await store.fetch(REF) == DATA
        await connection.close()
        state = (await keeping.bus.js.stream_info(f"OBJ_{PAYLOADS_BUCKET}")).state
        assert state.last_seq // 2 == puts
