"""A small disk of a test's own, a file with ext4 in it: its power can be cut, and it can be full. Needs root."""

import errno
import fcntl
import os
import struct
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

_SHUTDOWN = 0x8004587D
"""EXT4_IOC_SHUTDOWN."""
_FLUSH_NOTHING = struct.pack("I", 2)


class Disk:
    """One that is there.

    Args:
        image: the file.
        place: where it is mounted.
    """

    def __init__(self, image: Path, place: Path) -> None:
        self._image, self._place = image, place

    def cut(self) -> None:
        """From now on nothing can be written, and what was not synced is lost, as when the power goes."""
        top = os.open(self._place, os.O_RDONLY)
        try:
            fcntl.ioctl(top, _SHUTDOWN, _FLUSH_NOTHING)
        finally:
            os.close(top)

    def come_back(self) -> None:
        """With what is on it. Nobody may have a file of it open."""
        _run("umount", str(self._place))
        self.mount()

    def mount(self) -> None:
        """Have its files at its place."""
        _run("mount", "-o", "loop", str(self._image), str(self._place))
        self._place.chmod(0o700)

    def fill(self) -> None:
        """Leave no room."""
        with (self._place / "junk").open("wb") as junk:
            try:
                while True:
                    os.write(junk.fileno(), bytes(65_536))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise

    def leave(self, megabytes: int) -> None:
        """No more room than that."""
        of_place = os.statvfs(self._place)
        with (self._place / "junk").open("wb") as junk:
            os.posix_fallocate(junk.fileno(), 0, of_place.f_bavail * of_place.f_frsize - megabytes * 2**20)

    def make_room(self) -> None:
        """Again."""
        (self._place / "junk").unlink()


@contextmanager
def small_disk(image: Path, place: Path, megabytes: int) -> Iterator[Disk]:
    """A new one.

    Raises:
        LookupError: this machine does not let us have it.
    """
    place.mkdir(parents=True)
    found = Disk(image, place)
    try:
        _run("truncate", f"--size={megabytes}M", str(image))
        _run("mkfs.ext4", "-q", "-F", str(image))
        found.mount()
    except (OSError, subprocess.CalledProcessError) as error:
        raise LookupError(f"no disk of its own: {error}") from error
    try:
        yield found
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=False)


@contextmanager
def disk_or_skip(image: Path, place: Path, megabytes: int) -> Iterator[Disk]:
    """The same, and the test is skipped where this machine does not let us have it."""
    with ExitStack() as stack:
        try:
            disk = stack.enter_context(small_disk(image, place, megabytes))
        except LookupError as error:
            pytest.skip(str(error))
        yield disk


def _run(*argv: str) -> None:
    subprocess.run(argv, check=True)
