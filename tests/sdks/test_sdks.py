"""Published SDKs, as their users have them, show their sessions with the model API's own numbers.

Each client plays the same two conversations: three turns (plain, with a tool, streamed), and a turn that goes well
before one that fails. What is expected is computed from what the stand-in model API billed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import httpx
import pytest

from tests.integration.process import ANY_PORTS, TIMEOUT_S, Running
from tests.sdks.billing import Call, Usage
from tests.sdks.environments import run_client
from tests.sdks.model_server import ModelServer, model_server

# The first run installs the clients.
pytestmark = [pytest.mark.sdks, pytest.mark.timeout(1800)]

Row = dict[str, Any]
ROLLUP_TIMEOUT_S = 10
NANO_USD = Decimal("1e-9")
# REST says what a session is and costs; its labels and the details of its tokens are columns of the view.
WITH_SQL = ANY_PORTS.replace("extensions: {", 'extensions: {clickhouse_http: {endpoint: "127.0.0.1:0"}, ')
VIEW = ("cache_read_tokens", "cache_write_tokens", "reasoning_tokens", "tags", "metadata")
TAGS, METADATA = ["live", "sdk"], {"plan": "gold"}


@dataclass(frozen=True)
class Loss:
    """What an SDK is told by the model API and does not send: which fields, of which calls, and how we know."""

    fields: tuple[str, ...]
    calls: Callable[[Call], bool]
    reason: str


@dataclass(frozen=True)
class Client:
    """An SDK: how it is told our port, with `{grpc}` and `{http}` for the URLs of the receiver, and what it loses."""

    environment: dict[str, str]
    losses: tuple[Loss, ...] = ()
    has_tags: bool = True


CLIENTS: dict[str, Client] = {
    "otel": Client({"OTEL_EXPORTER_OTLP_ENDPOINT": "{grpc}"}),
    "otel_js": Client({"OTEL_EXPORTER_OTLP_ENDPOINT": "{http}"}),
    "openinference": Client({"OTEL_EXPORTER_OTLP_ENDPOINT": "{grpc}"}),
    "traceloop": Client(
        {"TRACELOOP_BASE_URL": "{http}", "TRACELOOP_TELEMETRY": "false"},
        losses=(
            Loss(
                ("reasoning_tokens",),
                lambda call: call.streamed,
                "opentelemetry-instrumentation-openai 0.62.4 sets gen_ai.usage.reasoning_tokens on responses only, "
                "not from the last chunk of a stream; seen in otel_traces",
            ),
        ),
        has_tags=False,  # association properties are all there is
    ),
    "langfuse": Client(
        {
            "LANGFUSE_BASE_URL": "{http}",
            "LANGFUSE_OTEL_TRACES_EXPORT_PATH": "v1/traces",
            "LANGFUSE_PUBLIC_KEY": "pk-lf-none",
            "LANGFUSE_SECRET_KEY": "sk-lf-none",
        }
    ),
    "lmnr": Client({"OTLP_GRPC_PORT": "{grpc_port}", "OTLP_HTTP_PORT": "{http_port}"}),
    "anthropic": Client({"OTEL_EXPORTER_OTLP_ENDPOINT": "{http}"}),
    "ai_sdk": Client({"OTEL_EXPORTER_OTLP_ENDPOINT": "{http}"}),
}


@dataclass(frozen=True)
class Played:
    """What one client's sessions should be and what REST says that they are, by id."""

    client: str
    expected: dict[str, Row]
    seen: dict[str, Row]

    def compare(self, *names: str) -> None:
        """Hold these fields of all sessions against what is expected."""
        seen, expected = (
            {session: {name: row.get(name) for name in names} for session, row in rows.items()}
            for rows in (self.seen, self.expected)
        )
        assert seen == expected


@pytest.fixture(scope="module")
def models() -> Iterator[ModelServer]:
    """One stand-in model API for all clients."""
    with model_server() as server:
        yield server


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One process for all clients."""
    with Running(tmp_path_factory.mktemp("sdks"), WITH_SQL) as process:
        yield process


@pytest.fixture(scope="module", params=CLIENTS)
def played(request: pytest.FixtureRequest, running: Running, models: ModelServer) -> Played:
    """Both conversations of one client, played to their end, and rolled up."""
    client = CLIENTS[request.param]
    ours = {f"{name}": running.url(name) for name in ("grpc", "http")}
    ours |= {f"{name}_port": url.rpartition(":")[2] for name, url in ours.items()}
    environment = {key: value.format(**ours) for key, value in client.environment.items()}
    run_client(request.param, {**environment, "MODEL_SERVER_URL": models.url, "SESSION_PREFIX": request.param})
    users = {f"{request.param}-A": ("ada", 3), f"{request.param}-B": ("grace", 2)}
    expected = {
        session: {"id": session, "user_id": user, "trace_count": traces}
        | totals(models.bill.of(session), client.losses)
        for session, (user, traces) in users.items()
    }
    rest = {session: {k: v for k, v in row.items() if k not in VIEW} for session, row in expected.items()}
    deadline_s = time.monotonic() + ROLLUP_TIMEOUT_S
    while not shows(seen := sessions(running, request.param), rest) and time.monotonic() < deadline_s:
        time.sleep(0.05)
    return Played(request.param, expected, seen)


def shows(seen: dict[str, Row], expected: dict[str, Row]) -> bool:
    """Whether exactly the expected sessions are seen, with all the expected values."""
    return seen.keys() == expected.keys() and all(seen[s] == seen[s] | expected[s] for s in expected)


def totals(bill: list[Call], losses: tuple[Loss, ...]) -> Row:
    """Tokens and cost of the calls on a bill, without what the emitter loses."""
    sent = [replace(call, usage=told(call, losses)) for call in bill]
    input_tokens = sum(call.usage.input_tokens for call in sent)
    output_tokens = sum(call.usage.output_tokens for call in sent)
    return {
        "input_tokens": input_tokens,
        "output_tokens": output_tokens,
        "total_tokens": input_tokens + output_tokens,
        "cache_read_tokens": sum(call.usage.cached_tokens for call in sent),
        "cache_write_tokens": sum(call.usage.cache_write_tokens for call in sent),
        "reasoning_tokens": sum(call.usage.reasoning_tokens for call in sent),
        "total_cost": float(sum(map(price, sent))),
        "unpriced_span_count": 0,
    }


def told(call: Call, losses: tuple[Loss, ...]) -> Usage:
    """What the emitter tells of a call's usage."""
    lost = {field for loss in losses if loss.calls(call) for field in loss.fields}
    return replace(call.usage, **dict.fromkeys(lost, 0))


def price(call: Call) -> Decimal:
    """US dollars, in whole nano-dollars."""
    # A dependency of the processor's; only these tests need it by itself.
    import genai_prices  # noqa: PLC0415

    tokens = genai_prices.Usage(
        input_tokens=call.usage.input_tokens,
        output_tokens=call.usage.output_tokens,
        cache_read_tokens=call.usage.cached_tokens,
        cache_write_tokens=call.usage.cache_write_tokens,
    )
    return genai_prices.calc_price(tokens, call.model, provider_id=call.provider).total_price.quantize(NANO_USD)


def sessions(running: Running, prefix: str) -> dict[str, Row]:
    """The sessions of one client, by id."""
    url = f"{running.url('sessions_api')}/v1/sessions"
    response = httpx.get(url, params={"search": f"{prefix}-", "limit": 1000}, timeout=TIMEOUT_S)
    assert response.status_code == httpx.codes.OK, response.text
    return {row["id"]: row for row in response.json()["data"] if row["id"].rpartition("-")[0] == prefix}


def view(running: Running, prefix: str) -> dict[str, Row]:
    """The same out of the view, by SQL."""
    query = f"SELECT session_id, {', '.join(VIEW)} FROM sessions WHERE match(session_id, '^{prefix}-[AB]$')"
    settings = {"default_format": "JSONEachRow", "output_format_json_quote_64bit_integers": "0"}
    response = httpx.post(running.url("clickhouse_http"), content=query, params=settings, timeout=TIMEOUT_S)
    assert response.status_code == httpx.codes.OK, response.text
    rows = [json.loads(line) for line in response.text.splitlines()]
    return {row.pop("session_id"): row for row in rows}


def test_sessions_are_the_ones_that_were_named(played: Played) -> None:
    """Each conversation is one session, of its user, with all of its turns."""
    played.compare("id", "user_id", "trace_count")


def test_tokens_are_those_that_were_billed(played: Played) -> None:
    """Every call counts once: no wrapper, no stream and no failed call changes the sum."""
    played.compare("input_tokens", "output_tokens", "total_tokens")


def test_cost_is_the_price_of_what_was_billed(played: Played) -> None:
    """Nobody states a cost here: it is computed, with the cached tokens at their own price, and nothing is unpriced."""
    played.compare("total_cost", "unpriced_span_count")


def test_cached_and_reasoning_tokens_are_those_that_were_billed(played: Played, running: Running) -> None:
    """What the model API says about parts of input and output arrives too, as far as the emitter passes it on."""
    names = ("cache_read_tokens", "cache_write_tokens", "reasoning_tokens")
    seen = {session: {name: row[name] for name in names} for session, row in view(running, played.client).items()}
    assert seen == {session: {name: row[name] for name in names} for session, row in played.expected.items()}


def test_tags_and_metadata_are_those_that_were_set(played: Played, running: Running) -> None:
    """Both stand at the session, wherever the emitter puts them; emitters may add metadata of their own."""
    tags = TAGS if CLIENTS[played.client].has_tags else []
    seen = {
        session: (row["tags"], row["metadata"] | METADATA == row["metadata"])
        for session, row in view(running, played.client).items()
    }
    assert seen == dict.fromkeys(played.expected, (tags, True))
