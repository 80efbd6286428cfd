"""Python functions as tasks: a census of the source files of a package tree.

`python -m examples.python.run` submits it; `examples/python/README.md` says how the image and the definitions are made.
"""

from __future__ import annotations

import ast
import asyncio
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from celeriac import App, CancelRequested, Context, Retry, SoftDeadlineExceeded

app = App(
    "census",
    image=os.environ.get("CENSUS_IMAGE", "localhost/celeriac-census:dev"),
    routes={"census.*": "census"},
    run_seconds=120,
)

ROOT = Path(os.environ.get("CENSUS_ROOT", "/packages"))


@dataclass(frozen=True)
class Counted:
    """What one file has."""

    path: Path
    lines: int
    functions: int
    classes: int


@dataclass(frozen=True)
class Census:
    """What all files have together."""

    files: int
    lines: int
    functions: int
    classes: int
    largest: Path | None


@app.task
def source_files(root: Path = ROOT, pattern: str = "*.py") -> list[Path]:
    """The source files below a folder of the image."""
    return sorted(path for path in root.rglob(pattern) if path.is_file())


@app.task(retry=Retry(max_attempts=3, retry_for=(OSError,), dont_retry_for=(SyntaxError,)))
def count(path: Path) -> Counted:
    """Count what is in one file. A file that is no Python is not tried again; one that cannot be read is."""
    text = path.read_text()
    nodes = list(ast.walk(ast.parse(text)))
    functions = sum(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for node in nodes)
    return Counted(path, text.count("\n"), functions, sum(isinstance(node, ast.ClassDef) for node in nodes))


@app.task(soft_run_seconds=100)
def count_all(ctx: Context, paths: list[Path]) -> Census:
    """Count many files in one task, and say how far it is; near its deadline it returns what it has."""
    counted: list[Counted] = []
    try:
        for number, path in enumerate(paths, 1):
            counted.append(count(path))  # called, not submitted: it runs here
            ctx.progress(number / len(paths), path.name)
    except SoftDeadlineExceeded:
        print(f"Only {len(counted)} of {len(paths)} files were counted in time")
    except CancelRequested as error:
        print(f"Stopped: {error.reason}")
        raise
    return gather(counted)


@app.task(retry=Retry(max_attempts=4))
async def unsteady(ctx: Context, good_at: int = 3) -> int:
    """Fails until its third attempt."""
    await asyncio.sleep(0.1)
    if ctx.attempt < good_at:
        raise ConnectionError(f"attempt {ctx.attempt} of task {ctx.task} was not lucky")
    return ctx.attempt


def gather(counted: Iterable[Counted]) -> Census:
    """The sum of what was counted; no task, as it takes no time."""
    known = list(counted)
    largest = max(known, key=lambda each: each.lines, default=None)
    return Census(
        files=len(known),
        lines=sum(each.lines for each in known),
        functions=sum(each.functions for each in known),
        classes=sum(each.classes for each in known),
        largest=largest.path if largest else None,
    )
