"""What of the CRDs an object that the last release stored, or its client, would not survive. `make verify` runs it.

A field may be added, and a bound may be widened. Nothing may be removed, renamed, narrowed or newly required: the
API server validates what is stored whenever it is written again, and prunes what it does not know.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
RELEASED = ROOT / "tests" / "stored" / "v1alpha1" / "crds"
TODAY = ROOT / "crds"

Schema = dict[str, Any]

LOWER_IS_NARROWER = ("maximum", "maxLength", "maxItems", "maxProperties")
HIGHER_IS_NARROWER = ("minimum", "minLength", "minItems", "minProperties")
KEPT = ("type", "format", "x-kubernetes-list-type", "x-kubernetes-map-type", "x-kubernetes-list-map-keys")
OPEN = ("nullable", "x-kubernetes-preserve-unknown-fields", "x-kubernetes-int-or-string")


def changes(released: Schema, today: Schema) -> list[str]:
    """What of a CRD has become narrower, each with its place."""
    old, new = _versions(released), _versions(today)
    gone = [f"version {name} is gone" for name in old if name not in new]
    stored = [f"version {name} is not served any more" for name in old if name in new and not new[name]["served"]]
    both = [name for name in old if name in new]
    return gone + stored + [found for name in both for found in narrowed(_schema(old[name]), _schema(new[name]), name)]


def narrowed(old: Schema, new: Schema, where: str) -> Iterator[str]:
    """What of a schema has become narrower."""
    yield from _kept(old, new, where)
    yield from _bounds(old, new, where)
    yield from _values(old, new, where)
    yield from _rules(old, new, where)
    yield from _fields(old, new, where)


def _kept(old: Schema, new: Schema, where: str) -> Iterator[str]:
    changed = [key for key in KEPT if new.get(key) != old.get(key)]
    yield from (f"{where}: {key} was {old.get(key)} and is {new.get(key)}" for key in changed)
    yield from (f"{where}: {key} was allowed" for key in OPEN if old.get(key) and not new.get(key))


def _bounds(old: Schema, new: Schema, where: str) -> Iterator[str]:
    for key in (*LOWER_IS_NARROWER, *HIGHER_IS_NARROWER):
        was, now = old.get(key), new.get(key)
        tighter = now is not None and (was is None or (now < was if key in LOWER_IS_NARROWER else now > was))
        if tighter:
            yield f"{where}: {key} was {was} and is {now}"
    if new.get("pattern") not in (None, old.get("pattern")):
        yield f"{where}: pattern was {old.get('pattern')} and is {new['pattern']}"


def _values(old: Schema, new: Schema, where: str) -> Iterator[str]:
    was, now = old.get("enum"), new.get("enum")
    if now is not None:
        yield from (f"{where}: {value} is no value any more" for value in was or ["anything else"] if value not in now)


def _rules(old: Schema, new: Schema, where: str) -> Iterator[str]:
    """A rule about a change looks at no object that is only stored."""
    known = {rule["rule"] for rule in old.get("x-kubernetes-validations", ())}
    for rule in new.get("x-kubernetes-validations", ()):
        if rule["rule"] not in known and "oldSelf" not in rule["rule"]:
            yield f"{where}: there is a new rule: {rule['rule']}"


def _fields(old: Schema, new: Schema, where: str) -> Iterator[str]:
    was, now = old.get("properties", {}), new.get("properties", {})
    yield from (f"{where}.{name} is gone" for name in was if name not in now)
    required = set(new.get("required", ())) - set(old.get("required", ()))
    yield from (f"{where}.{name} is required now" for name in sorted(required))
    for name in was:
        if name in now:
            yield from narrowed(was[name], now[name], f"{where}.{name}")
    for key, sign in (("items", "[]"), ("additionalProperties", "{}")):
        if isinstance(old.get(key), dict) and isinstance(new.get(key), dict):
            yield from narrowed(old[key], new[key], where + sign)


def _versions(crd: Schema) -> dict[str, Schema]:
    return {version["name"]: version for version in crd["spec"]["versions"]}


def _schema(version: Schema) -> Schema:
    schema: Schema = version["schema"]["openAPIV3Schema"]
    return schema


def main() -> None:
    found = []
    for path in sorted(RELEASED.glob("*.yaml")):
        if (TODAY / path.name).exists():
            released, today = (yaml.safe_load(each.read_text()) for each in (path, TODAY / path.name))
            found += [f"{path.stem}: {change}" for change in changes(released, today)]
        else:
            found.append(f"{path.stem} is gone")
    if found:
        sys.exit("Objects of the last release would not survive this (docs/upgrades.md):\n" + "\n".join(found))


if __name__ == "__main__":
    main()
