"""Values that are given as KEY=VALUE, and the request that a command's options come to."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer
import yaml

from celeriac._policy import Retry
from celeriac._request import TaskOptions
from celeriac.cli._flags import TaskFlags, parse_duration, parse_start


def split_pair(text: str, what: str) -> tuple[str, str]:
    """The two sides of KEY=VALUE."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise typer.BadParameter(f"{text!r} is not {what}: write KEY=VALUE")
    return key, value


def _once_each(words: Sequence[str], what: str) -> dict[str, str]:
    """The pairs; which of two of the same name is meant, nobody knows."""
    pairs: dict[str, str] = {}
    for key, value in (split_pair(word, what) for word in words):
        if key in pairs:
            raise typer.BadParameter(f"{key} is given twice as {what}: give it once")
        pairs[key] = value
    return pairs


def parse_pairs(words: Sequence[str] | None, what: str) -> dict[str, str] | None:
    """A mapping of strings, None where nothing was given."""
    return _once_each(words, what) if words else None


def parse_params(words: Sequence[str], file: str | None) -> dict[str, Any] | None:
    """Params of a file and of KEY=VALUE words, which go before it; values are JSON where they can be, else strings."""
    params = _read_file(file) if file else {}
    params |= {key: _json_or_text(value) for key, value in _once_each(words, "a parameter").items()}
    return params if params or file else None


def _json_or_text(value: str) -> Any:
    try:
        return json.loads(value, parse_constant=_no_constant)
    except ValueError:
        return value


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _read_file(file: str) -> dict[str, Any]:
    """The object in a JSON or YAML file; ``-`` is stdin."""
    try:
        content = yaml.safe_load(sys.stdin.read() if file == "-" else Path(file).read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise typer.BadParameter(f"the params file cannot be read: {error}") from None
    if not isinstance(content, dict):
        raise typer.BadParameter(f"{file} does not hold an object")
    return content


def options_of(flags: TaskFlags) -> TaskOptions:
    """The keyword arguments of ``submit`` that the flags come to."""
    return TaskOptions(
        queue=flags.queue,
        priority=flags.priority,
        name=flags.name,
        key=flags.key,
        countdown=parse_duration(flags.countdown) if flags.countdown else None,
        start_time=parse_start(flags.start_time) if flags.start_time else None,
        retry=_retry(flags.retry),
        queue_seconds=flags.queue_seconds,
        start_seconds=flags.start_seconds,
        run_seconds=flags.run_seconds,
        total_seconds=flags.total_seconds,
        grace_seconds=flags.grace_seconds,
        ttl_seconds_after_finished=flags.ttl,
        concurrency_key=flags.concurrency_key,
        labels=parse_pairs(flags.label, "a label"),
        suspend=True if flags.suspend else None,
    )


def _retry(attempts: int | None) -> Retry | None:
    if attempts is None:
        return None
    if not 1 <= attempts <= 1000:
        raise typer.BadParameter("--retry takes 1 to 1000 attempts")
    return Retry(max_attempts=attempts)
