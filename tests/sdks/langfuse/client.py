"""Langfuse, as its documentation says: its OpenAI wrapper, `observe`, `propagate_attributes` inside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import turns
from langfuse import get_client, observe, propagate_attributes
from langfuse.openai import OpenAI


@observe(name="turn", capture_input=False, capture_output=False)
def turn(session: str, user: str, ask: Callable[[Any], object]) -> None:
    """One turn, one trace."""
    with propagate_attributes(session_id=session, user_id=user, tags=turns.TAGS, metadata=turns.METADATA):
        ask(OpenAI(base_url=turns.base_url(session), api_key="sk-none"))


turns.play(turn)
get_client().shutdown()
