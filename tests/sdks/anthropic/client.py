"""The Anthropic SDK's own spans: all they need is a tracer provider. The session stands on the application's root."""

from __future__ import annotations

import claude_turns
import scenario
from anthropic import Anthropic
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)
tracer = trace.get_tracer("app")


def turn(session: str, user: str, ask: scenario.Ask) -> None:
    """One turn, one trace."""
    with tracer.start_as_current_span("turn") as root:
        root.set_attribute("session.id", session)
        root.set_attribute("user.id", user)
        root.set_attribute("tag.tags", scenario.TAGS)
        root.set_attribute("metadata.plan", scenario.METADATA["plan"])
        ask(Anthropic(base_url=scenario.model_server_url(session), api_key="sk-none"))


claude_turns.play(turn)
provider.shutdown()
