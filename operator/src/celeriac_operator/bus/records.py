"""What NATS has recorded of the Tasks that have not finished: looked up once, kept by news, written at one place.

Memory is bounded by the Tasks that are worked on: the bucket may hold millions of records of others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol, TypeVar

import structlog

from celeriac.api.v1alpha1.model import ApiModel
from celeriac.wire.names import attempt_key, claim_key, record_key, stop_key
from celeriac.wire.records import AttemptRecord, Author, ClaimRecord, TaskRecord
from celeriac_operator.bus.bucket import Entry
from celeriac_operator.bus.connection import BusDown
from celeriac_operator.core.facts import Key, TaskFacts
from celeriac_operator.core.plan import RevokeClaim, TellRunner
from celeriac_operator.core.records import RETENTION, BusState, Claim, Records
from celeriac_operator.core.task_record import stands

log = structlog.get_logger()

MAX_RECORD_BYTES = 512 * 1024
"""What is larger is no record."""
TRIES = 5
TELL_SECONDS = 1.0
"""How long a stop may wait for its reason to be told."""

M = TypeVar("M", bound=ApiModel)


class RecordStore(Protocol):
    """The bucket; see ``Bucket``."""

    @property
    def enabled(self) -> bool: ...
    @property
    def ready(self) -> bool: ...
    async def get(self, key: str) -> Entry | None: ...
    async def create(self, key: str, value: bytes) -> bool: ...
    async def update(self, key: str, value: bytes, revision: int) -> bool: ...


@dataclass(slots=True)
class _Known:
    """What is known of one Task's records."""

    uid: str
    began: int = 0
    """During which run of news it was looked up; 0: never."""
    task: TaskRecord | None = None
    task_revision: int = 0
    number: int = 0
    """The attempt that the rest is about."""
    attempt_began: int = 0
    attempt: AttemptRecord | None = None
    claim: Claim | None = None
    expected: int = 0
    """The attempt that a waiting pod was told of here."""
    ending: bool = False
    """Its record is written here: news of it are none."""


class RecordBook:
    """The records of the Tasks that are worked on.

    Args:
        changed: is told which Tasks to look at again.
        permit: is asked before each write; see ``fence.py``.
        retention: how long a task's record is kept once it has finished.
    """

    def __init__(
        self,
        store: RecordStore,
        changed: Callable[[Iterable[Key]], None],
        permit: Callable[[str], AbstractContextManager[float]],
        retention: timedelta = RETENTION,
    ) -> None:
        self._store, self._changed, self._permit, self.retention = store, changed, permit, retention
        self._known: dict[Key, _Known] = {}
        self._keys: dict[str, Key] = {}
        self._made: dict[Key, str] = {}
        """Tasks that this process made, and of which no pod was told here or by another, with their uids."""
        self._sought: dict[Key, asyncio.Task[Entry | None]] = {}
        """What is asked for ahead: the records of the names of Tasks that are being made."""
        self._run = 1

    # --- what is known ---

    async def about(self, task: TaskFacts, attempt: int | None, *, runner: bool, claim: bool = False) -> Records:
        """What NATS says of a Task.

        Args:
            attempt: the attempt under way.
            runner: whether its attempts have records.
            claim: whether a waiting pod was told of it, or may have been.

        Raises:
            BusDown: NATS has stopped answering just now.
        """
        if task.finished or not self._store.enabled:
            self.forget(task.key)
            return Records(self.bus, retention=self.retention)
        if task.submission is None and not (runner and attempt is not None):
            return Records(self.bus, claim=self._claim(task, None), retention=self.retention)
        known = self._of(task)
        if self._store.ready:
            await self._look_up(task, known, attempt if runner else None, claim=claim)
        return Records(
            self.bus,
            looked_up=known.began == self._run,
            task=known.task,
            attempt=known.attempt if known.number == attempt else None,
            claim=self._claim(task, attempt),
            made_here=self.made_here(task),
            retention=self.retention,
        )

    def _claim(self, task: TaskFacts, attempt: int | None) -> Claim | None:
        """Of the attempt under way; or of the next, which may have been taken back from a pod."""
        number = attempt if attempt is not None else (task.status.attempt_count or 0) + 1
        known = self._known.get(task.key)
        return known.claim if known is not None and (known.uid, known.number) == (task.uid, number) else None

    @property
    def bus(self) -> BusState:
        """Whether records can be read and written now."""
        return "Off" if not self._store.enabled else "Up" if self._store.ready else "Down"

    def _of(self, task: TaskFacts) -> _Known:
        known = self._known.get(task.key)
        if known is None or known.uid != task.uid:
            self._drop(task.key)
            known = self._known[task.key] = _Known(task.uid)
            self._keys[task.uid] = task.key
        return known

    async def _look_up(self, task: TaskFacts, known: _Known, attempt: int | None, *, claim: bool) -> None:
        """Ask for what was not asked for since news come; what has changed meanwhile is newer than the answer."""
        run = self._run
        if task.submission is not None and known.began != run:
            before, sought = known.task_revision, self._sought.pop(task.key, None)
            entry = await (sought if sought is not None else self._store.get(record_key(*task.key)))
            if known.task_revision == before:
                known.task, known.task_revision = _read(TaskRecord, entry), entry.revision if entry is not None else 0
            known.began = run
        if attempt is None or (known.number == attempt and known.attempt_began == run):
            return
        if known.number != attempt:
            known.number, known.attempt, known.claim, known.attempt_began = attempt, None, None, 0
        if known.claim is not None and known.claim.revoked:
            known.claim = None  # a store that was put back has another revision of it, or none
        entry = await self._store.get(attempt_key(task.key.namespace, task.uid, attempt))
        if claim:
            _take_claim(known, await self._store.get(claim_key(task.key.namespace, task.uid, attempt)))
        known.attempt, known.attempt_began = known.attempt or _read(AttemptRecord, entry), run

    def expect(self, task: TaskFacts, attempt: int, claim: Claim | None) -> None:
        """An attempt is given to a pod that waits: news of it come soon, and until now there is no more than this."""
        self._made.pop(task.key, None)
        known = self._of(task)
        known.expected = attempt
        if known.number != attempt:
            known.number, known.attempt, known.claim = attempt, None, claim
            known.attempt_began = self._run if self._store.ready else 0

    @contextmanager
    def seeking(self, key: Key) -> Iterator[None]:
        """Ask for the record of a name while its Task is made: who looks at the Task first has it at once.

        News of the record, and a connection that was broken, make the answer old.
        """
        self._stop_seeking(key)
        if self._store.ready:
            self._sought[key] = sought = asyncio.create_task(self._store.get(record_key(*key)))
            sought.add_done_callback(lambda done: done.cancelled() or done.exception())  # whoever awaits it hears, too
        try:
            yield
        except BaseException:
            self._stop_seeking(key)
            raise

    def _stop_seeking(self, key: Key) -> None:
        sought = self._sought.pop(key, None)
        if sought is not None:
            sought.cancel()

    def made(self, key: Key, uid: str) -> None:
        """This process has just made the Task."""
        self._made[key] = uid

    def made_here(self, task: TaskFacts) -> bool:
        """Whether this process made the Task, and nobody has told a pod of it since."""
        return self._made.get(task.key) == task.uid

    def take_up(self, ours: Callable[[str], bool]) -> None:
        """Other replicas may have worked on these namespaces until now."""
        self._made = {key: uid for key, uid in self._made.items() if not ours(key.namespace)}

    def forget(self, key: Key) -> None:
        """The Task is gone, or has finished."""
        self._made.pop(key, None)
        self._stop_seeking(key)
        self._drop(key)

    def _drop(self, key: Key) -> None:
        known = self._known.pop(key, None)
        if known is not None:
            self._keys.pop(known.uid, None)

    @property
    def size(self) -> int:
        """Tasks whose records are kept in memory."""
        return len(self._known)

    # --- news ---

    def begin(self) -> None:
        """News come from now on: whatever was known may be old."""
        self._run += 1
        for key in list(self._sought):
            self._stop_seeking(key)
        self._changed(list(self._known))

    def told(self, name: str, entry: Entry) -> None:
        """A record has changed. Most are of Tasks that have finished, or of other replicas' Tasks."""
        parts = name.split(".")
        if len(parts) == 2:
            key = Key(parts[0], parts[1])
            self._stop_seeking(key)
            known = self._known.get(key)
            if known is not None and entry.revision > known.task_revision:
                known.task, known.task_revision = _read(TaskRecord, entry), entry.revision
                if not known.ending:
                    self._changed([key])
        elif len(parts) == 3 and (found := self._key_of(parts[0], parts[1])) is not None:
            self._took_attempt(found, parts[2], entry)
        elif len(parts) == 4 and parts[1] == "claim" and (found := self._key_of(parts[0], parts[2])) is not None:
            self._took_claim(found, parts[3], entry)

    def _key_of(self, namespace: str, uid: str) -> Key | None:
        """The Task, if it is of that namespace: whoever writes there may know the uids of others'."""
        key = self._keys.get(uid)
        return key if key is not None and key.namespace == namespace else None

    def _took_attempt(self, key: Key, number: str, entry: Entry) -> None:
        """One that is not looked up yet will be, with its Job: it is only said that there is something to see."""
        known = self._known[key]
        if number == str(known.number):
            known.attempt = _read(AttemptRecord, entry)
        self._changed([key])

    def _took_claim(self, key: Key, number: str, entry: Entry) -> None:
        """No reason to look at the Task, where that goes on as it is expected to."""
        known = self._known[key]
        if number == str(known.number):
            _take_claim(known, entry)
            if known.number != known.expected:
                self._changed([key])

    # --- writes ---

    async def decide(self, task: TaskFacts, record: AttemptRecord) -> bool:
        """Create an attempt's record; False where somebody else has decided, which is known from now on.

        Raises:
            BusDown: NATS does not answer, or has another's record that it cannot tell of yet; whether the record was
                created is not known.
            NotLeading: another replica works on the namespace.
        """
        name = attempt_key(task.key.namespace, task.uid, record.attempt)
        with self._permit(task.key.namespace):
            created = await self._store.create(name, record.to_json())
        entry = None if created else await self._store.get(name)
        if not created and entry is None:
            raise BusDown(f"the record {name} is being written by another")
        found = record if created else _read(AttemptRecord, entry)
        known = self._of(task)
        if known.number != record.attempt:
            known.claim = None
        known.number, known.attempt_began, known.attempt = record.attempt, self._run, found
        return created or found is None

    async def revoke(self, task: TaskFacts, revocation: RevokeClaim) -> None:
        """Write that a pod never runs the attempt, unless it has claimed it; which of both is known from now on.

        Raises:
            BusDown: NATS does not answer; whether it was written is not known.
            NotLeading: another replica works on the namespace.
        """
        name = claim_key(task.key.namespace, task.uid, revocation.attempt)
        record = ClaimRecord(
            author=Author.OPERATOR,
            task_uid=task.uid,
            attempt=revocation.attempt,
            pod_uid=revocation.pod_uid,
            time=revocation.time,
        )
        with self._permit(task.key.namespace):
            if revocation.expect == 0:
                written = await self._store.create(name, record.to_json())
            else:
                written = await self._store.update(name, record.to_json(), revocation.expect)
        known = self._of(task)
        _take_claim(known, await self._store.get(name))
        if not written:
            known.attempt_began = 0  # a claim that was not heard of: its end may not have been, either

    async def finish(self, task: TaskFacts, record: TaskRecord) -> bool:
        """Write a task's record, in the place of one that does not stand; False where one stands, known from now on.

        Raises:
            BusDown: NATS does not answer; whether the record was written is not known.
            NotLeading: another replica works on the namespace.
        """
        known = self._known.get(task.key) or _Known(task.uid)
        known.ending, finished = True, False
        try:
            finished = await self._finished(task, record)
            return finished
        finally:
            known.ending = finished

    async def _finished(self, task: TaskFacts, record: TaskRecord) -> bool:
        name, value = record_key(*task.key), record.to_json()
        for _try in range(TRIES):
            with self._permit(task.key.namespace):
                if await self._store.create(name, value):
                    return True
                entry = await self._store.get(name)
                found = _read(TaskRecord, entry)
                if entry is not None and found is not None and stands(found, task):
                    return self._stands(task, found, entry)
                if entry is not None and await self._store.update(name, value, entry.revision):
                    return True
        raise BusDown(f"the record {name} changes all the time")

    async def tell(self, task: TaskFacts, told: TellRunner) -> None:
        """Leave a word for an attempt's runner; where that takes too long it is stopped without.

        Raises:
            NotLeading: another replica works on the namespace.
        """
        name = stop_key(task.key.namespace, task.uid, told.attempt)
        with self._permit(task.key.namespace), suppress(BusDown, TimeoutError):
            async with asyncio.timeout(TELL_SECONDS):
                await self._store.create(name, told.notice.to_json())

    def _stands(self, task: TaskFacts, found: TaskRecord, entry: Entry) -> bool:
        if task.finished:
            return True
        known = self._of(task)
        known.task, known.task_revision, known.began = found, entry.revision, self._run
        return False


def _read(model: type[M], entry: Entry | None) -> M | None:
    """The record; None where there is none, or what is there is none: others may write, too."""
    if entry is None or entry.value is None:
        return None
    try:
        if len(entry.value) > MAX_RECORD_BYTES:
            raise ValueError(f"{len(entry.value)} bytes")
        return model.model_validate_json(entry.value)
    except (ValueError, RecursionError) as error:
        log.warning("a record cannot be read", kind=model.__name__, revision=entry.revision, error=type(error).__name__)
        return None


def _take_claim(known: _Known, entry: Entry | None) -> None:
    """The last word on a claim. What cannot be read is nobody's claim, and has a revision all the same."""
    if entry is None or (known.claim is not None and known.claim.revision >= entry.revision):
        return
    found = _read(ClaimRecord, entry)
    if found is None:
        known.claim = Claim("", True, datetime.max.replace(tzinfo=UTC), entry.revision)
    else:
        known.claim = Claim(found.pod_uid, found.author is Author.OPERATOR, found.time, entry.revision)
