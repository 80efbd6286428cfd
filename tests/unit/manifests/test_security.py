"""The isolation that every task pod has."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from celeriac.api.v1alpha1.definition import SecurityContext
from celeriac_operator.manifests.security import container_security, pod_security


def test_who_the_process_is_where_nobody_says() -> None:
    assert pod_security(None) == {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "runAsGroup": 65532,
        "fsGroup": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def test_a_definition_can_say_who_the_process_is_but_not_root() -> None:
    assert pod_security(SecurityContext(run_as_user=7, run_as_group=0))["runAsGroup"] == 0
    with pytest.raises(ValidationError):
        SecurityContext(run_as_user=0)


@pytest.mark.parametrize("wanted", [None, SecurityContext(), SecurityContext(read_only_root_filesystem=True)])
def test_the_root_file_system_is_read_only_unless_it_is_said(wanted: SecurityContext | None) -> None:
    assert container_security(wanted)["readOnlyRootFilesystem"] is True
