"""The ControllerRevision that keeps a TaskDefinition's content."""

from __future__ import annotations

import json

import pytest
from tests.support.builders import make_revision

from celeriac_operator.kube.parse import revision_from
from celeriac_operator.manifests.revision import build_revision


def test_the_same_content_has_the_same_name_at_any_generation() -> None:
    assert make_revision(generation=1).name == make_revision(generation=2).name


def test_other_content_has_another_name() -> None:
    assert make_revision().name != make_revision(version="2").name


def test_what_was_written_is_read_back() -> None:
    revision = make_revision(
        generation=3,
        stored=True,
        params_schema={"type": "object", "properties": {"a": {"type": ["string", "null"], "default": None}}},
        defaults={"retry": {"maxAttempts": 3}},
        pod={"affinity": {"nodeAffinity": {}}},
    )
    raw = json.loads(json.dumps(build_revision("media", revision)))

    assert revision_from(raw) == revision


def test_it_belongs_to_nobody_since_tasks_run_from_it_when_the_definition_is_gone() -> None:
    manifest = build_revision("media", make_revision())

    assert "ownerReferences" not in manifest["metadata"]
    assert manifest["metadata"]["labels"]["celeriac.dev/definition"] == "resize"


def test_content_that_somebody_changed_is_not_used() -> None:
    raw = build_revision("media", make_revision())
    raw["data"]["spec"]["container"]["image"] = "evil:latest"

    with pytest.raises(ValueError, match="was changed"):
        revision_from(raw)
