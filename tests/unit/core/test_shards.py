"""Which shard a namespace belongs to."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from celeriac_operator.core.shards import shard_of

NAMESPACES = [f"team-{number}" for number in range(1200)]


@given(st.text(min_size=1, max_size=63), st.integers(1, 64))
def test_every_namespace_has_one_shard(namespace: str, shards: int) -> None:
    assert 0 <= shard_of(namespace, shards) < shards


def test_it_never_changes_from_one_release_to_the_next() -> None:
    """Two versions run at once during an upgrade: they must agree."""
    assert [1, 1, 2, 2] == [shard_of(name, 3) for name in ("default", "media", "reports", "team-a")]


@pytest.mark.parametrize("shards", [1, 2, 3, 8])
def test_namespaces_are_spread_evenly(shards: int) -> None:
    counts = Counter(shard_of(name, shards) for name in NAMESPACES)

    assert shards == len(counts)
    assert max(counts.values()) < 1.3 * len(NAMESPACES) / shards


def test_one_shard_more_moves_only_what_it_gets() -> None:
    moved = {shard_of(name, 4) for name in NAMESPACES if shard_of(name, 4) != shard_of(name, 3)}

    assert {3} == moved
