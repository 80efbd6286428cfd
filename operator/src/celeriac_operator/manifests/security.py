"""The isolation that every task pod has: the ``restricted`` Pod Security Standard, by construction. Pure.

Nothing here can be loosened by a Task; a TaskDefinition may say who the process is, and whether its root is read-only.
"""

from __future__ import annotations

from typing import Any

from celeriac.api.v1alpha1.definition import SecurityContext

NOBODY = 65532
TMP_VOLUME = "celeriac-tmp"
TMP_SIZE_LIMIT = "1Gi"

Manifest = dict[str, Any]


def pod_security(wanted: SecurityContext | None) -> Manifest:
    """The pod's securityContext: not root, also where the image says so; the runtime's seccomp profile."""
    wanted = wanted or SecurityContext()
    groups = {"supplementalGroups": list(wanted.supplemental_groups)} if wanted.supplemental_groups else {}
    return {
        "runAsNonRoot": True,
        "runAsUser": wanted.run_as_user or NOBODY,
        "runAsGroup": NOBODY if wanted.run_as_group is None else wanted.run_as_group,
        "fsGroup": NOBODY if wanted.fs_group is None else wanted.fs_group,
        "seccompProfile": {"type": "RuntimeDefault"},
        **groups,
    }


def container_security(wanted: SecurityContext | None) -> Manifest:
    """The container's securityContext: no escalation, no capabilities, a read-only root."""
    return {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": wanted is None or wanted.read_only_root_filesystem is not False,
    }
