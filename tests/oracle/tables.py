"""The precedence tables: what tests/data/attributes.yaml, the research, says, and the few lines that came after it.

Must not be imported by, or import from, the product: a table with a mistake in it would then agree with itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_DATA = Path(__file__).parents[1] / "data"


def _read_rules() -> dict[str, Any]:
    """The research with what was added to it."""
    rules: dict[str, Any] = yaml.safe_load((_DATA / "attributes.yaml").read_text("utf-8"))
    for addition in yaml.safe_load((_DATA / "attributes_added.yaml").read_text("utf-8")):
        lines: Any = rules
        for name in addition["to"].split("."):
            lines = lines[name]
        names = [line.get("key") if isinstance(line, dict) else line for line in lines]
        place = names.index(addition["before"]) if addition["before"] else len(lines)
        lines[place:place] = addition["add"]
    return rules


RULES = _read_rules()


@dataclass(frozen=True)
class Entry:
    """One line of a list: an attribute, how it is read, and when."""

    key: str
    form: str = ""  # '' as it stands, 'langfuse_usage', 'langfuse_cost', 'json' or 'repr' with `paths`
    paths: tuple[tuple[str, ...], ...] = ()
    only_if: str = ""


def _entry(line: Any) -> Entry:
    if isinstance(line, str):
        return Entry(line)
    form = line.get("form", "")
    if form == "json:total | sum(values)":
        return Entry(line["key"], "langfuse_cost")
    if form.startswith("repr:"):
        return Entry(line["key"], "repr", ((form.removeprefix("repr:"),),))
    if form.startswith("json:"):
        paths = tuple(tuple(path.split(".")) for path in form.removeprefix("json:").split("|"))
        return Entry(line["key"], "json", paths, line.get("only_if", ""))
    return Entry(line["key"], form, (), line.get("only_if", ""))


def _entries(lines: list[Any]) -> tuple[Entry, ...]:
    return tuple(_entry(line) for line in lines if isinstance(line, str) or "key" in line)


def keys(entries: tuple[Entry, ...]) -> tuple[str, ...]:
    """The attributes of a list, in its order."""
    return tuple(entry.key for entry in entries)


_SESSION_IDS = _entries(RULES["session_id"]["own_span"])
_FIRST_WEAK = keys(_SESSION_IDS).index("thread_id")  # "WEAK from here on"
STRONG_SESSION_IDS = _SESSION_IDS[:_FIRST_WEAK]
WEAK_SESSION_IDS = _SESSION_IDS[_FIRST_WEAK:]
[RESOURCE_SESSION_ID] = RULES["session_id"]["resource"]
AGENTUITY_PREFIX = "@agentuity/"
AGENTOPS_KIND = "agentops.span.kind"

SESSION_NAMES = _entries(RULES["session_name"])  # the place in this list is the `session_name_rank`
USER_IDS = _entries(RULES["user_id"])
THREAD_IDS = _entries(RULES["thread_id"])
ENVIRONMENTS = _entries(RULES["environment"])
MODELS = _entries(RULES["model"])
REQUEST_MODELS = _entries(["gen_ai.request.model", "ai.model.id", "llm.model_name"])
RESPONSE_IDS = _entries(
    ["gen_ai.response.id", "ai.response.id", {"key": "request_id", "only_if": "claude_code_llm_request"}]
)

PROVIDERS = _entries(RULES["provider"]["order"])
NOT_A_PROVIDER = set(RULES["provider"]["not_a_provider"])
PROVIDERS_KEPT_WHOLE = ("gcp.", "az.ai.", "azure.ai.", "aws.bedrock", "ibm.watsonx.ai")

INPUT_TOKENS = _entries(RULES["usage"]["input"])
OUTPUT_TOKENS = _entries(RULES["usage"]["output"])
TOTAL_TOKENS = _entries(RULES["usage"]["total"])
CACHE_READ_TOKENS = _entries(RULES["usage"]["cache_read"])
CACHE_WRITE_TOKENS = _entries(RULES["usage"]["cache_write"])
CACHE_WRITE_1H_TOKENS = _entries(RULES["usage"]["cache_write_1h"])
REASONING_TOKENS = _entries(RULES["usage"]["reasoning"])

CLAUDE_CODE_REQUEST_TYPES = {"llm_request", "claude_code.llm_request"}
CLAUDE_CODE_REQUEST_NAME = "claude_code.llm_request"
AI_SDK_5_PROVIDERS = ("anthropic", "vertex.anthropic", "google.vertex.anthropic", "amazon-bedrock", "bedrock")

COSTS = _entries(RULES["cost"])
COST_PAIRS = tuple(_entries(line["sum"]) for line in RULES["cost"] if "sum" in line)
_COST_DETAILS = "langfuse.observation.cost_details"
INPUT_COSTS = _entries(
    [
        {"key": _COST_DETAILS, "form": "json:input"},
        "gen_ai.usage.input_cost",
        "llm.cost.prompt",
        "gen_ai.cost.input_cost",
    ]
)
OUTPUT_COSTS = _entries(
    [
        {"key": _COST_DETAILS, "form": "json:output"},
        "gen_ai.usage.output_cost",
        "llm.cost.completion",
        "gen_ai.cost.output_cost",
    ]
)

TAGS = _entries(RULES["tags"])
TRACE_TAG_PREFIX = "mlflow.traceTag."
METADATA_PREFIXES: tuple[str, ...] = tuple(RULES["metadata"]["prefixes"])
METADATA_BLOBS: tuple[str, ...] = tuple(RULES["metadata"]["json_blobs"])
METADATA_DROPPED = set(RULES["metadata"]["drop_after_strip"])
METADATA_NEVER_BARE = METADATA_DROPPED | {
    "session_id",
    "sessionId",
    "thread_id",
    "group_id",
    "metadata",
    "model",
    "model_name",
}

END_STATE = RULES["end_state"]["key"]
END_STATES = {word.lower(): state for state, words in RULES["end_state"]["normalise"].items() for word in words}
END_REASONS = _entries(["agentops.session.end_state_reason", "langfuse.observation.status_message"])


def _unit(text: str) -> str:
    if "Strands" in text:
        return "s, ms of Strands"
    return "iso" if text.startswith("ISO") else text


TTFT = tuple((line["key"], _unit(line["unit"])) for line in RULES["ttft_seconds"])

# (attribute, its values in lower case -> kind), in order.
SPAN_KINDS = tuple(
    (_entry(line), {word.lower(): kind for word, kind in line["map"].items()})
    for line in RULES["span_kind"]["order"]
    if "map" in line
)
EMBEDDING_MODEL = "embed"  # an llm call by a model of such a name is an embedding
# (any of these attributes, kind), after everything above found nothing.
SPAN_KINDS_BY_PRESENCE = tuple(
    (_entries(line["any_of"]), line["value"]) for line in RULES["span_kind"]["order"] if "any_of" in line
)
