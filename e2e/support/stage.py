"""NATS, an operator and the ways between them and the cluster, all of them to be killed and cut at will."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from e2e.support.audit import Audit, audit
from e2e.support.kube import Kube
from e2e.support.manifests import queue
from e2e.support.messages import Mailbox
from e2e.support.namespaces import Namespace
from e2e.support.nats_proxy import NatsProxy, nats_proxy
from e2e.support.operator import LocalOperator, local_operator
from e2e.support.predicates import status
from e2e.support.proxy import ApiProxy, api_proxy
from tests.support.nats_server import NatsServer, nats_server


@dataclass
class Stage:
    """All that a test plays with."""

    namespace: Namespace
    server: NatsServer
    operator: LocalOperator
    mailbox: Mailbox
    book: Audit
    api: ApiProxy
    bus: NatsProxy

    def restart_nats(self) -> None:
        """SIGKILL, and a new server on what is on the disk."""
        self.server.kill()
        self.server.start()

    def wait_finished(self, *tasks: str) -> list[str]:
        """Wait for the end of each; the phases."""
        return [status(self.namespace.wait(name))["phase"] for name in tasks]


@contextmanager
def on_stage(kube: Kube, namespace: Namespace, directory: Path) -> Iterator[Stage]:
    """A server, an operator that reaches it and the API server by proxies, and a queue that has its stream."""
    with ExitStack() as stack:
        book = stack.enter_context(audit(namespace))
        server = stack.enter_context(nats_server(directory))
        bus = stack.enter_context(nats_proxy(server.port))
        api = stack.enter_context(api_proxy(kube.kubeconfig))
        namespace.apply(queue("default"))
        operator = stack.enter_context(
            local_operator(api.kubeconfig(directory), namespace.name, CELERIAC_NATS_URL=bus.url)
        )
        yield Stage(namespace, server, operator, Mailbox(server.url, namespace), book, api, bus)
