"""Writing an OCI image archive by hand: a file tree of three or four entries needs no image builder.

Archives are reproducible (no times, fixed owners), so equal content is equal bytes and an equal digest.
"""

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

_OCI = "application/vnd.oci.image"


@dataclass(frozen=True)
class Entry:
    """One thing in the image: a file with content, a symbolic link with a target, or else a directory."""

    path: str
    content: bytes | None = None
    target: str = ""
    mode: int = 0o755


@dataclass(frozen=True)
class Image:
    """A one-layer image."""

    name: str
    entries: Sequence[Entry]
    command: Sequence[str]
    env: Sequence[str] = field(default=("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",))


def write(image: Image, architecture: str, path: Path) -> None:
    """Write the image as an OCI archive that containerd, Docker and kind can load."""
    layer = _tar(image.entries)
    config = _json(
        {
            "architecture": architecture,
            "os": "linux",
            "config": {"Env": list(image.env), "Cmd": list(image.command)},
            "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
        }
    )
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": f"{_OCI}.manifest.v1+json",
            "config": _descriptor(f"{_OCI}.config.v1+json", config),
            "layers": [_descriptor(f"{_OCI}.layer.v1.tar", layer)],
        }
    )
    _write_archive(path, image.name, [layer, config, manifest])


def _write_archive(path: Path, name: str, blobs: list[bytes]) -> None:
    named = {**_descriptor(f"{_OCI}.manifest.v1+json", blobs[-1]), "annotations": {"io.containerd.image.name": name}}
    entries = [
        Entry("oci-layout", _json({"imageLayoutVersion": "1.0.0"}), mode=0o644),
        Entry("index.json", _json({"schemaVersion": 2, "manifests": [named]}), mode=0o644),
        *(Entry(f"blobs/sha256/{hashlib.sha256(blob).hexdigest()}", blob, mode=0o644) for blob in blobs),
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_bytes(_tar(entries))
    partial.replace(path)


def _tar(entries: Sequence[Entry]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for entry in entries:
            info = tarfile.TarInfo(entry.path)
            info.mode = entry.mode
            if entry.target:
                info.type, info.linkname = tarfile.SYMTYPE, entry.target
            elif entry.content is None:
                info.type = tarfile.DIRTYPE
            else:
                info.size = len(entry.content)
            tar.addfile(info, io.BytesIO(entry.content) if entry.content is not None else None)
    return buffer.getvalue()


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True).encode()


def _digest(blob: bytes) -> str:
    return f"sha256:{hashlib.sha256(blob).hexdigest()}"


def _descriptor(media_type: str, blob: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": _digest(blob), "size": len(blob)}
