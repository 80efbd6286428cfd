"""Taking times: from just before an object is created until a watch tells that it has ended."""

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from e2e.bench.workload import Subject
from e2e.support.kube import PODS, Kind, Kube
from e2e.support.predicates import gone

PATIENCE_SECONDS = 300
CREATORS = 8
"""Threads that submit a burst; one alone would be what the burst waits for."""


class BenchError(Exception):
    """The measurement cannot go on."""


class Endings:
    """When each object of a kind was first seen to have ended, from one watch in a thread."""

    def __init__(self, kube: Kube, namespace: str, subject: Subject) -> None:
        self._kube, self._namespace, self._subject = kube, namespace, subject
        self._seen: dict[str, float] = {}
        self._trouble: str | None = None
        self._news = threading.Condition()

    def start(self, version: str) -> None:
        """Watch from that version of the collection on."""
        threading.Thread(target=self._follow, args=(version,), daemon=True).start()

    def wait(self, names: Iterable[str]) -> dict[str, float]:
        """The times of these objects, once all of them have ended."""
        wanted = set(names)
        with self._news:
            done = self._news.wait_for(lambda: self._trouble or wanted <= self._seen.keys(), PATIENCE_SECONDS)
            if self._trouble or not done:
                raise BenchError(self._trouble or f"{len(wanted - self._seen.keys())} did not end in time")
            return {name: self._seen[name] for name in wanted}

    def _follow(self, version: str) -> None:
        kind, seconds = self._subject.kind, PATIENCE_SECONDS
        try:
            for _, obj in self._kube.watch(kind, self._namespace, version, seconds=seconds):
                self._take(obj, time.monotonic())
        except Exception as error:  # it would be lost in this thread
            self._tell(f"The watch of {kind.plural} broke: {error!r}")

    def _take(self, obj: dict[str, Any], now: float) -> None:
        succeeded, name = self._subject.ended(obj), obj["metadata"]["name"]
        if succeeded is None:
            return
        if not succeeded:
            self._tell(f"{self._subject.name} {name} failed: {obj['status'].get('message') or obj['status']}")
        with self._news:
            self._seen.setdefault(name, now)
            self._news.notify_all()

    def _tell(self, trouble: str) -> None:
        with self._news:
            self._trouble = self._trouble or trouble
            self._news.notify_all()


def alone(kube: Kube, namespace: str, subject: Subject, name: str) -> float:
    """Seconds from submission to the end, of one object with nothing beside it."""
    return burst(kube, namespace, subject, [name])


def burst(
    kube: Kube, namespace: str, subject: Subject, names: list[str], then: Callable[[], None] = lambda: None
) -> float:
    """Seconds from the first submission to the last end, of objects that are submitted at once.

    then: called while they are all there still.
    """
    endings = Endings(kube, namespace, subject)
    endings.start(newest_version(kube, subject.kind, namespace))
    with tidied(kube, namespace, subject, names):
        began = time.monotonic()
        _create(kube, namespace, subject, names)
        seconds = max(endings.wait(names).values()) - began
        then()
    return seconds


def newest_version(kube: Kube, kind: Kind, namespace: str) -> str:
    """The version that a watch begins at so as to miss nothing that is created from now on."""
    return str(json.loads(kube.text(kind.path(namespace)))["metadata"]["resourceVersion"])


@contextmanager
def tidied(kube: Kube, namespace: str, subject: Subject, names: list[str]) -> Iterator[None]:
    """Afterwards delete the objects and wait for the end of their pods, so that the next sample starts in quiet."""
    yield
    with ThreadPoolExecutor(CREATORS) as pool:
        list(pool.map(lambda name: kube.delete(subject.kind, namespace, name), names))
    wait_for_no_pods(kube, namespace)


def _create(kube: Kube, namespace: str, subject: Subject, names: list[str]) -> None:
    if len(names) == 1:
        kube.create(subject.manifest(names[0]), namespace)
        return
    with ThreadPoolExecutor(CREATORS) as pool:
        list(pool.map(lambda name: kube.create(subject.manifest(name), namespace), names))


def wait_for_no_pods(kube: Kube, namespace: str) -> None:
    """Wait until the last pod of the namespace is gone."""
    left = {pod["metadata"]["name"] for pod in kube.list(PODS, namespace)}
    for name in left:
        kube.wait(PODS, namespace, name, gone())
