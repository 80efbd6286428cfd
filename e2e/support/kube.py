"""A thin client: plain dicts in and out, and waiting by watch; what fails is told with what was last seen.

Apart from the operator's client on purpose: a test must not see the cluster through the code under test.
"""

import copy
import http.client
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode

import urllib3
from e2e.support.predicates import Predicate, described
from kubernetes import client, config
from tenacity import retry, retry_if_exception, stop_after_delay, wait_fixed

Obj = dict[str, Any]

FIELD_MANAGER = "celeriac-e2e"
PATIENCE_SECONDS = 180.0
"""Generous: a test that waits so long has failed for a reason, not for a slow machine."""
_NOT_YET = "storage is (re)initializing"
"""What an API server says of custom resources for a moment after its start, or after their definition has changed."""
_TROUBLE = (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError)


@dataclass(frozen=True)
class Kind:
    """A kind's place in the API."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool = True

    def path(self, namespace: str | None, *parts: str) -> str:
        """The path of the collection, an object or its subresource."""
        root = "/api" if self.api_version == "v1" else "/apis"
        scope = f"/namespaces/{namespace}" if namespace and self.namespaced else ""
        return "/".join([f"{root}/{self.api_version}{scope}/{self.plural}", *parts])


TASKS = Kind("celeriac.dev/v1alpha1", "Task", "tasks")
DEFINITIONS = Kind("celeriac.dev/v1alpha1", "TaskDefinition", "taskdefinitions")
QUEUES = Kind("celeriac.dev/v1alpha1", "TaskQueue", "taskqueues")
CRONS = Kind("celeriac.dev/v1alpha1", "CronTask", "crontasks")
JOBS = Kind("batch/v1", "Job", "jobs")
PODS = Kind("v1", "Pod", "pods")
EVENTS = Kind("v1", "Event", "events")
SECRETS = Kind("v1", "Secret", "secrets")
CONFIG_MAPS = Kind("v1", "ConfigMap", "configmaps")
QUOTAS = Kind("v1", "ResourceQuota", "resourcequotas")
CLAIMS = Kind("v1", "PersistentVolumeClaim", "persistentvolumeclaims")
VOLUMES = Kind("v1", "PersistentVolume", "persistentvolumes", namespaced=False)
NODES = Kind("v1", "Node", "nodes", namespaced=False)
NAMESPACES = Kind("v1", "Namespace", "namespaces", namespaced=False)
SERVICE_ACCOUNTS = Kind("v1", "ServiceAccount", "serviceaccounts")
DEPLOYMENTS = Kind("apps/v1", "Deployment", "deployments")
STATEFUL_SETS = Kind("apps/v1", "StatefulSet", "statefulsets")
SERVICES = Kind("v1", "Service", "services")
LEASES = Kind("coordination.k8s.io/v1", "Lease", "leases")
REVISIONS = Kind("apps/v1", "ControllerRevision", "controllerrevisions")
ROLES = Kind("rbac.authorization.k8s.io/v1", "Role", "roles")
ROLE_BINDINGS = Kind("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings")
CLUSTER_ROLES = Kind("rbac.authorization.k8s.io/v1", "ClusterRole", "clusterroles", namespaced=False)
CLUSTER_ROLE_BINDINGS = Kind(
    "rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "clusterrolebindings", namespaced=False
)
NETWORK_POLICIES = Kind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies")
POLICIES = Kind(
    "admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy", "validatingadmissionpolicies", namespaced=False
)
POLICY_BINDINGS = Kind(
    POLICIES.api_version, f"{POLICIES.kind}Binding", "validatingadmissionpolicybindings", namespaced=False
)
CRDS = Kind("apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False)

KINDS = {
    (each.api_version, each.kind): each
    for each in (
        *(TASKS, DEFINITIONS, QUEUES, CRONS, JOBS, PODS, EVENTS, SECRETS, CONFIG_MAPS, QUOTAS, CLAIMS, VOLUMES),
        *(NAMESPACES, NODES, DEPLOYMENTS, REVISIONS, CRDS, SERVICE_ACCOUNTS, ROLES, ROLE_BINDINGS),
        *(POLICIES, POLICY_BINDINGS, NETWORK_POLICIES),
    )
}


class Refused(Exception):  # noqa: N818  it is an answer, and most tests want it
    """The API server said no."""

    def __init__(self, status: int, body: str) -> None:
        try:
            self.message = str(json.loads(body).get("message", body))
        except ValueError:
            self.message = body
        self.status = status
        super().__init__(f"{status}: {self.message}")


class Kube:
    """A connection to the API server as the admin."""

    def __init__(self, kubeconfig: Path, *, connections: int = 4) -> None:
        self.kubeconfig = kubeconfig
        self._configuration = client.Configuration()
        config.load_kube_config(str(kubeconfig), client_configuration=self._configuration)
        self._configuration.retries = urllib3.Retry(0)
        self._configuration.connection_pool_maxsize = connections
        self._api = client.ApiClient(self._configuration)
        self._pool: urllib3.PoolManager = self._api.rest_client.pool_manager
        self._user: str | None = None

    def acting_as(self, user: str) -> "Kube":
        """The same connection, on which the admin acts as somebody else."""
        other = copy.copy(self)
        other._user = user
        return other

    def close(self) -> None:
        """Close the connections: of a pool that is only forgotten the garbage collector does, and complains."""
        for key in self._pool.pools.keys():  # noqa: SIM118  it is no mapping to iterate
            self._pool.pools[key].close()
        self._pool.clear()

    def get(self, kind: Kind, namespace: str | None, name: str) -> Obj | None:
        """The object, or None where there is none."""
        try:
            return self._call("GET", kind.path(namespace, name))
        except Refused as error:
            if error.status == 404:
                return None
            raise

    def list(self, kind: Kind, namespace: str | None, *, labels: str = "", fields: str = "") -> list[Obj]:
        """All objects of a kind."""
        query = {"labelSelector": labels, "fieldSelector": fields}
        return list(self._call("GET", kind.path(namespace), query)["items"])

    def create(
        self, manifest: Obj, namespace: str | None = None, *, dry_run: bool = False, validation: str = "Strict"
    ) -> Obj:
        """Create an object; unknown fields are refused, unless told otherwise."""
        query = {"fieldValidation": validation, "fieldManager": FIELD_MANAGER, "dryRun": "All" if dry_run else ""}
        return self._call("POST", kind_of(manifest).path(namespace), query, manifest)

    def apply(self, manifest: Obj, namespace: str | None = None) -> Obj:
        """Server-side apply."""
        query = {"fieldManager": FIELD_MANAGER, "force": "true"}
        path = kind_of(manifest).path(namespace, manifest["metadata"]["name"])
        return self._call("PATCH", path, query, manifest, "application/apply-patch+yaml")

    def patch(self, kind: Kind, namespace: str | None, name: str, patch: Obj, *, subresource: str = "") -> Obj:
        """Merge patch."""
        path = kind.path(namespace, name, *([subresource] if subresource else []))
        query = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"}
        return self._call("PATCH", path, query, patch, "application/merge-patch+json")

    def replace_status(self, kind: Kind, namespace: str, obj: Obj) -> Obj:
        """Replace an object's status as a whole."""
        return self._call("PUT", kind.path(namespace, obj["metadata"]["name"], "status"), body=obj)

    def delete(
        self,
        kind: Kind,
        namespace: str | None,
        name: str,
        *,
        grace_seconds: int | None = None,
        propagation: str = "Background",
    ) -> None:
        """Delete, in the background unless told otherwise; it is fine if it is gone."""
        options: Obj = {"propagationPolicy": propagation}
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = grace_seconds
        try:
            self._call("DELETE", kind.path(namespace, name), body=options)
        except Refused as error:
            if error.status != 404:
                raise

    def delete_all(self, kind: Kind, namespace: str | None, *, labels: str = "", limit: int = 500) -> bool:
        """Delete some of a collection, in the background.

        Args:
            limit: at most so many, since one call has a minute.

        Returns:
            whether any are left, on their way out or not.
        """
        query = {"labelSelector": labels, "limit": str(limit)}
        self._call("DELETE", kind.path(namespace), query, {"propagationPolicy": "Background"})
        return self.any(kind, namespace, labels=labels)

    def any(self, kind: Kind, namespace: str | None, *, labels: str = "", fields: str = "") -> bool:
        """Whether there is an object of that kind; costs the same however many there are."""
        query = {"labelSelector": labels, "fieldSelector": fields, "limit": "1"}
        return bool(self._call("GET", kind.path(namespace), query)["items"])

    def token(self, namespace: str, service_account: str, *, seconds: int = 7200, bound_to: Obj | None = None) -> str:
        """A token of a service account; it goes with the object that it is bound to."""
        asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest"}
        path = SERVICE_ACCOUNTS.path(namespace, service_account, "token")
        answer = self._call("POST", path, body={**asked, "spec": {"expirationSeconds": seconds, **_bound(bound_to)}})
        return str(answer["status"]["token"])

    def bind(self, namespace: str, pod: str, node: str) -> None:
        """Say which node a pod is for, as the scheduler does."""
        target = {"apiVersion": "v1", "kind": "Node", "name": node}
        binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": pod}, "target": target}
        self._call("POST", PODS.path(namespace, pod, "binding"), body=binding)

    def evict(self, namespace: str, pod: str) -> None:
        """Ask for a pod's eviction, as a drain does."""
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": namespace}}
        self._call("POST", PODS.path(namespace, pod, "eviction"), body=eviction)

    def text(self, path: str, query: Mapping[str, str] | None = None) -> str:
        """What a GET of a path answers: logs, and what the API server passes on from pods and services."""
        response = self._request("GET", path, query or {})
        body = response.data.decode(errors="replace")
        if response.status >= 400:
            raise Refused(response.status, body)
        return body

    def log(self, namespace: str, pod: str, *, tail_lines: int = 100, previous: bool = False) -> str:
        """The end of a pod's log."""
        query = {"tailLines": str(tail_lines), "previous": "true" if previous else ""}
        return self.text(PODS.path(namespace, pod, "log"), query)

    def wait(
        self,
        kind: Kind,
        namespace: str | None,
        name: str,
        predicate: Predicate,
        *,
        timeout: float = PATIENCE_SECONDS,
    ) -> Obj:
        """Wait until the predicate holds of the object; it is None for the predicate while it does not exist.

        Raises:
            AssertionError: it did not in time; the message says what was seen last.
        """
        deadline = time.monotonic() + timeout
        last: Obj | None = None
        while time.monotonic() < deadline:
            try:
                for last in self._states(kind, namespace, name, deadline - time.monotonic()):
                    if predicate.holds(last):
                        return last or {}
            except (*_TROUBLE, Refused) as error:
                if isinstance(error, Refused) and error.status < 500 and error.status != 410:
                    raise
                time.sleep(0.3)  # the API server is away: tests do that to it
        where = f"{kind.kind} {namespace}/{name}"
        raise AssertionError(f"{where}: not {predicate.text} within {timeout:.0f} s. Last seen: {described(last)}")

    def _states(self, kind: Kind, namespace: str | None, name: str, seconds: float) -> Iterator[Obj | None]:
        """The object as it is, and then each state that the watch tells, until the watch ends."""
        fields = f"metadata.name={name}"
        listing = self._call("GET", kind.path(namespace), {"fieldSelector": fields})
        yield listing["items"][0] if listing["items"] else None
        version = listing["metadata"]["resourceVersion"]
        for event, obj in self.watch(kind, namespace, version, fields=fields, seconds=min(seconds, 60)):
            yield None if event == "DELETED" else obj

    def watch(
        self, kind: Kind, namespace: str | None, version: str, *, labels: str = "", fields: str = "", seconds: float
    ) -> Iterator[tuple[str, Obj]]:
        """Events from that version on, until the server ends the watch."""
        query = {
            "watch": "true",
            "resourceVersion": version,
            "labelSelector": labels,
            "fieldSelector": fields,
            "timeoutSeconds": str(max(int(seconds), 1)),
        }
        response = self._request("GET", kind.path(namespace), query, preload=False, read_seconds=seconds + 10)
        try:
            if response.status >= 400:
                raise Refused(response.status, response.read().decode(errors="replace"))
            for line in lines(response):
                event = json.loads(line)
                if event["type"] == "ERROR":
                    raise Refused(int(event["object"].get("code", 500)), json.dumps(event["object"]))
                yield event["type"], event["object"]
        finally:
            response.close()
            response.release_conn()

    def forward(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> urllib3.BaseHTTPResponse:
        """Send somebody else's request as the admin; the answer is not read yet, and must be released."""
        timeout = urllib3.Timeout(connect=10, read=400)
        return self._pool.request(
            method,
            f"{self._configuration.host}{path}",
            body=body,
            headers={**headers, **self._credentials()},
            preload_content=False,
            timeout=timeout,
            retries=False,
        )

    def _credentials(self) -> dict[str, str]:
        token = self._configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
        authorization = {"Authorization": token} if token else {}
        return {**authorization, **({"Impersonate-User": self._user} if self._user else {})}

    @retry(
        retry=retry_if_exception(lambda error: isinstance(error, Refused) and _NOT_YET in error.message),
        stop=stop_after_delay(60),
        wait=wait_fixed(0.5),
        reraise=True,
    )
    def _call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: object = None,
        content_type: str = "application/json",
    ) -> Obj:
        response = self._request(method, path, query or {}, body, content_type)
        text = response.data.decode(errors="replace")
        if response.status >= 400:
            raise Refused(response.status, text)
        return dict(json.loads(text))

    def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: object = None,
        content_type: str = "application/json",
        *,
        preload: bool = True,
        read_seconds: float = 60,
    ) -> urllib3.BaseHTTPResponse:
        headers = {"Accept": "application/json", "Content-Type": content_type, **self._credentials()}
        asked = urlencode({name: value for name, value in query.items() if value})
        return self._pool.request(
            method,
            f"{self._configuration.host}{path}{'?' if asked else ''}{asked}",
            body=None if body is None else json.dumps(body).encode(),
            headers=headers,
            preload_content=preload,
            timeout=urllib3.Timeout(connect=10, read=read_seconds),
            retries=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def kind_of(manifest: Obj) -> Kind:
    """The kind of a manifest."""
    return KINDS[manifest["apiVersion"], manifest["kind"]]


def _bound(to: Obj | None) -> Obj:
    if to is None:
        return {}
    who = {name: to["metadata"][name] for name in ("name", "uid")}
    return {"boundObjectRef": {"apiVersion": to["apiVersion"], "kind": to["kind"], **who}}


def lines(response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    """Lines as they arrive."""
    rest = b""
    for chunk in response.stream(None):
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (line for line in whole if line)
