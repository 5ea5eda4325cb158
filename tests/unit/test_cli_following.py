"""What `sessions tail` reports of the pages it looks at."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from processor.cli.following import Change, Event, Follower


def session(number: int, end: int, traces: int = 1) -> dict[str, Any]:
    """A session as the API has it, as far as a follower looks."""
    return {"id": f"s{number}", "end": f"{end:06}", "trace_count": traces}


def follower(known_max: int = 100) -> Follower:
    """One for which everything counts."""
    return Follower(json.dumps, known_max)


def told(changes: list[Change]) -> list[tuple[str, str]]:
    """Event and id."""
    return [(change.event.value, change.session["id"]) for change in changes]


def test_the_first_look_is_no_news() -> None:
    """What is there then is seen; what comes later is new."""
    looking = follower()
    assert told(looking.look([session(1, 1)], is_all=True)) == [("seen", "s1")]
    assert told(looking.look([session(2, 2), session(1, 1)], is_all=True)) == [("new", "s2")]


def test_a_state_is_told_once() -> None:
    """The same again is silence, another state is a change."""
    looking = follower()
    looking.look([session(1, 1)], is_all=True)
    assert looking.look([session(1, 1)], is_all=True) == []
    assert told(looking.look([session(1, 2, traces=2)], is_all=True)) == [("changed", "s1")]
    assert looking.look([session(1, 2, traces=2)], is_all=True) == []


def test_only_what_the_state_says_is_a_change() -> None:
    """A line that would read alike is not written twice."""
    looking = Follower(lambda found: str(found["trace_count"]))
    looking.look([session(1, 1)], is_all=True)
    assert looking.look([session(1, 9)], is_all=True) == []


def test_an_old_session_that_moves_up_into_the_page_is_not_new() -> None:
    """When others are deleted, what lay below the first page comes into sight; it has not changed."""
    looking = follower()
    looking.look([session(3, 30), session(2, 20)], is_all=False)
    assert looking.look([session(3, 30), session(1, 10)], is_all=False) == []
    assert told(looking.look([session(1, 31), session(3, 30)], is_all=False)) == [("changed", "s1")]


def test_a_late_session_is_new_where_the_first_page_held_everything() -> None:
    """Its end may lie before all others."""
    looking = follower()
    looking.look([session(3, 30)], is_all=True)
    assert told(looking.look([session(3, 30), session(1, 10)], is_all=True)) == [("new", "s1")]


def test_nothing_at_the_first_look_is_a_look() -> None:
    """An empty store begins with silence, and its first session is new."""
    looking = follower()
    assert looking.look([], is_all=True) == []
    assert told(looking.look([session(1, 1)], is_all=True)) == [("new", "s1")]


@given(st.lists(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 2)), max_size=8)))
def test_memory_is_bounded_and_no_state_comes_twice(looks: list[list[tuple[int, int]]]) -> None:
    """However sessions grow, and whichever are on the page, with a memory for three; forgetting makes it silent."""
    looking = follower(known_max=3)
    grown: dict[int, int] = {}
    told_states: set[tuple[str, int]] = set()
    for number, look in enumerate(looks):
        for who, traces in look:
            grown[who] = grown.get(who, 0) + traces
        sessions = [session(who, grown[who], grown[who]) for who in {who for who, _ in look}]
        for change in looking.look(sorted(sessions, key=lambda found: found["end"], reverse=True), is_all=True):
            state = (change.session["id"], change.session["trace_count"])
            assert state not in told_states
            assert (change.event is Event.SEEN) == (number == 0)
            told_states.add(state)
        assert len(looking._known) <= 3
