"""docs/instrumentations.md says what the data says: every set-up has a row, every attribute named is a rule.

`ROWS` ties the rows to the data: captures, samples and live clients by the name of the row that speaks of them.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

ROOT: Final = Path(__file__).parents[2]
DATA: Final = ROOT / "tests" / "data"
DOC: Final = (ROOT / "docs" / "instrumentations.md").read_text()
RULES: Final = ROOT / "processor" / "conventions" / "attributes.yaml"
TABLE: Final = DOC.partition("## The table")[2].partition("\n## ")[0]


@dataclass(frozen=True)
class Evidence:
    """What a row rests on."""

    live: tuple[str, ...] = ()
    captures: tuple[str, ...] = ()
    samples: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """As the row says it."""
        said = {"live": self.live, "captured": self.captures, "sample": self.samples}
        return ", ".join(word for word, names in said.items() if names) or "read"


ROWS: Final = {
    "OpenTelemetry SDK": Evidence(live=("otel", "otel_js"), samples=("semconv_strings_resource_session",)),
    "OTel GenAI contrib": Evidence(captures=("py-genai-openai-v2",)),
    "OpenInference": Evidence(
        live=("openinference",),
        captures=("py-openinference-openai", "py-openinference-anthropic", "js-openinference"),
    ),
    "OpenInference for LangChain, LangGraph": Evidence(
        captures=("py-openinference-langchain",), samples=("openinference_langchain_plus_openai",)
    ),
    "OpenAI Agents SDK": Evidence(
        captures=("py-openai-agents-openinference",), samples=("openinference_openai_agents",)
    ),
    "smolagents": Evidence(captures=("py-openinference-smolagents",)),
    "OpenLLMetry": Evidence(
        live=("traceloop",),
        captures=("py-traceloop-openai", "py-traceloop-anthropic"),
        samples=("openllmetry_legacy", "openllmetry_current"),
    ),
    "Langfuse": Evidence(
        live=("langfuse",),
        captures=("py-langfuse-openai", "py-langfuse3-openai", "js-langfuse"),
        samples=("langfuse_sdk",),
    ),
    "Laminar": Evidence(live=("lmnr",), captures=("py-lmnr", "js-laminar"), samples=("laminar",)),
    "AgentOps": Evidence(captures=("py-agentops",), samples=("agentops_v4",)),
    "AgentMark": Evidence(
        captures=("js-agentmark-sdk",), samples=("agentmark_sdk", "agentmark_grouping", "agentmark_runner_double")
    ),
    "Agentuity": Evidence(captures=("js-agentuity",), samples=("agentuity",)),
    "Vercel AI SDK 5 and 6": Evidence(live=("ai_sdk",), captures=("js-ai-sdk-v6",), samples=("vercel_ai_v6",)),
    "Vercel AI SDK 7": Evidence(captures=("js-ai-sdk-v7",), samples=("vercel_ai_v7_genai",)),
    "LangSmith": Evidence(captures=("py-langsmith-otel",), samples=("langsmith_otel",)),
    "MLflow": Evidence(captures=("py-mlflow",)),
    "Pydantic AI, Logfire": Evidence(
        captures=("py-pydantic-ai-logfire", "py-pydantic-ai-anthropic"), samples=("pydantic_ai",)
    ),
    "Google ADK": Evidence(captures=("py-google-adk",)),
    "Strands Agents": Evidence(captures=("py-strands-agents",), samples=("strands",)),
    "Claude Code": Evidence(samples=("claude_code",)),
    "Codex": Evidence(),
    "Gemini CLI": Evidence(),
    "OpenLIT": Evidence(captures=("py-openlit", "js-openlit"), samples=("openlit_anthropic_exclusive",)),
    "LiteLLM": Evidence(captures=("py-litellm-otel", "py-litellm-otel-parent")),
    "Genkit": Evidence(captures=("js-genkit",)),
    "Mastra": Evidence(),
    "LangWatch": Evidence(),
    "Anthropic SDK": Evidence(live=("anthropic",), captures=("py-anthropic-native", "js-anthropic-native")),
    "Weave": Evidence(),
    "Braintrust": Evidence(samples=("braintrust",)),
    "Opik": Evidence(samples=("opik",)),
    "CrewAI": Evidence(),
    "AG2": Evidence(),
    "LiveKit Agents": Evidence(samples=("livekit",)),
    "VoltAgent": Evidence(),
    "Semantic Kernel": Evidence(samples=("semantic_kernel",)),
}

# Dotted names in the text that are no attributes: log events, counters, and a table.
EVENTS_AND_COUNTERS: Final = {
    "claude_code.api_request", "claude_code.cost.usage", "claude_code.token.usage", "codex.sse_event",
    "gemini_cli.api_response", "gemini_cli.token.usage", "gen_ai.client.inference.operation.details",
}  # fmt: skip
DOTTED: Final = re.compile(r"@?[A-Za-z_][\w:]*(?:\.[\w*]+)+\*?|[a-z]+:[\w:]+|@[a-z]+/\w+")


def rows() -> dict[str, tuple[str, str]]:
    """Each row's evidence and whole text, by its name."""
    lines = [line for line in TABLE.splitlines() if line.startswith("| **")]
    matches = [re.match(r"\| \*\*(.+?)\*\*.*?\. \*([a-z, ]+)\* \|", line) for line in lines]
    return {match[1]: (match[2], line) for match, line in zip(matches, lines, strict=True) if match}


def keys_of(rules: Any) -> set[str]:
    """Every word in the rules that may be a key: of all texts but where a fact comes from, and why."""
    if isinstance(rules, dict):
        said = [value for name, value in rules.items() if name not in ("src", "why", "note")]
        return {str(name) for name in rules}.union(*map(keys_of, said))
    if isinstance(rules, list):
        return set().union(*map(keys_of, rules))
    return {rules, *re.split(r"[\s,()]+", rules)} if isinstance(rules, str) else set()


@pytest.fixture(scope="module")
def keys() -> set[str]:
    """The keys, prefixes and names of the rules."""
    path = RULES if RULES.exists() else DATA / "attributes.yaml"
    return keys_of(yaml.safe_load(path.read_text()))


def test_rows_are_those_of_the_mapping() -> None:
    """No row without an entry, no entry without a row, none twice; each row has its four cells."""
    assert list(rows()) == list(ROWS)
    assert {name: len(re.findall(r"(?<!\\)\|", line)) for name, (_, line) in rows().items()} == dict.fromkeys(ROWS, 5)


@pytest.mark.parametrize("name", ROWS)
def test_a_row_says_what_it_rests_on(name: str) -> None:
    """Nothing is called live, captured or sampled that is not."""
    assert rows()[name][0] == ROWS[name].words


def test_every_sample_has_a_row() -> None:
    """Whoever adds a sample adds a row, or names the one that speaks of it."""
    samples = json.loads((DATA / "samples.json").read_text())
    assert sorted(name for row in ROWS.values() for name in row.samples) == sorted(samples)


def test_every_capture_has_a_row() -> None:
    """The set-ups whose exports are replayed; those in the repository are all among them."""
    named = [name for row in ROWS.values() for name in row.captures]
    assert len(named) == len(set(named)) == 32
    assert {path.parent.name for path in (DATA / "captures").glob("*/expected.json")} <= set(named)


def test_every_live_client_has_a_row() -> None:
    """The clients of `make test-sdks`."""
    clients = {path.parent.name for path in (ROOT / "tests" / "sdks").glob("*/client.*")}
    assert sorted(name for row in ROWS.values() for name in row.live) == sorted(clients)


def test_every_attribute_named_is_in_the_rules(keys: set[str]) -> None:
    """No key is promised that is not read: dotted names in backticks are rules, or begin some (`ai.usage.*`)."""
    prose = re.sub(r"```.*?```", "", DOC, flags=re.DOTALL)
    named = {word for word in re.findall(r"`([^`\n]+)`", prose) if DOTTED.fullmatch(word)} - EVENTS_AND_COUNTERS
    assert len(named) > 100
    unknown = {
        word for word in named if word not in keys and not (word[-1] == "*" and any_begins(keys, word.rstrip("*")))
    }
    assert unknown == set()


def any_begins(keys: set[str], prefix: str) -> bool:
    """Whether some key lies below a prefix."""
    return any(key.startswith(prefix) for key in keys)


def test_links_lead_to_headings() -> None:
    """Links within the page."""
    headings = {
        re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in re.findall(r"^#+ (.+)$", DOC, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", DOC)) - headings == set()
