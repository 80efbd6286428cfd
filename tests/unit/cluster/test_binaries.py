"""Programs are rebuilt when a pinned version changes, with a Go that can."""

from pathlib import Path

import pytest
from e2e.cluster import binaries, toolchain
from e2e.cluster.settings import from_environ


def test_the_digest_follows_go_mod_and_go_sum(tmp_path: Path) -> None:
    seen = set()
    for number, content in enumerate([("m", "s"), ("m2", "s"), ("m", "s2")]):
        module = tmp_path / str(number)
        module.mkdir()
        for name, text in zip(("go.mod", "go.sum"), content, strict=True):
            (module / name).write_text(text)
        seen.add(binaries.digest(module))

    assert len(seen) == 3


@pytest.mark.parametrize("tool", (*binaries.TOOLS, binaries.KWOK), ids=lambda tool: tool.module)
def test_every_tool_is_pinned_and_has_its_place(tool: binaries.Tool) -> None:
    layout = from_environ({"XDG_CACHE_HOME": "/c"}).layout

    assert binaries.version_of(tool).startswith("v")
    assert binaries.needed_version(binaries.MODULES / tool.module / "go.mod") >= (1, 24)
    for program in tool.programs:
        assert binaries.path_of(layout, program).parent.name.startswith(f"{tool.module}-")


def test_a_cluster_does_not_wait_for_kwok(tmp_path: Path) -> None:
    layout = from_environ({"XDG_CACHE_HOME": str(tmp_path)}).layout

    assert binaries.KWOK not in binaries.missing(layout)
    assert not binaries.is_built(layout, binaries.KWOK)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("go version go1.26.8 linux/amd64", (1, 26)),
        ("go version go1.27rc1 linux/amd64", (1, 27)),
        ("go version devel linux/amd64", (0, 0)),
    ],
)
def test_go_tells_its_version(text: str, wanted: tuple[int, int]) -> None:
    assert toolchain.parse_version(text) == wanted
