"""Paths of the API, and what it tells of itself."""

from __future__ import annotations

import pytest

from celeriac_operator.dev.kinds import discovery, place_of


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/apis/celeriac.dev/v1alpha1/tasks", ("tasks", None, None, None)),
        ("/apis/celeriac.dev/v1alpha1/namespaces/media/tasks", ("tasks", "media", None, None)),
        ("/apis/celeriac.dev/v1alpha1/namespaces/media/tasks/a/status", ("tasks", "media", "a", "status")),
        ("/api/v1/namespaces/media/pods/p/log", ("pods", "media", "p", "log")),
        ("/api/v1/namespaces/media", ("namespaces", None, "media", None)),
        ("/apis/apps/v1/namespaces/media/controllerrevisions", ("controllerrevisions", "media", None, None)),
    ],
    ids=["all", "those of a namespace", "a status", "a log", "a namespace", "another group"],
)
def test_a_path_leads_to(path: str, expected: tuple[str | None, ...]) -> None:
    found = place_of(path)

    assert found is not None
    assert expected == (found.kind.plural, found.namespace, found.name, found.subresource)


@pytest.mark.parametrize(
    "path",
    ["/", "/api", "/apis/celeriac.dev/v2/tasks", "/apis/apps/v1/deployments", "/apis/celeriac.dev/v1alpha1/pods"],
    ids=["the root", "a question", "another version", "another kind", "a kind of another group"],
)
def test_a_path_leads_nowhere(path: str) -> None:
    assert place_of(path) is None


def test_every_group_that_is_named_tells_its_kinds() -> None:
    groups = discovery("/apis")
    assert groups is not None
    versions = [each["preferredVersion"]["groupVersion"] for each in groups["groups"]]

    assert {"celeriac.dev/v1alpha1", "batch/v1", "apps/v1", "coordination.k8s.io/v1"} == set(versions)
    assert all(discovery(f"/apis/{version}") for version in versions)
    assert discovery("/api/v1") and discovery("/version") and not discovery("/apis/none/v1")
