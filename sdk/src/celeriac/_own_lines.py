"""Which lines of a pod's log are a task's: of a pod that waited for it, those from the line on that it began with; of a
worker, those that have its tag."""

from __future__ import annotations

import re

from celeriac._task import Task
from celeriac.api.v1alpha1 import Attempt
from celeriac.wire.names import begin_line, line_tag

_WAITED = re.compile(r"-w-[0-9a-f]{10}$")


class OwnLines:
    """Looks at the lines one after the other.

    Args:
        begin: the line that the attempt begins with; it comes twice. None: the whole log is the attempt's.
        tag: what its lines begin with instead, in a pod whose tasks run side by side.
    """

    def __init__(self, begin: str | None, tag: str = "") -> None:
        self._begin, self._tag = begin, tag
        self._begun = begin is None

    @property
    def all(self) -> bool:
        """The whole log is the attempt's."""
        return self._begin is None

    def text_of(self, line: str) -> str | None:
        """What the attempt has printed with that next line; None: it is not the attempt's."""
        if self._begin is not None and line == self._begin:
            self._begun = True
            return None
        if self._tag and line.startswith(self._tag):
            return line.removeprefix(self._tag)
        return line if self._begun else None


def own_lines(task: Task, attempt: Attempt) -> OwnLines:
    """Those of that attempt; the Job of a pod that waited has another name than one that was made for the attempt."""
    if _WAITED.search(attempt.job_name) is None:
        return OwnLines(None)
    return OwnLines(begin_line(task.uid, attempt.number), line_tag(task.uid, attempt.number))
