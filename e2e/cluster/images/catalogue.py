"""The project's own images: what each is made from, and what it stands on."""

from dataclasses import dataclass
from pathlib import Path

from e2e.cluster.errors import ClusterError

REPOSITORY = Path(__file__).parents[3]
SDK_IMAGE = "localhost/celeriac-python:dev"
OPERATOR_IMAGE = "localhost/celeriac-operator:dev"
NATS_IMAGE = "localhost/celeriac-nats:dev"
CENSUS_IMAGE = "localhost/celeriac-census:dev"
_LOCK = ("pyproject.toml", "uv.lock", "image-requirements.txt", ".dockerignore", "operator/pyproject.toml",
    "operator/README.md")  # fmt: skip


@dataclass(frozen=True)
class Recipe:
    """An image from a Dockerfile; `on` names another of our images as base, or is empty for plain Python."""

    name: str
    dockerfile: Path
    context: Path
    inputs: tuple[Path, ...]
    on: str = ""
    usual_seconds: int = 30


def _workspace(*names: str) -> tuple[Path, ...]:
    return tuple(REPOSITORY / name for name in (*_LOCK, *names))


def of_directory(name: str, directory: Path, on: str = "") -> Recipe:
    """An image from a directory with a Dockerfile in it."""
    directory = directory.resolve()
    dockerfile = directory / "Dockerfile"
    if not dockerfile.exists():
        raise ClusterError(f"{directory} has no Dockerfile.", "Name a directory that has one.")
    full_name = name if "/" in name else f"localhost/{name}"
    tagged = full_name if ":" in full_name.rsplit("/", 1)[1] else f"{full_name}:dev"
    return Recipe(tagged, dockerfile, directory, (directory,), on, 60)


def known() -> dict[str, Recipe]:
    """The images that `images` builds, by the short names that it takes."""
    found = {
        "sdk": Recipe(SDK_IMAGE, REPOSITORY / "sdk/Dockerfile", REPOSITORY, _workspace("sdk")),
        "operator": Recipe(
            OPERATOR_IMAGE, REPOSITORY / "operator/Dockerfile", REPOSITORY, _workspace("sdk", "operator")
        ),
        "nats": Recipe(
            NATS_IMAGE,
            REPOSITORY / "nats/Dockerfile",
            REPOSITORY,
            _workspace("sdk/pyproject.toml", "sdk/README.md"),  # not the code: it is built again with the lock only
        ),
    }
    if (REPOSITORY / "examples/digits/Dockerfile").exists():
        found["demo"] = of_directory("celeriac-digits", REPOSITORY / "examples/digits", SDK_IMAGE)
    census = REPOSITORY / "examples/python"
    if (census / "Dockerfile").exists():
        # Only what is copied: the programs beside it run on the machine of whoever submits.
        found["census"] = Recipe(
            CENSUS_IMAGE, census / "Dockerfile", census, (census / "census.py",), SDK_IMAGE, usual_seconds=20
        )
    return found


def by_name(image: str) -> Recipe | None:
    """Find the recipe of an image of ours by its full name."""
    return next((recipe for recipe in known().values() if recipe.name == image), None)
