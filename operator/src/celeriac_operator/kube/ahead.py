"""The pods that were started ahead of their tasks, by TaskDefinition, those apart that are there only to be read."""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass, field

from celeriac_operator.core.definition import DefinitionKey
from celeriac_operator.core.facts import Key, PodFacts


@dataclass(frozen=True, slots=True)
class _Pod:
    definition: DefinitionKey
    key: Key
    job: Key
    ended: bool


@dataclass(slots=True)
class PodsAhead:
    """Each pod is in one of two places.

    One that has ended stays for its log as long as the Task is kept that ran there: there are as many of these as Tasks
    are kept, and no decision needs them.
    """

    _pods: dict[str, _Pod] = field(default_factory=dict)
    """By their uids."""
    _at_work: dict[DefinitionKey, set[Key]] = field(default_factory=dict)
    """The pods that matter."""
    _read_only: dict[DefinitionKey, set[Key]] = field(default_factory=dict)
    """The Jobs of the others."""

    def put(self, key: Key, pod: PodFacts, *, named: bool) -> None:
        """A pod as it is now.

        Args:
            named: whether a Task says that it ran there.
        """
        self.drop(pod.uid)
        definition, job = DefinitionKey(key.namespace, pod.definition), Key(key.namespace, pod.job_name)
        self._pods[pod.uid] = _Pod(definition, key, job, pod.ended)
        self.name(pod.uid, named=named)

    def name(self, uid: str, *, named: bool) -> None:
        """Whether a Task says that it ran there, now."""
        pod = self._pods.get(uid)
        if pod is None:
            return
        self._take_out(pod)
        if pod.ended and named:
            self._read_only.setdefault(pod.definition, set()).add(pod.job)
        else:
            self._at_work.setdefault(pod.definition, set()).add(pod.key)

    def drop(self, uid: str) -> None:
        """It is gone."""
        pod = self._pods.pop(uid, None)
        if pod is not None:
            self._take_out(pod)

    def _take_out(self, pod: _Pod) -> None:
        for place, what in ((self._at_work, pod.key), (self._read_only, pod.job)):
            found = place.get(pod.definition, set())
            found.discard(what)
            if not found:
                place.pop(pod.definition, None)

    def __contains__(self, uid: str) -> bool:
        return uid in self._pods

    def __iter__(self) -> Iterator[DefinitionKey]:
        """The TaskDefinitions that have pods which matter."""
        return iter(self._at_work)

    def at_work(self, definition: DefinitionKey) -> Set[Key]:
        """The pods that matter: all but those that have ended and are kept for a Task."""
        return self._at_work.get(definition, frozenset())

    def any_of(self, definition: DefinitionKey) -> bool:
        """Whether there is any, whatever became of it."""
        return definition in self._at_work or definition in self._read_only

    def jobs_to_read(self, definition: DefinitionKey) -> Set[Key]:
        """The Jobs of the pods that have ended and are kept for a Task."""
        return self._read_only.get(definition, frozenset())

    def key_of(self, uid: str) -> Key | None:
        """Where the pod is."""
        pod = self._pods.get(uid)
        return pod.key if pod is not None else None

    def definition_of(self, uid: str) -> DefinitionKey | None:
        """The TaskDefinition that the pod was started for."""
        pod = self._pods.get(uid)
        return pod.definition if pod is not None else None
