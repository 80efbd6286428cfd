"""The streams: one for each declared TaskQueue, kept after the queue's end.

Everything is compared with what the server lists, so it does not matter what was missed meanwhile.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog
from nats.aio.client import Client
from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig
from nats.js.api import StreamInfo as NatsStreamInfo
from nats.js.errors import APIError, NotFoundError

from celeriac._nats_refusals import NO_RESOURCES
from celeriac.api.v1alpha1 import TaskQueueSpec
from celeriac.wire import names as wire
from celeriac.wire.message import MAX_MESSAGE_BYTES
from celeriac_operator.bus.connection import ANSWER_SECONDS, Bus
from celeriac_operator.bus.room import Bounds
from celeriac_operator.bus.shared import share
from celeriac_operator.core.admission.standing import QueueKey
from celeriac_operator.core.intake.stream import UNKNOWN, StreamState
from celeriac_operator.core.names import NATS_DOWN, STREAM_READY, STREAM_REFUSED
from celeriac_operator.core.text import cut
from celeriac_operator.kube.api import Permit, unfenced
from celeriac_operator.metrics import BACKLOG

log = structlog.get_logger()

DEFAULT_TASKS, DEFAULT_BYTES = 1_000_000, 256 * 1024 * 1024
LETTER_BYTES = 3072
"""The headers of a dead letter at most; the SDK leaves room for more than these."""
EMPTY_SECONDS = 600.0
TROUBLE_SECONDS = 90.0
"""A trouble of a queue that was not met again for so long is over."""
MOST_QUEUES = 500
"""So many queues have a gauge of their own; the fullest come first."""
_NO_STORAGE = (
    ". It reserves its spec.backlog.maxBytes: lower it here or elsewhere, delete TaskQueues that nobody needs (with "
    "'celeriac queues delete NAME --purge'), or give NATS more storage (nats.persistence.size)"
)
_KEPT = ("subjects", "max_msgs", "max_bytes", "max_msg_size")
"""What an existing stream is brought in line with; the rest cannot be changed, or is the administrator's."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A queue's stream as the server has it."""

    created: datetime
    config: StreamConfig
    messages: int
    first: int
    """Sequence of the first message; in an empty one that of the next."""
    last: int
    """Sequence of the last message that there was."""


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """How streams are made and kept."""

    replicas: int = 1
    """Copies of each stream."""
    bounds: Bounds = field(default_factory=Bounds)
    """Of the streams that all queues share."""
    empty_seconds: float = EMPTY_SECONDS
    """The stream of a queue that is gone is removed when it was empty for so long."""


class Streams:
    """The streams of the queues that this replica works on.

    Args:
        declared: the TaskQueues of these namespaces.
        ours: whether this replica works on a namespace.
        changed: is told when what is known of a queue's stream has changed.
        permit: is asked before a stream is removed; see ``fence.py``.
    """

    def __init__(
        self,
        bus: Bus,
        declared: Callable[[], Mapping[QueueKey, TaskQueueSpec]],
        ours: Callable[[str], bool],
        changed: Callable[[QueueKey], object],
        permit: Permit = unfenced,
        settings: StreamSettings | None = None,
    ) -> None:
        self._bus, self._declared, self._ours, self._changed = bus, declared, ours, changed
        self._settings = settings or StreamSettings()
        self._permit = permit
        self._empty: dict[QueueKey, float] = {}
        """Streams of queues that are gone, and since when each was seen empty."""
        self._states: dict[QueueKey, StreamState] = {}
        self._unknown = UNKNOWN
        """What is said of streams that nobody has looked at."""
        self._troubles: dict[QueueKey, dict[str, tuple[str, float]]] = {}
        """Why some messages of a queue cannot go on, by reason, and when that was last met."""
        self.created: dict[QueueKey, datetime] = {}
        """Streams that are there and take messages, and when each was made."""
        self._fill: dict[QueueKey, int] = {}
        """Messages in each queue's stream, in those of queues that are gone, too."""
        self._done: dict[QueueKey, TaskQueueSpec] = {}

    def state(self, queue: QueueKey) -> StreamState | None:
        """What is known of a queue's stream; None where there is no NATS."""
        if not self._bus.enabled:
            return None
        if not self._bus.connected and self._bus.tried:
            known = self._states.get(queue)
            why = f"Messages are not taken in: {self._bus.reason or 'NATS does not answer'}"
            return StreamState(known.backlog if known is not None else None, NATS_DOWN, why)
        state, troubles = self._states.get(queue), self._troubles.get(queue)
        if state is None:
            return self._unknown
        if state.reason != STREAM_READY or not troubles:
            return state
        reason = min(troubles)
        return StreamState(state.backlog, reason, troubles[reason][0])

    def trouble(self, queue: QueueKey, reason: str, message: str | None) -> None:
        """Some messages of the queue cannot go on, and the sentence says why; None: they can."""
        known = self._troubles.setdefault(queue, {})
        before = known.pop(reason, None)
        if message is not None:
            known[reason] = message, time.monotonic()
        if message != (before[0] if before is not None else None):
            self._changed(queue)

    def failed(self, why: str) -> None:
        """NATS is there, and the streams cannot be looked at: this is said of those that nobody has looked at yet."""
        state = StreamState(None, NATS_DOWN, f"Messages are not taken in: {why}")
        if state != self._unknown:
            self._unknown = state
            self.tell_all()

    def outdated(self, queue: QueueKey) -> bool:
        """Whether the queue was declared, changed or deleted since the last look."""
        return self._done.get(queue) != self._declared().get(queue)

    def tell_all(self) -> None:
        """NATS has come or gone: each queue says so."""
        for queue in self._declared():
            self._changed(queue)

    async def share(self) -> None:
        """Make the streams and buckets that all queues share; each replica may."""
        await share(self._bus.js, self._settings.bounds, self._settings.replicas)

    async def messages_wait(self, namespace: str) -> bool:
        """Whether messages wait in a namespace, the delayed ones too; as long as that is not known, they do."""
        if not self._bus.enabled:
            return False
        if not self._bus.connected or any(fill for queue, fill in self._fill.items() if queue.namespace == namespace):
            return True
        ask = {"subjects_filter": f"celeriac.delayed.{namespace}.>"}
        found = await api_request(self._bus.client, f"STREAM.INFO.{wire.DELAYED_STREAM}", ask)
        return bool(found["state"].get("subjects"))

    async def look(self) -> None:
        """List the streams, make or change those of declared queues, and close those of queues that are gone."""
        listed = await list_queue_streams(self._bus.client)
        self._fill = {queue: found.messages for queue, found in listed.items()}
        declared = dict(self._declared())
        for queue, spec in declared.items():
            await self._keep(queue, spec, listed.get(queue))
        gone = {key: listed[key] for key in listed.keys() - declared.keys() if self._ours(key.namespace)}
        for queue, found in gone.items():
            await self._close(queue, found)
        await self._remove_empty(gone)
        for known in (self._states, self.created, self._done, self._troubles):
            for queue in [queue for queue in known if queue not in declared]:
                del known[queue]
        self._unknown = UNKNOWN
        self._forget_troubles()
        self._count()

    async def _keep(self, queue: QueueKey, spec: TaskQueueSpec, found: Listed | None) -> None:
        wanted = queue_stream(queue, spec, self._settings.replicas, self._bus.client.max_payload)
        try:
            if found is None:
                found = _listed(await self._bus.js.add_stream(wanted))
                log.info("stream made", queue=str(queue))
            elif change := _difference(found.config, wanted):
                found = _listed(await self._bus.js.update_stream(found.config.evolve(**change)))
                log.info("stream changed", queue=str(queue), fields=sorted(change))
        except APIError as error:
            why = cut(error.description or str(error), 512)
            backlog = found.messages if found is not None else None
            why += _NO_STORAGE if error.err_code in NO_RESOURCES else ""
            self._say(queue, StreamState(backlog, STREAM_REFUSED, f"NATS refuses the queue's stream: {why}"))
            if found is None or set(found.config.subjects or ()) != set(wanted.subjects or ()):
                self.created.pop(queue, None)
                return
        else:
            self._say(queue, StreamState(found.messages))
            self._done[queue] = spec
        self.created[queue] = found.created

    async def _close(self, queue: QueueKey, found: Listed) -> None:
        """Nobody can publish to it any more, and what it holds stays for a queue of the same name."""
        subjects = [wire.closed_subject(queue.namespace, queue.queue)]
        if found.config.subjects == subjects:
            return
        try:
            await self._bus.js.update_stream(found.config.evolve(subjects=subjects))
        except APIError as error:
            log.warning("stream of a deleted TaskQueue cannot be closed", queue=str(queue), error=str(error))
            return
        log.info("stream closed: its TaskQueue is gone", queue=str(queue), messages=found.messages)

    async def _remove_empty(self, gone: Mapping[QueueKey, Listed]) -> None:
        """What a stream reserves of the storage is given back, once it has been closed and empty for a while."""
        now = time.monotonic()
        since = {queue: self._empty.get(queue, now) for queue, found in gone.items() if not found.messages}
        self._empty = since
        for queue in [queue for queue, first in since.items() if now - first >= self._settings.empty_seconds]:
            try:
                with self._permit(queue.namespace):  # who does not lead may not know that the queue is there again
                    await self._remove(queue)
            except NotFoundError:
                pass  # whoever purges the queue was quicker
            except APIError as error:
                log.warning("an empty stream cannot be removed", queue=str(queue), error=str(error))

    async def _remove(self, queue: QueueKey) -> None:
        """Nothing can have come since it was looked at: it is closed, and only who leads opens it."""
        stream = wire.stream_of(queue.namespace, queue.queue)
        info = await self._bus.js.stream_info(stream)
        if info.state.messages or info.config.subjects != [wire.closed_subject(queue.namespace, queue.queue)]:
            return
        await self._bus.js.delete_stream(stream)
        log.info("empty stream removed: its TaskQueue is gone", queue=str(queue))

    def _forget_troubles(self) -> None:
        long_ago = time.monotonic() - TROUBLE_SECONDS
        for queue, known in self._troubles.items():
            for reason in [reason for reason, (_, met) in known.items() if met < long_ago]:
                self.trouble(queue, reason, None)

    def _say(self, queue: QueueKey, state: StreamState) -> None:
        if self._states.get(queue) != state:
            self._states[queue] = state
            self._changed(queue)

    def _count(self) -> None:
        """Refresh the gauge: a bounded number of series, however many queues there are."""
        fill = {queue: state.backlog or 0 for queue, state in self._states.items()}
        BACKLOG.clear()
        for place, queue in enumerate(sorted(fill, key=lambda queue: (-fill[queue], queue))):
            namespace, name = queue[:2] if place < MOST_QUEUES else ("", "")
            BACKLOG.labels(namespace, name).inc(fill[queue])


def queue_stream(queue: QueueKey, spec: TaskQueueSpec, replicas: int, max_payload: int) -> StreamConfig:
    """A queue's stream: nothing leaves it but by acknowledgement, and what does not fit is refused.

    Args:
        max_payload: what the server takes; a message has to fit as a dead letter, with the headers of that.
    """
    backlog = spec.backlog
    return StreamConfig(
        name=wire.stream_of(queue.namespace, queue.queue),
        subjects=list(wire.submit_subjects(queue.namespace, queue.queue)),
        retention=RetentionPolicy.WORK_QUEUE,
        storage=StorageType.FILE,
        discard=DiscardPolicy.NEW,
        max_age=0,
        max_msgs=most_tasks(spec),
        max_bytes=(backlog.max_bytes if backlog is not None else None) or DEFAULT_BYTES,
        max_msg_size=min(MAX_MESSAGE_BYTES, max(max_payload - LETTER_BYTES, 1)),
        deny_delete=True,
        allow_rollup_hdrs=False,
        num_replicas=replicas,
    )


def most_tasks(spec: TaskQueueSpec) -> int:
    """So many messages of a queue may wait."""
    return (spec.backlog.max_tasks if spec.backlog is not None else None) or DEFAULT_TASKS


async def list_queue_streams(client: Client) -> dict[QueueKey, Listed]:
    """The streams of all queues, declared or not."""
    found: dict[QueueKey, Listed] = {}
    offset = 0
    while True:
        page = await api_request(client, "STREAM.LIST", {"offset": offset})
        streams = page.get("streams") or ()
        for raw in streams:
            owner = wire.queue_of_stream(raw["config"]["name"])
            if owner is not None:
                found[QueueKey(*owner)] = _listed(NatsStreamInfo.from_response(raw))
        offset += len(streams)
        if not streams or offset >= page["total"]:
            return found


async def api_request(client: Client, call: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """A call of JetStream's API that nats-py has no method for, or none with all its fields.

    Raises:
        APIError: it was refused.
    """
    answer = await client.request(f"$JS.API.{call}", json.dumps(body).encode(), timeout=ANSWER_SECONDS)
    found: dict[str, Any] = json.loads(answer.data)
    if "error" in found:
        APIError.from_error(found["error"])
    return found


def _listed(info: NatsStreamInfo) -> Listed:
    state = info.state
    return Listed(info.created, info.config, state.messages, state.first_seq, state.last_seq)  # type: ignore[arg-type]


def _difference(found: StreamConfig, wanted: StreamConfig) -> dict[str, Any]:
    changes = {field: getattr(wanted, field) for field in _KEPT}
    return {field: value for field, value in changes.items() if getattr(found, field) != value}
