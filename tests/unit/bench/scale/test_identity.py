"""The operator is told apart from the administrator, in the same cluster."""

from __future__ import annotations

from e2e.bench.scale.identity import account, with_token


def test_the_token_takes_the_place_of_every_other_credential() -> None:
    known = {
        "clusters": [{"name": "c", "cluster": {"server": "https://x"}}],
        "users": [{"name": "admin", "user": {"client-certificate": "a.crt", "client-key": "a.key"}}],
        "current-context": "c",
    }

    found = with_token(known, "t")

    assert [{"name": "admin", "user": {"token": "t"}}] == found["users"]
    assert (known["clusters"], "c") == (found["clusters"], found["current-context"])


def test_the_right_is_for_that_namespace_only() -> None:
    _, binding = account("scale-1")

    assert "RoleBinding" == binding["kind"]
    assert [{"kind": "ServiceAccount", "name": "operator", "namespace": "scale-1"}] == binding["subjects"]
