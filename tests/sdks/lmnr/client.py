"""Laminar, as its documentation says for a server of one's own: base URL and ports, `observe`."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import openai
import turns
from lmnr import Laminar, observe

Laminar.initialize(
    project_api_key="none",
    base_url="http://127.0.0.1",
    grpc_port=int(os.environ["OTLP_GRPC_PORT"]),
    http_port=int(os.environ["OTLP_HTTP_PORT"]),
)


def turn(session: str, user: str, ask: Callable[[Any], object]) -> None:
    """One turn, one trace."""

    @observe(name="turn", session_id=session, user_id=user, tags=turns.TAGS, metadata=turns.METADATA)
    def run() -> None:
        ask(openai.OpenAI(base_url=turns.base_url(session), api_key="sk-none"))

    run()


turns.play(turn)
Laminar.shutdown()
