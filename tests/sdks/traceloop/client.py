"""Traceloop (OpenLLMetry), as its documentation says: `init`, a workflow, association properties."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import openai
import turns
from opentelemetry import trace
from traceloop.sdk import Traceloop
from traceloop.sdk.decorators import workflow

# TRACELOOP_BASE_URL names our port, TRACELOOP_TELEMETRY turns off what it reports about itself.
Traceloop.init(app_name="travel-bot", telemetry_enabled=False)


@workflow(name="turn")
def turn(session: str, user: str, ask: Callable[[Any], object]) -> None:
    """One turn, one trace."""
    Traceloop.set_association_properties({"session_id": session, "user_id": user, **turns.METADATA})
    ask(openai.OpenAI(base_url=turns.base_url(session), api_key="sk-none"))


turns.play(turn)
trace.get_tracer_provider().shutdown()
