"""Which tasks a listing is about: options, a query to the API server, and a test for what the query cannot say."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from celeriac._async_client import AsyncClient
from celeriac._task import Task, parse_task
from celeriac._tasks import list_queries
from celeriac._watch import follow
from celeriac._wire import tasks_path
from celeriac.api.v1alpha1 import Phase


@dataclass(frozen=True)
class Selection:
    """The options of a listing."""

    phase: Annotated[Phase | None, typer.Option(help="Tasks in this phase.", case_sensitive=False)] = None
    queue: Annotated[str | None, typer.Option("--queue", "-q", help="Tasks of this queue.")] = None
    definition: Annotated[str | None, typer.Option("--definition", "-d", help="Tasks of this definition.")] = None
    selector: Annotated[str | None, typer.Option("--selector", "-l", help="Label selector, such as a=b,c!=d.")] = None
    all_namespaces: Annotated[bool, typer.Option("--all-namespaces", "-A", help="Of every namespace.")] = False

    def arguments(self) -> dict[str, Any]:
        """The keyword arguments of ``Client.list``."""
        return {
            "phase": self.phase,
            "queue": self.queue,
            "definition": self.definition,
            "labels": self.selector,
            "all_namespaces": self.all_namespaces,
        }

    async def changes(self, client: AsyncClient) -> AsyncGenerator[tuple[Task, bool], None]:
        """The tasks, then each change, with whether it is a deletion. A queue is tested here: a watch is one query."""
        where = None if self.all_namespaces else await client.namespace()
        [query] = list_queries(queue=None, phase=self.phase, definition=self.definition, labels=self.selector)
        async with aclosing(follow(client._api, tasks_path(where), query)) as changes:
            async for change in changes:
                task = parse_task(change.object)
                if self.queue in (None, task.queue):
                    yield task, change.deleted
