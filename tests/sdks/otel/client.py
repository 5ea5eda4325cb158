"""OpenTelemetry's SDK alone, as our README says: spans by hand, the session on the root, usage on the calls."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import openai
import turns
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

provider = TracerProvider(resource=Resource.create({"service.name": "travel-bot"}))
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)
tracer = trace.get_tracer("travel-bot")


def record(span: trace.Span, response: Any) -> None:
    """Put model and usage of a response on its span."""
    span.set_attribute("gen_ai.response.model", response.model)
    span.set_attribute("gen_ai.usage.input_tokens", response.usage.prompt_tokens)
    if getattr(response, "id", None):
        span.set_attribute("gen_ai.response.id", response.id)
        span.set_attribute("gen_ai.usage.output_tokens", response.usage.completion_tokens)
        span.set_attribute("gen_ai.usage.cache_read.input_tokens", response.usage.prompt_tokens_details.cached_tokens)
        span.set_attribute(
            "gen_ai.usage.reasoning.output_tokens", response.usage.completion_tokens_details.reasoning_tokens
        )


class Traced:
    """A client whose calls have spans."""

    def __init__(self, operation: str, create: Callable[..., Any]) -> None:
        self._operation = operation
        self._create = create

    def create(self, **request: Any) -> Any:
        """One call, one span; a stream is read to its end inside it."""
        with tracer.start_as_current_span(f"{self._operation} {request['model']}") as span:
            span.set_attribute("gen_ai.operation.name", self._operation)
            span.set_attribute("gen_ai.provider.name", "openai")
            span.set_attribute("gen_ai.request.model", request["model"])
            response = self._create(**request)
            if request.get("stream"):
                response = list(response)
            record(span, response[-1] if request.get("stream") else response)
            return response


class Client:
    """The part of OpenAI's client that the turns use."""

    def __init__(self, session: str) -> None:
        client = openai.OpenAI(base_url=turns.base_url(session), api_key="sk-none")
        self.embeddings = Traced("embeddings", client.embeddings.create)
        self.chat = self
        self.completions = Traced("chat", client.chat.completions.create)


def turn(session: str, user: str, ask: Callable[[Any], object]) -> None:
    """One turn, one trace."""
    with tracer.start_as_current_span("turn") as root:
        root.set_attribute("gen_ai.operation.name", "invoke_agent")
        root.set_attribute("session.id", session)
        root.set_attribute("user.id", user)
        root.set_attribute("tag.tags", turns.TAGS)
        root.set_attribute("metadata", json.dumps(turns.METADATA))
        ask(Client(session))


turns.play(turn)
provider.shutdown()
