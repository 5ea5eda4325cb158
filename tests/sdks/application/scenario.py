"""The two conversations that every client plays, and what they are called.

Imported by the clients, in the virtual environments of their SDKs.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

UNKNOWN_MODEL = "no-such-model"
TAGS = ["live", "sdk"]
METADATA = {"plan": "gold"}

Ask = Callable[[Any], object]
Turn = Callable[[str, str, Ask], None]


def play(turn: Turn, plain: Ask, tool: Ask, stream: Ask, failing: Ask, refusal: type[Exception]) -> None:
    """Two sessions: three turns that go well, then one that does and one that fails.

    `turn(session, user, ask)` is the client's: it calls `ask` with a client of the model API, in a trace of its own.
    """
    a, b = f"{os.environ['SESSION_PREFIX']}-A", f"{os.environ['SESSION_PREFIX']}-B"
    turn(a, "ada", plain)
    turn(a, "ada", tool)
    turn(a, "ada", stream)
    turn(b, "grace", plain)
    try:
        turn(b, "grace", failing)
    except refusal:
        return
    raise AssertionError("the model API has not refused")


def model_server_url(session: str) -> str:
    """The stand-in model API that bills this session."""
    return f"{os.environ['MODEL_SERVER_URL']}/{session}"
