"""The ControllerRevision that keeps a TaskDefinition's content for the Tasks that were accepted with it. Pure."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from celeriac.api.v1alpha1 import TaskDefinitionSpec
from celeriac_operator.core import names
from celeriac_operator.core.facts import Revision

DEFINITION_ANNOTATION = "celeriac.dev/definition-generation"


def revision_of(name: str, generation: int, spec: TaskDefinitionSpec, *, stored: bool = False) -> Revision:
    """The revision of a definition's content; the same content has the same name."""
    digest = content_digest(spec.to_wire())
    return Revision(names.revision_name(name, digest), generation, spec, digest, stored)


def content_digest(wire: dict[str, Any]) -> str:
    """The digest of a definition's spec as it is written."""
    canonical = json.dumps(wire, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def build_revision(namespace: str, revision: Revision) -> dict[str, Any]:
    """The manifest; it has no owner, since Tasks run from it whatever happens to the definition."""
    definition = revision.name.rsplit("-", 1)[0]
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {
            "name": revision.name,
            "namespace": namespace,
            "labels": {names.MANAGED_BY_LABEL: names.MANAGED_BY, names.DEFINITION_LABEL: definition},
            "annotations": {DEFINITION_ANNOTATION: str(revision.generation)},
        },
        "revision": revision.generation,
        "data": {"spec": revision.spec.to_wire()},
    }
