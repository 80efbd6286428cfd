"""Leases in the API: one a shard, on a connection of their own, so that nothing else can hold up a renewal."""

from __future__ import annotations

import re
from datetime import datetime

from celeriac_operator.core import names
from celeriac_operator.core.election import GUARD, Deed, LeaseFacts, Step
from celeriac_operator.kube.api import KubeApi, Raw, Resource

LEASES = Resource("/apis/coordination.k8s.io/v1", "leases")


class Leases:
    """The Leases ``<name>-0``, ``<name>-1`` … of one installation.

    Args:
        kube: a connection that is used for nothing else, without a fence.
        patience: seconds that one call may take.
    """

    def __init__(self, kube: KubeApi, namespace: str, name: str, patience: float) -> None:
        self._kube, self._namespace, self._name, self._patience = kube, namespace, name, patience

    async def list(self) -> list[LeaseFacts]:
        """All of them, as they are now: a list without a resourceVersion is never an old one.

        Raises:
            ApiError, OSError, TimeoutError: the API server does not answer, or refuses.
        """
        labels = f"{names.LEASE_LABEL}={self._name}"
        found = self._kube.list(LEASES, self._namespace, labels=labels, patience=self._patience)
        leases = [lease_of(raw, self._name) async for raw in found]
        return [lease for lease in leases if lease is not None]

    async def write(self, step: Step, now: datetime) -> None:
        """Carry out a step, if the Lease is still the one that it was decided from.

        Args:
            now: wall-clock time, for people; nothing is decided from it.

        Raises:
            ApiError: 409, it has changed; or as in ``list``.
        """
        manifest = lease_manifest(step, self._name, now)
        if step.lease.version:
            name = manifest["metadata"]["name"]
            await self._kube.replace(LEASES, self._namespace, name, manifest, patience=self._patience)
        else:
            await self._kube.create(LEASES, self._namespace, manifest, patience=self._patience)


def lease_of(raw: Raw, name: str) -> LeaseFacts | None:
    """A Lease as facts; None where it is no shard's. Whatever is missing counts as empty: anybody may edit it."""
    found = re.fullmatch(re.escape(name) + r"-([0-9]{1,4})", raw["metadata"]["name"])
    if found is None:
        return None
    spec, notes = raw.get("spec") or {}, raw["metadata"].get("annotations") or {}
    number = notes.get(names.SHARDS_ANNOTATION, "")
    return LeaseFacts(
        shard=int(found[1]),
        version=raw["metadata"]["resourceVersion"],
        holder=spec.get("holderIdentity") or "",
        acquired=spec.get("acquireTime") or "",
        renewed=spec.get("renewTime") or "",
        seconds=spec.get("leaseDurationSeconds") or 0,
        transitions=spec.get("leaseTransitions") or 0,
        shards=int(number) if re.fullmatch(r"[0-9]{1,4}", number) else 0,
        settling=names.SETTLING_ANNOTATION in notes,
        wanted_by=notes.get(names.WANTED_BY_ANNOTATION, ""),
    )


def lease_manifest(step: Step, name: str, now: datetime) -> Raw:
    """The Lease as it shall be. Only its holder's own writes change its times: others go by them."""
    lease, time = step.lease, micro_time(now)
    renewed = time if step.deed in (Deed.TAKE, Deed.RENEW) else lease.renewed
    spec = {
        "holderIdentity": lease.holder,
        "leaseDurationSeconds": int(lease.seconds),
        "leaseTransitions": lease.transitions,
        "acquireTime": time if step.deed is Deed.TAKE else lease.acquired,
        "renewTime": renewed,
    }
    meta = {"name": f"{name}-{lease.shard}", "labels": _labels(name), "annotations": _annotations(lease)}
    if lease.version:
        meta["resourceVersion"] = lease.version
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": meta,
        "spec": {key: value for key, value in spec.items() if value not in ("", 0) or key == "leaseTransitions"},
    }


def _labels(name: str) -> dict[str, str]:
    return {names.LEASE_LABEL: name, names.MANAGED_BY_LABEL: names.MANAGED_BY}


def _annotations(lease: LeaseFacts) -> dict[str, str]:
    notes = {
        names.SHARDS_ANNOTATION: str(lease.shards) if lease.shard == GUARD else "",
        names.SETTLING_ANNOTATION: "true" if lease.settling else "",
        names.WANTED_BY_ANNOTATION: lease.wanted_by,
    }
    return {key: value for key, value in notes.items() if value}


def micro_time(now: datetime) -> str:
    """A time as Kubernetes' MicroTime has it: six digits after the second, or the API server refuses it."""
    return now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
