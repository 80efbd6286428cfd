"""What a JSON Schema took and another does not take any more. Pure.

It knows what pydantic writes of Python types. What it cannot judge it reports: a check that is silent about what it
does not understand is worth nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from celeriac.app.unsaid import KEYS, KEYWORD, refuses_more, with_facts

Schema = Any
"""A JSON Schema: an object, or true or false."""

_NOTES = frozenset({"title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "$comment"})
_ENDS = (
    (("minimum", "exclusiveMinimum"), 1),
    (("maximum", "exclusiveMaximum"), -1),
    *(((f"min{each}",), 1) for each in ("Length", "Items", "Properties", "Contains")),
    *(((f"max{each}",), -1) for each in ("Length", "Items", "Properties", "Contains")),
)
"""Keywords that bound the same, and the sign with which more is tighter."""
_SAME = ("pattern", "format", "contentEncoding", "contentMediaType", "patternProperties",
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
        yield _another(old, new, path)
        return
    yield from [*_bounds(old, new, path), *_unjudged(old, new, path)] or _unsaid(old, new, path)
    yield from _object(pair, path, seen)
    yield from _array(pair, path, seen)


def _values(values: list[Any], new: dict[str, Any], path: str) -> Iterator[Narrowing]:
    constants = _constants(new) if "enum" in new or "const" in new else None
    gone = [value for value in values if not (_taken(value, new) if constants is None else _among(value, constants))]
    if gone:
        yield Narrowing(path, f"{_shown(gone)} {'is' if len(gone) == 1 else 'are'} not taken any more")


def _among(value: Any, constants: list[Any]) -> bool:
    """Python takes true for 1; JSON does not."""
    return any(value == each and isinstance(value, bool) is isinstance(each, bool) for each in constants)


def _taken(value: Any, new: dict[str, Any]) -> bool:
    exactly = _exactly(value)
    return not any(_single(_Pair(exactly, new, exactly, new), "", frozenset()))


def _exactly(value: Any) -> dict[str, Any]:
    """What is known of a constant, as a schema that has no constants."""
    if value is None or isinstance(value, bool):
        return {"type": "null" if value is None else "boolean"}
    if isinstance(value, str):
        return {"type": "string", "minLength": len(value), "maxLength": len(value)}
    if isinstance(value, int | float):
        kind = "integer" if isinstance(value, int) else "number"
        return {"type": kind, "minimum": value, "maximum": value, "multipleOf": value}
    return {"type": "array" if isinstance(value, list) else "object"}


def _another(old: dict[str, Any], new: dict[str, Any], path: str) -> Narrowing:
    kinds = _named(old), _named(new)
    return Narrowing(path, f"it was {kinds[0]}, and is {kinds[1]} now", kinds)


def _unsaid(old: dict[str, Any], new: dict[str, Any], path: str) -> Iterator[Narrowing]:
    if refuses_more(old.get(KEYWORD, []), new.get(KEYWORD, [])):
        yield _another(old, new, path)


def _type_fits(old: dict[str, Any], new: dict[str, Any]) -> bool:
    if "type" not in new:
        return True
    return old.get("type") == new["type"] or (old.get("type"), new["type"]) == ("integer", "number")


def _bounds(old: dict[str, Any], new: dict[str, Any], path: str) -> Iterator[Narrowing]:
    whole = old.get("type") == "integer"
    for keywords, sign in _ENDS:
        before, now = (_edge(each, keywords, sign, whole) for each in (old, new))
        if now is not None and (before is None or now[0] > before[0]):
            was = "" if before is None else f", and {before[1]} was {old[before[1]]}"
            was = was.replace(f"{now[1]} was", "was")
            yield Narrowing(path, f"{now[1]} is {new[now[1]]} now{was}")
    if new.get("uniqueItems") and not old.get("uniqueItems"):
        yield Narrowing(path, "its items must be unique now")


def _edge(schema: dict[str, Any], keywords: tuple[str, ...], sign: int, whole: bool) -> tuple[Any, str] | None:
    """The tightest of the bounds, as something that is greater where it is tighter, and its keyword."""
    found = []
    for keyword in set(keywords) & set(schema):
        end, beyond = schema[keyword] * sign, keyword.startswith("exclusive")
        found.append(((math.floor(end) + 1, False) if whole and beyond else (end, beyond), keyword))
    return max(found, default=None)


def _unjudged(old: dict[str, Any], new: dict[str, Any], path: str) -> Iterator[Narrowing]:
    for keyword in _SAME:
        if keyword in new and new[keyword] != old.get(keyword):
            yield Narrowing(path, f"its {keyword} is new" if keyword not in old else f"its {keyword} is another")
    if "contentEncoding" in old and new.get("type") == "string" and "contentEncoding" not in new:
        yield Narrowing(path, f"its contentEncoding is gone, so it would be read as {old['contentEncoding']} text")
    if "multipleOf" in new and not _is_multiple(old.get("multipleOf"), new["multipleOf"]):
        yield Narrowing(path, f"its multipleOf is {'another' if 'multipleOf' in old else 'new'}")
    bounds = {keyword for keywords, _ in _ENDS for keyword in keywords}
    known = {*_NOTES, *bounds, *_SAME, "multipleOf", "type", "enum", "const", "$defs", "properties", "required",
        "additionalProperties", "propertyNames", "items", "prefixItems", "uniqueItems", "discriminator",
        KEYWORD}  # fmt: skip
    for keyword in sorted(set(new) - known):
        if new[keyword] != old.get(keyword):
            yield Narrowing(path, f"its {keyword} has changed, which cannot be judged")


def _is_multiple(old: float | None, new: float) -> bool:
    """Only whole numbers: of others pydantic and JSON Schema have each their own idea."""
    return old == new or (isinstance(old, int) and isinstance(new, int) and new != 0 and old % new == 0)


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
    keys = pair.with_parts(_keys(old), _keys(new))
    yield from (Narrowing(path, f"of its keys, {each.what}") for each in _compare(keys, path, seen))


def _keys(schema: dict[str, Any]) -> Schema:
    names = schema.get("propertyNames", True)
    return names.get(KEYS, names) if isinstance(names, dict) else names


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
            schema = _over(rest, either) if isinstance(either, dict) else rest
        elif "$ref" in schema:
            rest = {name: value for name, value in schema.items() if name != "$ref"}
            target = root.get("$defs", {}).get(schema["$ref"].removeprefix("#/$defs/"), {})
            schema = _over(target, rest) if isinstance(target, dict) else target
        else:
            return schema
    return schema


def _over(schema: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """One over the other, and the facts of both."""
    under = {name: value for name, value in more.items() if name != KEYWORD}
    return with_facts({**schema, **under}, more.get(KEYWORD, []))


def _judged(schema: Schema) -> bool:
    """Whether the schema takes less than everything."""
    return not isinstance(schema, dict) or bool(set(schema) - _NOTES - {"$defs"})


def _constants(schema: dict[str, Any]) -> list[Any]:
    return list(schema["enum"]) if "enum" in schema else [schema["const"]]


def _named(schema: Schema, root: Schema = None) -> str:
    """A schema in a word or two."""
    found = _resolved(schema, root or {}) if isinstance(schema, dict) else schema
    if not isinstance(found, dict):
        return "anything" if found else "nothing"
    if "enum" in found or "const" in found:
        return _shown(_constants(found))
    more = ", ".join(found.get(KEYWORD, ())) or found.get("format") or found.get("title")
    word = str(found.get("type") or "anything")
    return f"{word} ({more})" if more else word


def _shown(values: list[Any]) -> str:
    return ", ".join(map(repr, values[:8])) + (", …" if len(values) > 8 else "")


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
