"""What tests wait for, by name: `wait(…, phase("Running"))` says in a failure what it waited for."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Obj = dict[str, Any]


@dataclass(frozen=True)
class Predicate:
    """Something that an object, or its absence, can fulfil."""

    text: str
    test: Callable[[Obj | None], Any]

    def holds(self, obj: Obj | None) -> bool:
        """Whether it does."""
        return bool(self.test(obj))


def gone() -> Predicate:
    """It does not exist."""
    return Predicate("gone", lambda obj: obj is None)


def exists() -> Predicate:
    """It exists."""
    return Predicate("there", lambda obj: obj is not None)


def finished() -> Predicate:
    """The Task has one of the four ends."""
    return Predicate("finished", lambda obj: condition(obj, "Finished") == "True")


def phase(*wanted: str) -> Predicate:
    """The Task is in one of these phases."""
    return Predicate(f"in phase {' or '.join(wanted)}", lambda obj: status(obj).get("phase") in wanted)


def reason(wanted: str) -> Predicate:
    """The Task gives this reason."""
    return Predicate(f"of reason {wanted}", lambda obj: status(obj).get("reason") == wanted)


def attempt_runs(number: int) -> Predicate:
    """The container of that attempt runs, says the Task."""
    return Predicate(f"running attempt {number}", lambda obj: _runs(attempts(obj), number))


def attempt_ended(number: int) -> Predicate:
    """That attempt has ended, says the Task."""
    return Predicate(
        f"through with attempt {number}",
        lambda obj: any(each["number"] == number and "finishTime" in each for each in attempts(obj)),
    )


def available() -> Predicate:
    """The Deployment runs its newest generation, all of it and nothing else."""
    return Predicate("available", lambda obj: obj is not None and _available(obj))


def takes_messages(generation: int) -> Predicate:
    """The operator has seen that generation of the TaskQueue, and its stream is there."""

    def holds(obj: Obj | None) -> bool:
        return status(obj).get("observedGeneration") == generation and condition(obj, "StreamReady") == "True"

    return Predicate(f"taking messages at generation {generation}", holds)


def status(obj: Obj | None) -> Obj:
    """The status, or nothing."""
    return dict((obj or {}).get("status") or {})


def attempts(obj: Obj | None) -> list[Obj]:
    """The recorded attempts."""
    return list(status(obj).get("attempts") or [])


def condition(obj: Obj | None, type_: str) -> str | None:
    """The status of a condition."""
    found = (each for each in status(obj).get("conditions") or [] if each["type"] == type_)
    return next((each["status"] for each in found), None)


def described(obj: Obj | None) -> str:
    """What matters of an object, for people who read a failure."""
    if obj is None:
        return "nothing: it does not exist"
    shown = {key: value for key, value in status(obj).items() if key not in ("conditions", "effective")}
    return json.dumps(shown or {"metadata": obj["metadata"].get("name"), "status": None}, ensure_ascii=False)


def _runs(found: list[Obj], number: int) -> bool:
    return any(each["number"] == number and "startTime" in each and "finishTime" not in each for each in found)


def _available(obj: Obj) -> bool:
    spec, now = obj["spec"].get("replicas", 1), status(obj)
    current = now.get("observedGeneration", 0) >= obj["metadata"]["generation"]
    counts = [now.get(field, 0) for field in ("replicas", "updatedReplicas", "availableReplicas")]
    return bool(current and counts == [spec] * 3)
