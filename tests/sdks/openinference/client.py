"""OpenInference, as its documentation says: an instrumentor, and `using_attributes` around a turn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import openai
import turns
from openinference.instrumentation import using_attributes
from openinference.instrumentation.openai import OpenAIInstrumentor
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
OpenAIInstrumentor().instrument(tracer_provider=provider)
trace.set_tracer_provider(provider)
tracer = trace.get_tracer("app")


def turn(session: str, user: str, ask: Callable[[Any], object]) -> None:
    """One turn, one trace."""
    client = openai.OpenAI(base_url=turns.base_url(session), api_key="sk-none")
    with (
        using_attributes(session_id=session, user_id=user, metadata=turns.METADATA, tags=turns.TAGS),
        tracer.start_as_current_span("turn"),
    ):
        ask(client)


turns.play(turn)
provider.shutdown()
