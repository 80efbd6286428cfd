"""Taking times: from just before an object is created until a watch tells that it has ended."""

import json
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from e2e.bench.workload import Subject
from e2e.support.kube import JOBS, PODS, TASKS, Kind, Kube
from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

PATIENCE_SECONDS = 300
CREATORS = 8
"""Threads that submit a burst; one alone would be what the burst waits for."""


class BenchError(Exception):
    """The measurement cannot go on."""


@dataclass(frozen=True)
class Burst:
    """How objects fared that were submitted at once."""

    seconds: float
    """From the first submission to the last end."""
    unfinished: int
    """How many had not ended when the last was submitted."""


class Endings:
    """When each object of a kind was first seen to have ended, from one watch in a thread."""

    def __init__(
        self,
        kube: Kube,
        namespace: str,
        subject: Subject,
        seconds: float = PATIENCE_SECONDS,
        told: Callable[[int], None] = lambda count: None,
    ) -> None:
        """Args:
        seconds: how long to wait for all of them.
        told: called with how many have ended, in the thread of the watch.
        """
        self.kube, self.namespace, self.subject, self._seconds = kube, namespace, subject, seconds
        self._told = told
        self._seen: dict[str, float] = {}
        self._trouble: str | None = None
        self._news = threading.Condition()

    def start(self, version: str) -> None:
        """Watch from that version of the collection on."""
        threading.Thread(target=self._follow, args=(version,), daemon=True).start()

    @property
    def count(self) -> int:
        """How many have ended."""
        return len(self._seen)

    def wait(self, names: Iterable[str]) -> dict[str, float]:
        """The times of these objects, once all of them have ended."""
        wanted = set(names)
        with self._news:
            done = self._news.wait_for(lambda: self._trouble or wanted <= self._seen.keys(), self._seconds)
            if self._trouble or not done:
                raise BenchError(self._trouble or f"{len(wanted - self._seen.keys())} did not end in time")
            return {name: self._seen[name] for name in wanted}

    def _follow(self, version: str) -> None:
        try:
            for _, obj in self.kube.watch(self.subject.kind, self.namespace, version, seconds=self._seconds):
                self._take(obj, time.monotonic())
        except Exception as error:  # it would be lost in this thread
            self._tell(f"The watch of {self.subject.kind.plural} broke: {error!r}")

    def _take(self, obj: dict[str, Any], now: float) -> None:
        succeeded, name = self.subject.ended(obj), obj["metadata"]["name"]
        if succeeded is None:
            return
        if not succeeded:
            self._tell(f"{self.subject.name} {name} failed: {obj['status'].get('message') or obj['status']}")
        with self._news:
            self._seen.setdefault(name, now)
            self._news.notify_all()
        self._told(self.count)

    def _tell(self, trouble: str) -> None:
        with self._news:
            self._trouble = self._trouble or trouble
            self._news.notify_all()


def alone(kube: Kube, namespace: str, subject: Subject, name: str) -> float:
    """Seconds from submission to the end, of one object with nothing beside it."""
    seconds = burst(Endings(kube, namespace, subject), [name]).seconds
    empty(kube, namespace)
    return seconds


def burst(endings: Endings, names: list[str], then: Callable[[], None] = lambda: None) -> Burst:
    """Submit objects at once and wait for their ends; `empty` deletes them, so that the next sample starts in quiet.

    then: called right after the last end.
    """
    kube, namespace, subject = endings.kube, endings.namespace, endings.subject
    endings.start(newest_version(kube, subject.kind, namespace))
    began = time.monotonic()
    _create(kube, namespace, subject, names)
    unfinished = len(names) - endings.count
    seconds = max(endings.wait(names).values()) - began
    then()
    return Burst(seconds, unfinished)


def newest_version(kube: Kube, kind: Kind, namespace: str) -> str:
    """The version that a watch begins at so as to miss nothing that is created from now on."""
    return str(json.loads(kube.text(kind.path(namespace), {"limit": "1"}))["metadata"]["resourceVersion"])


def empty(kube: Kube, namespace: str) -> None:
    """Delete Tasks, Jobs and pods, and wait until the last is gone; owners first, so that nothing is made again."""
    for kind in (TASKS, JOBS, PODS):
        until(lambda kind=kind: not kube.delete_all(kind, namespace), f"{kind.plural} of {namespace} are left")


def until(ask: Callable[[], bool], complaint: str, seconds: float = PATIENCE_SECONDS, every: float = 0.2) -> None:
    """Ask until the answer is yes.

    Raises:
        BenchError: it was not in time.
    """
    retrying = Retrying(
        retry=retry_if_result(lambda yes: not yes), stop=stop_after_delay(seconds), wait=wait_fixed(every)
    )
    try:
        retrying(ask)
    except RetryError as error:
        raise BenchError(f"{complaint} after {seconds:.0f} s.") from error


def _create(kube: Kube, namespace: str, subject: Subject, names: list[str]) -> None:
    if len(names) == 1:
        kube.create(subject.manifest(names[0]), namespace)
        return
    with ThreadPoolExecutor(CREATORS) as pool:
        list(pool.map(lambda name: kube.create(subject.manifest(name), namespace), names))
