"""Which lines of a pod's log are a task's: of a pod that waited for it, those from the line on that it began with."""

from __future__ import annotations

import re

from celeriac._task import Task
from celeriac.api.v1alpha1 import Attempt
from celeriac.wire.names import begin_line

_WAITED = re.compile(r"-w-[0-9a-f]{10}$")


class OwnLines:
    """Looks at the lines one after the other.

    Args:
        begin: the line that the attempt begins with; it comes twice. None: the whole log is the attempt's.
    """

    def __init__(self, begin: str | None) -> None:
        self._begin = begin
        self._begun = begin is None

    @property
    def all(self) -> bool:
        """The whole log is the attempt's."""
        return self._begin is None

    def is_one(self, line: str) -> bool:
        """Whether that next line is the attempt's."""
        if self._begin is not None and line == self._begin:
            self._begun = True
            return False
        return self._begun


def own_lines(task: Task, attempt: Attempt) -> OwnLines:
    """Those of that attempt; the Job of a pod that waited has another name than one that was made for the attempt."""
    waited = _WAITED.search(attempt.job_name) is not None
    return OwnLines(begin_line(task.uid, attempt.number) if waited else None)
