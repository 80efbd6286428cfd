"""Who is next where Tasks wait for workers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tests.support.clock import at

from celeriac_operator.core.admission.standing import Asks, QueueKey
from celeriac_operator.core.definition import DefinitionKey
from celeriac_operator.core.facts import Key
from celeriac_operator.core.warm.crowd import Crowd, Kind

DEFINITION = DefinitionKey("media", "resize")
NOW, OLD = Kind(DEFINITION, "now"), Kind(DEFINITION, "old")


def task(name: str) -> Key:
    return Key("media", name)


def asks(since: float = 0, priority: int = 0) -> Asks:
    return Asks(QueueKey("media", "default"), priority, at(since))


def crowd(*names: str, kind: Kind = NOW) -> Crowd:
    """They came in this order."""
    found = Crowd()
    for second, name in enumerate(names):
        found.put(task(name), kind, asks(second))
    return found


def test_who_came_first_is_first() -> None:
    assert crowd("b", "a", "c").call(NOW, 2) == [task("b"), task("a")]


def test_priority_comes_before_age() -> None:
    sut = crowd("a", "b")
    sut.put(task("c"), NOW, asks(9, priority=5))

    assert sut.call(NOW, 1) == [task("c")]


def test_who_was_called_keeps_its_slot_until_it_was_looked_at() -> None:
    sut = crowd("a", "b")
    sut.call(NOW, 1)

    assert sut.call(NOW, 1) == []
    assert sut.may_go(task("a"), NOW, 1)
    assert not sut.may_go(task("b"), NOW, 1)
    assert not sut.may_go(task("new"), NOW, 1)


def test_who_was_called_and_waits_again_is_called_again() -> None:
    sut = crowd("a", "b")
    sut.call(NOW, 1)
    sut.put(task("a"), NOW, asks(0))

    assert sut.call(NOW, 1) == [task("a")]


def test_who_goes_makes_room_for_the_next() -> None:
    sut = crowd("a", "b")
    sut.call(NOW, 1)
    sut.drop(task("a"))

    assert sut.call(NOW, 1) == [task("b")]


def test_a_newcomer_gets_what_is_left_over() -> None:
    sut = crowd("a")

    assert not sut.may_go(task("new"), NOW, 1)
    assert sut.may_go(task("new"), NOW, 2)
    assert sut.may_go(task("a"), NOW, 1)
    assert not sut.may_go(task("a"), NOW, 0)


def test_contents_have_crowds_of_their_own() -> None:
    sut = crowd("a")
    sut.put(task("b"), OLD, asks())

    assert (sut.call(OLD, 5), sut.call(NOW, 5)) == ([task("b")], [task("a")])
    assert set(sut.kinds_of(DEFINITION)) == {NOW, OLD}
    sut.drop(task("b"))
    assert sut.kinds_of(DEFINITION) == [NOW]
    assert (sut.count(NOW), sut.count(OLD), sut.all_of(NOW)) == (1, 0, [task("a")])


names = st.sampled_from("abcde")
steps = st.lists(st.tuples(st.sampled_from(["put", "drop", "call"]), names, st.integers(0, 3)), max_size=40)


@given(steps)
def test_nobody_is_forgotten_whatever_happens(done: list[tuple[str, str, int]]) -> None:
    sut, waits = Crowd(), set[Key]()
    for what, name, number in done:
        if what == "put":
            sut.put(task(name), NOW, asks(number))
            waits.add(task(name))
        elif what == "drop":
            sut.drop(task(name))
            waits.discard(task(name))
        else:
            sut.call(NOW, number)
        assert sut.count(NOW) == len(waits)
    for key in waits:
        sut.put(key, NOW, asks())

    assert set(sut.call(NOW, 99)) == waits
