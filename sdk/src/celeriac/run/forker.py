"""The process that forks those of a worker's tasks. It has imported what they need, and does nothing else.

After a fork the two share all memory, and what either writes to then is copied first. A worker writes to most of what
it has for each task; to have it fork as well doubles what the task costs there. This process writes to next to nothing.
"""

from __future__ import annotations

import errno
import marshal
import os
import select
import signal
import socket
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from struct import Struct
from typing import Any, NamedTuple, NoReturn

from celeriac.run import container_log
from celeriac.run.environment import read_environment
from celeriac.run.forked import Run, fork

_SIZE = Struct("=I")
_END = Struct("=Iii")
_PIECE = 256 * _END.size
"""A pipe has each as a whole, and so many of them are read at most."""
_ENDED = os.WEXITED | os.WNOHANG | os.WNOWAIT
_PR_SET_CHILD_SUBREAPER = 36


class End(NamedTuple):
    """A process has ended, or did not begin."""

    number: int
    code: int
    """Exit code; of a signal, its number below zero."""
    error: int
    """Why the system did not start it (errno); 0: it did."""


class Forker:
    """The worker's side.

    Args:
        requests: what is written here is carried out, in that order.
        ends: has an ``End`` for each process.
        pid: of the process that forks.
    """

    def __init__(self, requests: socket.socket, ends: int, pid: int) -> None:
        self._requests, self.ends, self.pid = requests, ends, pid

    def fork(self, number: int, env: Mapping[str, str], size: int | None, link: socket.socket, output: int) -> None:
        """Start a process.

        Args:
            number: names it from now on; none has had it before.
            env: variables of the attempt.
            size: bytes of memory that it may take; None: no limit of its own.
            link: its end of a pair of sockets to its worker.
            output: where it writes what the function prints.

        Raises:
            OSError: the other process has ended.
        """
        self._send(("fork", number, dict(env), size), (link.fileno(), output))

    def signal(self, number: int, signum: int, *, group: bool = False) -> None:
        """Send a signal to a process, or to all that it has started; where it has ended, nothing happens."""
        with suppress(OSError):
            self._send(("signal", number, int(signum), group))  # an enum cannot be sent

    def ended(self) -> list[End]:
        """Which have ended since. Raises EOFError: the other process itself has."""
        data = os.read(self.ends, _PIECE)
        if not data:
            raise EOFError
        return [End(*each) for each in _END.iter_unpack(data)]

    def _send(self, request: tuple[Any, ...], descriptors: Sequence[int] = ()) -> None:
        data = marshal.dumps(request)
        socket.send_fds(self._requests, [_SIZE.pack(len(data))], descriptors)
        self._requests.sendall(data)


def start(run: Run) -> Forker:
    """Fork that process from this one, as it is now. Raises OSError."""
    ours, theirs = socket.socketpair()
    reads, writes = os.pipe()
    container_log.flush()  # or both have it
    pid = os.fork()
    if pid == 0:
        ours.close()
        os.close(reads)
        _serve(run, theirs, writes)
    theirs.close()
    os.close(writes)
    os.set_blocking(reads, False)
    return Forker(ours, reads, pid)


def _serve(run: Run, requests: socket.socket, ends: int) -> NoReturn:
    code = 1
    try:
        _Server(run, requests, ends).serve()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


class _Server:
    """That process."""

    def __init__(self, run: Run, requests: socket.socket, ends: int) -> None:
        self._run, self._requests, self._ends = run, requests, ends
        self._pids: dict[int, int] = {}
        """Each leads a process group."""
        self._woken, self._wakes = os.pipe()
        for end in (self._woken, self._wakes):
            os.set_blocking(end, False)

    def serve(self) -> None:
        """Until the worker has gone, and then nothing that it had started is left."""
        _adopt_orphans()
        signal.set_wakeup_fd(self._wakes, warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):  # the last two are the worker's
            signal.signal(number, _pass_over)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])  # or no end is heard of
        ready = select.poll()
        for source in (self._requests.fileno(), self._woken):
            ready.register(source, select.POLLIN)
        with suppress(EOFError, ConnectionError):
            while True:
                for source, _ in ready.poll():
                    if source == self._woken:
                        self._reap()
                    else:
                        self._carry_out()
        for pid in self._pids.values():
            _kill(pid)

    def _carry_out(self) -> None:
        request, descriptors = _receive(self._requests)
        if request[0] == "signal":
            self._signal(*request[1:])
        elif len(descriptors) == 2:
            self._fork(*request[1:], *descriptors)
        else:  # the system drops those that this process may not have any more
            for descriptor in descriptors:
                os.close(descriptor)
            self._tell(End(request[1], 1, errno.EMFILE))

    def _fork(self, number: int, env: dict[str, str], size: int | None, link: int, output: int) -> None:
        try:
            with socket.socket(fileno=link) as theirs:
                self._pids[number] = fork(self._run, env, read_environment(env), size, theirs, output, self._let_go)
        except OSError as error:
            self._tell(End(number, 1, error.errno or errno.EIO))
        finally:
            os.close(output)

    def _tell(self, end: End) -> None:
        os.write(self._ends, _END.pack(*end))

    def _let_go(self) -> None:
        """What is not the forked process's: it would keep the worker from seeing that this one has ended."""
        signal.set_wakeup_fd(-1)
        self._requests.close()
        for descriptor in (self._ends, self._woken, self._wakes):
            os.close(descriptor)

    def _signal(self, number: int, signum: int, group: bool) -> None:
        pid = self._pids.get(number)
        if pid is not None:
            _signal(os.killpg if group else os.kill, pid, signum)

    def _reap(self) -> None:
        with suppress(BlockingIOError):
            os.read(self._woken, 4096)
        for number, pid in list(self._pids.items()):
            if _has_ended(pid):
                _kill(pid)  # its group is there as long as it was not waited for
                code = _wait(pid)
                del self._pids[number]
                self._tell(End(number, code, 0))
        self._reap_orphans()

    def _reap_orphans(self) -> None:
        """Processes that tasks have left, once they end: each would still count as one that the pod has."""
        with suppress(ChildProcessError):  # there are no more
            while (found := os.waitid(os.P_ALL, 0, _ENDED)) is not None and found.si_pid not in self._pids.values():
                os.waitpid(found.si_pid, 0)


def _receive(requests: socket.socket) -> tuple[tuple[Any, ...], list[int]]:
    """The next request. Raises EOFError: there is none any more."""
    head, descriptors, _, _ = socket.recv_fds(requests, _SIZE.size, 2)
    (size,) = _SIZE.unpack(head + _exactly(requests, _SIZE.size - len(head)))
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
    return marshal.loads(_exactly(requests, size)), descriptors  # noqa: S302 -- of our parent, which we are forked from


def _exactly(requests: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        piece = requests.recv(size - len(data))
        if not piece:
            raise EOFError
        data += piece
    return bytes(data)


def _adopt_orphans() -> None:
    """Processes whose parent has ended become this one's: the container's first one has no time for them."""
    with suppress(ImportError, OSError, AttributeError):  # then they stay until the container ends
        import ctypes  # noqa: PLC0415 -- of this process only

        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _has_ended(pid: int) -> bool:
    """Whether it only waits to be waited for."""
    try:
        return os.waitid(os.P_PID, pid, _ENDED) is not None
    except ChildProcessError:  # a thread waits for any, which the module begins again after each fork
        return True


def _wait(pid: int) -> int:
    """Its exit code; of a signal, its number below zero."""
    try:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    except ChildProcessError:
        return 1  # as above: it is not known


def _kill(pid: int) -> None:
    _signal(os.killpg, pid, signal.SIGKILL)


def _signal(send: Callable[[int, int], None], pid: int, signum: int) -> None:
    """Of what has ended, or has become another user's, the other processes take no harm."""
    with suppress(ProcessLookupError, PermissionError):
        send(pid, signum)


def _pass_over(_number: int, _frame: object) -> None:
    """The signal wakes, and no more."""
