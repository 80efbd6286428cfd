"""mypy --strict and pyright's strict mode take passes.py, and refuse the marked lines of fails.py, no others."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

CODE = Path(__file__).parent
ROOT = CODE.parents[1]
LIMIT = 300


def mypy(file: Path, scratch: Path) -> set[int]:
    """The lines that mypy refuses."""
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", f"--cache-dir={scratch / 'mypy'}", str(file)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=LIMIT, cwd=scratch)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return {int(found[1]) for found in re.finditer(rf"{file.name}:(\d+): error", done.stdout)}


def pyright(file: Path, scratch: Path) -> set[int]:
    """The lines that pyright refuses. The wheel has all of it but Node.js, which is to be on the path."""
    project = scratch / "pyrightconfig.json"
    project.write_text(json.dumps({"include": [], "typeCheckingMode": "strict", "pythonVersion": "3.11"}))
    (scratch / file.name).write_text(file.read_text())
    command = [
        sys.executable,
        "-m",
        "pyright",
        "--outputjson",
        "--project",
        str(project),
        "--pythonpath",
        sys.executable,
    ]
    done = subprocess.run(
        [*command, str(scratch / file.name)], check=False, capture_output=True, text=True, timeout=LIMIT, cwd=scratch
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["summary"]["filesAnalyzed"] == 1, report
    errors = [each for each in report["generalDiagnostics"] if each["severity"] == "error"]
    return {each["range"]["start"]["line"] + 1 for each in errors}


def refused(file: Path) -> set[int]:
    """The lines that say that they are to be refused."""
    return {number for number, line in enumerate(file.read_text().splitlines(), 1) if "# refused:" in line}


@pytest.mark.parametrize("check", [mypy, pyright])
@pytest.mark.parametrize("name", ["passes.py", "fails.py"])
def test_user_code(name: str, check: Callable[[Path, Path], set[int]], tmp_path: Path) -> None:
    file = CODE / name
    assert refused(file) == check(file, tmp_path)


def test_there_is_enough_to_refuse() -> None:
    assert len(refused(CODE / "fails.py")) > 30
