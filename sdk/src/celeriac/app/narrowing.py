"""What a JSON Schema took and another does not take any more. Pure.

It knows what pydantic writes of Python types. What it cannot judge it reports: a check that is silent about what it
does not understand is worth nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Schema = Any
"""A JSON Schema: an object, or true or false."""

_NOTES = frozenset({"title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "$comment"})
_LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties", "minContains")
_UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties", "maxContains")
_SAME = ("pattern", "format", "multipleOf", "contentEncoding", "contentMediaType", "patternProperties",
    "allOf", "not", "if", "then", "else", "contains", "dependentRequired", "dependentSchemas", "unevaluatedProperties",
    "unevaluatedItems")  # fmt: skip
"""Keywords that only take something away: a new or another one is a narrowing, one that went is none."""
_TYPES = ("null", "boolean", "integer", "number", "string", "array", "object")


@dataclass(frozen=True)
class Narrowing:
    """One thing that is not taken any more."""

    path: str
    """Where, such as ``options.size`` or ``items[]``; empty: the value itself."""
    what: str
    """What, as the end of a sentence."""
    kinds: tuple[str, str] | None = None
    """The type that it was and the type that it is, where that is what it is about."""


@dataclass(frozen=True)
class _Pair:
    """Two schemas of one place, and the documents that their references are into."""

    old: Schema
    new: Schema
    old_root: Schema
    new_root: Schema

    def with_parts(self, old: Schema, new: Schema) -> _Pair:
        return _Pair(old, new, self.old_root, self.new_root)


def narrowings(old: Schema, new: Schema) -> tuple[Narrowing, ...]:
    """What ``old`` took and ``new`` does not; nothing where every value of ``old`` is one of ``new``."""
    return tuple(_compare(_Pair(old, new, old, new), "", frozenset()))


def _compare(pair: _Pair, path: str, seen: frozenset[tuple[str, str]]) -> Iterator[Narrowing]:
    names = (_reference(pair.old), _reference(pair.new))
    if names[0] and names[1]:
        if names in seen:
            return  # recursive types: this pair is being compared further up
        seen |= {names}
    old, new = _resolved(pair.old, pair.old_root), _resolved(pair.new, pair.new_root)
    if new is True or old is False or not _judged(new):
        return
    if new is False:
        yield Narrowing(path, "nothing is taken any more")
        return
    yield from _alternatives(pair.with_parts({} if old is True else old, new), path, seen)


def _alternatives(pair: _Pair, path: str, seen: frozenset[tuple[str, str]]) -> Iterator[Narrowing]:
    """Each alternative of the old one must be taken by the new one, and one of its alternatives suffices."""
    olds, news = _choices(pair.old), _choices(pair.new)
    for old in olds:
        found = [list(_single(pair.with_parts(old, new), path, seen)) for new in news]
        if all(found):
            yield from (
                found[0] if len(news) == 1 else [Narrowing(path, f"{_named(old, pair.old_root)} is not taken any more")]
            )


def _choices(schema: dict[str, Any]) -> list[Schema]:
    """The alternatives of a schema: those of anyOf, oneOf or of a list of types."""
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema:
            rest = {name: value for name, value in schema.items() if name != keyword}
            return [{**rest, "$either": each} if _judged(rest) else each for each in schema[keyword]]
    if isinstance(schema.get("type"), list):
        return [{**schema, "type": each} for each in schema["type"]]
    return [schema]


def _single(pair: _Pair, path: str, seen: frozenset[tuple[str, str]]) -> Iterator[Narrowing]:
    if any(isinstance(each, dict) and ("$ref" in each or "anyOf" in each) for each in (pair.old, pair.new)):
        yield from _compare(pair, path, seen)
        return
    old, new = pair.old, pair.new
    if "enum" in old or "const" in old:
        yield from _values(_constants(old), new, path)
        return
    if "enum" in new or "const" in new:
        yield Narrowing(path, f"only {_shown(_constants(new))} are taken now")
        return
    if not _type_fits(old, new):
        kinds = _named(old), _named(new)
        yield Narrowing(path, f"it was {kinds[0]}, and is {kinds[1]} now", kinds)
        return
    yield from _bounds(old, new, path)
    yield from _unjudged(old, new, path)
    yield from _object(pair, path, seen)
    yield from _array(pair, path, seen)


def _values(values: list[Any], new: dict[str, Any], path: str) -> Iterator[Narrowing]:
    allowed = _constants(new) if "enum" in new or "const" in new else None
    gone = [value for value in values if not (value in allowed if allowed is not None else _is_of(value, new))]
    if gone:
        yield Narrowing(path, f"{_shown(gone)} {'is' if len(gone) == 1 else 'are'} not taken any more")


def _type_fits(old: dict[str, Any], new: dict[str, Any]) -> bool:
    if "type" not in new:
        return True
    return old.get("type") == new["type"] or (old.get("type"), new["type"]) == ("integer", "number")


def _bounds(old: dict[str, Any], new: dict[str, Any], path: str) -> Iterator[Narrowing]:
    for keywords, tighter in ((_LOWER, 1), (_UPPER, -1)):
        for keyword in keywords:
            before, now = old.get(keyword), new.get(keyword)
            if now is not None and (before is None or (now - before) * tighter > 0):
                yield Narrowing(path, f"{keyword} is {now} now{'' if before is None else f', and was {before}'}")
    if new.get("uniqueItems") and not old.get("uniqueItems"):
        yield Narrowing(path, "its items must be unique now")


def _unjudged(old: dict[str, Any], new: dict[str, Any], path: str) -> Iterator[Narrowing]:
    for keyword in _SAME:
        if keyword in new and new[keyword] != old.get(keyword):
            yield Narrowing(path, f"its {keyword} is new" if keyword not in old else f"its {keyword} is another")
    known = {*_NOTES, *_LOWER, *_UPPER, *_SAME, "type", "enum", "const", "$defs", "properties", "required",
        "additionalProperties", "propertyNames", "items", "prefixItems", "uniqueItems", "discriminator"}  # fmt: skip
    for keyword in sorted(set(new) - known):
        if new[keyword] != old.get(keyword):
            yield Narrowing(path, f"its {keyword} has changed, which cannot be judged")


def _object(pair: _Pair, path: str, seen: frozenset[tuple[str, str]]) -> Iterator[Narrowing]:
    old, new = pair.old, pair.new
    before, now = old.get("properties", {}), new.get("properties", {})
    for name in before:
        if name in now:
            yield from _compare(pair.with_parts(before[name], now[name]), _join(path, name), seen)
        else:
            rest = new.get("additionalProperties", True)
            removed = Narrowing(_join(path, name), "it is removed")
            yield from (
                [removed] if rest is False else _compare(pair.with_parts(before[name], rest), _join(path, name), seen)
            )
    if old.get("additionalProperties", False) is not False:  # said, as of **kwargs: nobody sends what is ignored
        for name in sorted(now.keys() - before.keys()):
            yield from _compare(pair.with_parts(old["additionalProperties"], now[name]), _join(path, name), seen)
    for name in new.get("required", ()):
        if name not in old.get("required", ()):
            yield Narrowing(_join(path, name), "it is required now")
    if old.get("type") == "object" and old.get("additionalProperties", True) is not False:
        rest = pair.with_parts(old.get("additionalProperties", True), new.get("additionalProperties", True))
        yield from _compare(rest, _join(path, "*"), seen)
    keys = pair.with_parts(old.get("propertyNames", True), new.get("propertyNames", True))
    yield from (Narrowing(path, f"of its keys, {each.what}") for each in _compare(keys, path, seen))


def _array(pair: _Pair, path: str, seen: frozenset[tuple[str, str]]) -> Iterator[Narrowing]:
    old, new = pair.old, pair.new
    before, now = old.get("prefixItems", []), new.get("prefixItems", [])
    longest = old.get("maxItems", math.inf)
    for index in range(int(min(max(len(before), len(now)), longest))):
        old_item = before[index] if index < len(before) else old.get("items", True)
        new_item = now[index] if index < len(now) else new.get("items", True)
        yield from _compare(pair.with_parts(old_item, new_item), f"{path}[{index}]", seen)
    if longest > len(before) and (not before or "items" in new):
        yield from _compare(pair.with_parts(old.get("items", True), new.get("items", True)), f"{path}[]", seen)


def _reference(schema: Schema) -> str:
    return schema.get("$ref", "") if isinstance(schema, dict) else ""


def _resolved(schema: Schema, root: Schema) -> Schema:
    """The schema itself, where it is a reference: of ``#/$defs/…``, which is all that pydantic writes."""
    for _ in range(32):
        if not isinstance(schema, dict):
            return schema
        if "$either" in schema:
            either = _resolved(schema["$either"], root)
            rest = {name: value for name, value in schema.items() if name != "$either"}
            schema = {**rest, **either} if isinstance(either, dict) else rest
        elif "$ref" in schema:
            rest = {name: value for name, value in schema.items() if name != "$ref"}
            target = root.get("$defs", {}).get(schema["$ref"].removeprefix("#/$defs/"), {})
            schema = {**target, **rest} if isinstance(target, dict) else target
        else:
            return schema
    return schema


def _judged(schema: Schema) -> bool:
    """Whether the schema takes less than everything."""
    return not isinstance(schema, dict) or bool(set(schema) - _NOTES - {"$defs"})


def _constants(schema: dict[str, Any]) -> list[Any]:
    return list(schema["enum"]) if "enum" in schema else [schema["const"]]


def _is_of(value: Any, schema: dict[str, Any]) -> bool:
    kinds = {"null": type(None), "boolean": bool, "string": str, "array": list, "object": dict}
    wanted = schema.get("type")
    if wanted in ("integer", "number"):
        return isinstance(value, int if wanted == "integer" else int | float) and not isinstance(value, bool)
    return wanted not in kinds or isinstance(value, kinds[wanted])


def _named(schema: Schema, root: Schema = None) -> str:
    """A schema in a word or two."""
    found = _resolved(schema, root or {}) if isinstance(schema, dict) else schema
    if not isinstance(found, dict):
        return "anything" if found else "nothing"
    if "enum" in found or "const" in found:
        return _shown(_constants(found))
    kind = found.get("type")
    word = str(kind) if kind else "anything"
    return (
        f"{word} ({found['format']})"
        if "format" in found
        else f"{word} ({found['title']})"
        if "title" in found
        else word
    )


def _shown(values: list[Any]) -> str:
    return ", ".join(map(repr, values[:8])) + (", …" if len(values) > 8 else "")


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
