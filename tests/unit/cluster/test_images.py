"""Images are reproducible, and nothing unchanged is built or loaded twice."""

import hashlib
import json
import tarfile
from pathlib import Path

import pytest
from e2e.cluster.errors import ClusterError
from e2e.cluster.images import base, catalogue, containerd
from e2e.cluster.images.archive import Entry, Image, write
from e2e.cluster.images.inputs import digest
from e2e.cluster.images.loading import Loader

_IMAGE = Image("localhost/x:1", [Entry("bin"), Entry("bin/x", b"#!"), Entry("bin/y", target="/bin/x")], ["/bin/x"])


def test_an_archive_is_the_same_bytes_every_time_and_its_digests_are_right(tmp_path: Path) -> None:
    for name in ("a.tar", "b.tar"):
        write(_IMAGE, "amd64", tmp_path / name)

    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()
    with tarfile.open(tmp_path / "a.tar") as archive:
        blobs = {member.name: archive.extractfile(member) for member in archive if member.name.startswith("blobs/")}
        for path, content in blobs.items():
            assert content is not None and hashlib.sha256(content.read()).hexdigest() == Path(path).name
        index = json.load(archive.extractfile("index.json"))  # type: ignore[arg-type]
        assert index["manifests"][0]["annotations"] == {"io.containerd.image.name": "localhost/x:1"}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg/code.py").write_text("1")
    return tmp_path


def test_the_digest_follows_content_names_modes_and_base(source: Path) -> None:
    def now(on: str = "base") -> str:
        return digest(source, [source / "pkg"], on)

    seen = [now(), now("another base")]
    (source / "pkg/code.py").chmod(0o755)
    seen.append(now())
    (source / "pkg/code.py").write_text("2")
    seen.append(now())
    (source / "pkg/code.py").rename(source / "pkg/renamed.py")
    seen.append(now())

    assert len(set(seen)) == len(seen)


def test_the_digest_ignores_what_running_the_code_leaves(source: Path) -> None:
    before = digest(source, [source / "pkg"])
    (source / "pkg/__pycache__").mkdir()
    (source / "pkg/__pycache__/code.pyc").write_bytes(b"x")
    (source / "pkg/code.pyc").write_bytes(b"x")

    assert digest(source, [source / "pkg"]) == before


def test_an_image_is_loaded_when_the_cluster_lacks_this_very_build(tmp_path: Path) -> None:
    cluster: set[str] = set()
    loader = Loader(tmp_path / "images.json", lambda: cluster, lambda name, _archive: cluster.add(name))
    assert not loader.has("x", "k1")

    loader.load("x", tmp_path / "x.tar", "k1")

    assert loader.has("x", "k1")
    assert not loader.has("x", "k2")
    cluster.clear()
    assert not loader.has("x", "k1")


def test_only_replaced_builds_are_removed_from_the_cluster() -> None:
    rows = {"localhost/x:dev": "sha256:new", "sha256:c1": "sha256:new", "sha256:c0": "sha256:old"}

    assert containerd.unnamed(rows) == ["sha256:c0"]


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("shop", "localhost/shop:dev"),
        ("shop:1", "localhost/shop:1"),
        ("localhost:5000/shop", "localhost:5000/shop:dev"),
        ("example.org/shop:1", "example.org/shop:1"),
    ],
)
def test_a_short_name_becomes_a_local_one(tmp_path: Path, name: str, wanted: str) -> None:
    (tmp_path / "Dockerfile").touch()

    assert catalogue.of_directory(name, tmp_path).name == wanted


def test_a_directory_without_a_dockerfile_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="Dockerfile"):
        catalogue.of_directory("shop", tmp_path)


def test_every_known_image_has_its_inputs() -> None:
    for recipe in catalogue.known().values():
        assert [path for path in (recipe.dockerfile, *recipe.inputs) if not path.exists()] == []


def test_the_mirror_is_the_one_with_debian_itself() -> None:
    sites = ["http://mirror.test/debian-security/", "http://mirror.test/debian/"]

    assert base.pick_mirror(sites) == "http://mirror.test/debian/"
    with pytest.raises(ClusterError, match="mirror"):
        base.pick_mirror(sites[:1])
