"""Running other programs; separate so that every failure is told in the same way, with the program's own words."""

import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from e2e.cluster.errors import ClusterError, CommandError

_TAIL_LINES = 25


def run(
    *argv: str | Path,
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    log: Path | None = None,
) -> str:
    """Run a program to its end and return what it printed; `log` also keeps the output of long ones for people."""
    words = [str(word) for word in argv]
    environment = {**os.environ, **(env or {})}
    try:
        done = subprocess.run(
            words, input=stdin, env=environment, cwd=cwd, text=True, check=False, capture_output=True, errors="replace"
        )
    except FileNotFoundError as error:
        raise CommandError(f"{words[0]} is not installed.", f"Install it, or add it to PATH ({error}).") from error
    if log is not None:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(f"$ {shlex.join(words)}\n{done.stdout}{done.stderr}")
    if done.returncode != 0:
        raise _failure(words, done.returncode, done.stdout + done.stderr, log)
    return done.stdout


def succeeds(*argv: str | Path) -> bool:
    """Tell whether a program is there and ends with exit code 0."""
    if shutil.which(str(argv[0])) is None:
        return False
    words = [str(word) for word in argv]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


def need(program: str, hint: str) -> Path:
    """Find a program, or say what brings it."""
    # Debian keeps iptables and friends in sbin, which the PATH of an ordinary user lacks.
    path = shutil.which(program) or shutil.which(program, path="/usr/local/sbin:/usr/sbin:/sbin")
    if path is None:
        raise ClusterError(f"{program} is not installed.", hint)
    return Path(path)


def _failure(words: list[str], code: int, output: str, log: Path | None) -> CommandError:
    tail = "\n".join(output.strip().splitlines()[-_TAIL_LINES:])
    hint = f"{tail}\n(whole output: {log})" if log is not None else tail
    return CommandError(f"`{shlex.join(words[:6])}{' …' if len(words) > 6 else ''}` ended with code {code}.", hint)
