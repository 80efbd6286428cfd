"""Building images that changed, and loading those that the cluster does not have."""

import os
from collections.abc import Iterable
from pathlib import Path

from e2e.cluster.images import catalogue, engine
from e2e.cluster.images.catalogue import Recipe
from e2e.cluster.images.inputs import digest
from e2e.cluster.images.loading import Loader
from e2e.cluster.locking import exclusive
from e2e.cluster.progress import console, step
from e2e.cluster.settings import Layout

_KEPT_ARCHIVES = 3


def ensure(layout: Layout, loader: Loader, recipes: Iterable[Recipe]) -> None:
    """Bring images of these recipes, as the source is now, into the cluster."""
    with exclusive(layout.images / "build.lock"):
        _ensure(layout, loader, recipes)


def _ensure(layout: Layout, loader: Loader, recipes: Iterable[Recipe]) -> None:
    builder = engine.choose(layout)
    for recipe in recipes:
        key = _key(builder, recipe)
        archive = _archive(layout, builder, recipe, key)
        if loader.has(recipe.name, key):
            console.print(f"  [green]✓[/green] {recipe.name} is up to date")
            continue
        with step(f"Loading {recipe.name}", 3):
            loader.load(recipe.name, archive, key)


def _archive(layout: Layout, builder: engine.Engine, recipe: Recipe, key: str) -> Path:
    """The archive of a recipe; its name holds the key, so that it being there means that it is right."""
    archive = layout.images / f"{_short(recipe)}-{key}.tar"
    if not archive.exists():
        base = _base(layout, builder, recipe)
        with step(f"Building {recipe.name}", recipe.usual_seconds):
            _build(builder, engine.Build(recipe.name, recipe.dockerfile, recipe.context, base), archive)
        _prune(layout, recipe)
    return archive


def _base(layout: Layout, builder: engine.Engine, recipe: Recipe) -> str:
    below = catalogue.by_name(recipe.on)
    if below is not None:
        _archive(layout, builder, below, _key(builder, below))
    return recipe.on or builder.default_base()


def _key(builder: engine.Engine, recipe: Recipe) -> str:
    below = catalogue.by_name(recipe.on)
    standing_on = _key(builder, below) if below is not None else recipe.on or builder.default_base()
    return digest(recipe.context, (*recipe.inputs, recipe.dockerfile), standing_on, recipe.name)


def _build(builder: engine.Engine, wanted: engine.Build, archive: Path) -> None:
    archive.parent.mkdir(parents=True, exist_ok=True)
    partial = archive.with_name(f".{archive.name}.{os.getpid()}.partial")
    builder.build(wanted, partial)
    partial.rename(archive)


def _prune(layout: Layout, recipe: Recipe) -> None:
    """Keep the last few archives only: going back to the last branch should be quick, the disk is not endless."""
    archives = sorted(layout.images.glob(f"{_short(recipe)}-{'?' * 12}.tar"), key=lambda path: path.stat().st_mtime)
    for old in archives[:-_KEPT_ARCHIVES]:
        old.unlink()


def _short(recipe: Recipe) -> str:
    return recipe.name.rsplit("/", 1)[1].replace(":", "-")
