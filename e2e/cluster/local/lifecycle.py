"""Starting and stopping single daemons, for `up`, `down` and for tests that kill parts of the cluster."""

import signal
from collections.abc import Callable
from pathlib import Path

from e2e.cluster import processes
from e2e.cluster.errors import ClusterError
from e2e.cluster.local import components, health, network
from e2e.cluster.settings import Settings, from_environ
from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

_LOG_LINES = 15


def names(settings: Settings | None = None) -> tuple[str, ...]:
    """The components, in the order in which they start."""
    return tuple(components.all_of(settings or from_environ()))


def kubeconfig(settings: Settings | None = None) -> Path:
    """The admin's kubeconfig of the local cluster."""
    return (settings or from_environ()).layout.kubeconfig


def start(name: str, settings: Settings | None = None) -> int:
    """Start a component unless it runs, and return its pid; `wait_healthy` waits until it can be used."""
    settings = settings or from_environ()
    running = processes.running_pid(pidfile(settings, name))
    if running is not None:
        return running
    component = _find(settings, name)
    argv = (*network.enter(settings), *component.argv)
    return processes.spawn(
        argv, pidfile(settings, name), log_file(settings, name), recipe=component.recipe(), env={"NO_PROXY": "*"}
    )


def stop(name: str, sig: signal.Signals = signal.SIGTERM, settings: Settings | None = None) -> None:
    """Stop a component and wait until it is gone."""
    settings = settings or from_environ()
    _find(settings, name)
    processes.terminate(pidfile(settings, name), sig)


def is_running(name: str, settings: Settings | None = None) -> bool:
    return processes.running_pid(pidfile(settings or from_environ(), name)) is not None


def is_outdated(name: str, settings: Settings) -> bool:
    """Tell whether a component runs that was started with something else than it would be started with now."""
    known = processes.read_pidfile(pidfile(settings, name))
    return known is not None and is_running(name, settings) and known.recipe != _find(settings, name).recipe()


def wait_healthy(name: str, settings: Settings | None = None, timeout_seconds: float = 60) -> None:
    """Wait until a component says it is well; one that died meanwhile is reported with the end of its log."""
    settings = settings or from_environ()
    component = _find(settings, name)

    def ask() -> bool:
        if not is_running(name, settings):
            raise ClusterError(f"{name} ended right after its start.", _log_tail(settings, name))
        return health.is_healthy(settings, component)

    wait_until(ask, f"{name} is not healthy", lambda: _log_tail(settings, name), timeout_seconds)


def wait_until(ask: Callable[[], bool], complaint: str, hint: Callable[[], str], timeout_seconds: float) -> None:
    """Ask until the answer is yes; then, or when time is up, return or complain."""
    retrying = Retrying(retry=retry_if_result(lambda yes: not yes), stop=stop_after_delay(timeout_seconds),
        wait=wait_fixed(0.1))  # fmt: skip
    try:
        retrying(ask)
    except RetryError as error:
        raise ClusterError(f"{complaint} after {timeout_seconds:.0f} s.", hint()) from error


def pidfile(settings: Settings, name: str) -> Path:
    return settings.layout.processes / f"{name}.json"


def log_file(settings: Settings, name: str) -> Path:
    return settings.layout.logs / f"{name}.log"


def _find(settings: Settings, name: str) -> components.Component:
    found = components.all_of(settings)
    if name not in found:
        raise ClusterError(f"There is no component {name}.", f"There are: {', '.join(found)}.")
    return found[name]


def _log_tail(settings: Settings, name: str) -> str:
    path = log_file(settings, name)
    lines = path.read_text(errors="replace").splitlines()[-_LOG_LINES:] if path.exists() else []
    return "\n".join([*lines, f"(whole log: {path})"])
