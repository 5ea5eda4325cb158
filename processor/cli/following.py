"""What is new in a list of sessions that is looked at again and again.

Pure: no clock, no requests. Must never report the same state of a session twice, and never one that was there before
the first look as new.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from typing import Any, Final

KNOWN_MAX: Final = 100_000

Session = dict[str, Any]


class Event(StrEnum):
    """What a look finds of a session."""

    SEEN = "seen"  # it was there at the first look
    NEW = "new"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Change:
    """A session, and why it is reported."""

    event: Event
    session: Session


class Follower:
    """Remembers a digest of what was reported of each session.

    `state` is what has to differ for a session to have changed. Sessions are looked at by their `end`, the latest
    first; the API's times compare as text. `known_max` of them are remembered: one that was forgotten, or that lies
    below a first page that was full, is not reported until its end rises.
    """

    def __init__(self, state: Callable[[Session], str], known_max: int = KNOWN_MAX) -> None:
        self._state = state
        self._known_max = known_max
        self._known: dict[str, tuple[str, bytes]] = {}
        self._horizon = ""
        self._has_looked = False

    def look(self, sessions: Sequence[Session], *, is_all: bool) -> list[Change]:
        """Changes among a page of sessions, in its order; `is_all`: no further page lies behind it."""
        event = Event.NEW if self._has_looked else Event.SEEN
        if not self._has_looked and not is_all:
            self._horizon = sessions[-1]["end"]
        self._has_looked = True
        found = []
        for session in sessions:
            digest = blake2b(self._state(session).encode(), digest_size=16).digest()
            before = self._known.pop(session["id"], None)
            # Put back at the end, so that what was not looked at for longest is forgotten first.
            self._known[session["id"]] = (session["end"], digest)
            if before is not None:
                if before[1] != digest:
                    found.append(Change(Event.CHANGED, session))
            elif event is Event.SEEN or session["end"] > self._horizon:
                found.append(Change(event, session))
        while len(self._known) > self._known_max:
            end, _ = self._known.pop(next(iter(self._known)))
            self._horizon = max(self._horizon, end)
        return found
