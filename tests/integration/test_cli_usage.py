"""The commands for models and threads, and what a session shows of both, against a running process."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest

from processor.clock import now_ns
from tests.integration.process import Running, call

THREAD = "thread/1 \x1b[31m"


def turn(number: int, session_id: str, thread_id: str, *, model: str, age_s: int) -> list[dict[str, Any]]:
    """A turn of an agent that repeats what its one call took."""
    end_ns = now_ns() - age_s * 1_000_000_000
    usage = {"gen_ai.usage.input_tokens": 1_000, "gen_ai.usage.output_tokens": 200}

    def span(span_id: int, parent: int, name: str, attributes: dict[str, object]) -> dict[str, Any]:
        return {
            "traceId": f"{number:032x}",
            "spanId": f"{span_id:016x}",
            "parentSpanId": f"{parent:016x}" if parent else "",
            "name": name,
            "startTimeUnixNano": str(end_ns - 2_000_000_000),
            "endTimeUnixNano": str(end_ns),
            "attributes": [{"key": key, "value": _value(value)} for key, value in attributes.items()],
        }

    about = {"session.id": session_id, "user.id": "ada", "thread_id": thread_id, "deployment.environment.name": "prod"}
    labels = {"langfuse.trace.tags": '["beta", "eu"]', "langfuse.trace.metadata.plan": "pro"}
    chat = {"gen_ai.operation.name": "chat", "gen_ai.request.model": model, "gen_ai.provider.name": "openai"}
    cached = {"gen_ai.usage.cache_read.input_tokens": 400, "gen_ai.usage.reasoning.output_tokens": 50}
    return [
        span(1, 0, "invoke_agent", {"gen_ai.operation.name": "invoke_agent", **about, **labels, **usage}),
        span(2, 1, "chat", {**chat, **usage, **cached}),
    ]


def _value(value: object) -> dict[str, object]:
    return {"intValue" if isinstance(value, int) else "stringValue": value}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The API of a process with two sessions of one thread and one of another; the stop has rolled them up."""
    folder = tmp_path_factory.mktemp("cli_usage")
    with Running(folder) as process:
        process.export(
            *turn(1, "priced", THREAD, model="gpt-5-mini", age_s=7_200),
            *turn(2, "unpriced", THREAD, model="house-model", age_s=60),
            *turn(3, "old", "thread/2", model="gpt-5-mini", age_s=7_200),
        )
        process.stop()
    with Running(folder) as process:
        yield process.url("sessions_api")


def rows(*command: str) -> list[dict[str, str]]:
    """What a command writes as CSV."""
    result = call(*command, "--format", "csv")
    assert result.returncode == 0, result.stderr
    return list(csv.DictReader(io.StringIO(result.stdout, newline="")))


def data(*command: str) -> Any:
    """What a command writes as JSON."""
    result = call(*command, "--format", "json")
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_models_are_listed_with_what_they_took(url: str) -> None:
    """Those without a price first, marked as such and never as free; JSON is the API's, CSV has every field."""
    result = call("models", "list", "--url", url)
    assert result.returncode == 0, result.stderr
    header, house, gpt = (line.split() for line in result.stdout.splitlines())
    assert header == ["model", "provider", "calls", "errors", "tokens", "in", "out", "cost", "unpriced"]
    assert house == ["house-model", "openai", "1", "0", "1,200", "1,000", "200", "$0+?", "1"]
    assert gpt == ["gpt-5-mini", "openai", "2", "0", "2,400", "2,000", "400", "$0.0011", "0"]
    assert result.stderr == "2 of 2 models\n"
    body = data("models", "list", "--url", url)
    assert [item["model"] for item in body["data"]] == ["house-model", "gpt-5-mini"]
    _, priced = rows("models", "list", "--url", url)
    assert (priced["model"], float(priced["cost"])) == ("gpt-5-mini", 0.00112)


def test_models_without_a_price_can_be_asked_for(url: str) -> None:
    """What is priced is left out."""
    result = call("models", "unpriced", "--url", url)
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["model", "house-model"]
    assert result.stderr == "1 of 1 models without a price\n"
    assert [row["model"] for row in rows("models", "unpriced", "--url", url)] == ["house-model"]
    assert data("models", "unpriced", "--offset", "1", "--url", url)["data"] == []


def test_threads_are_listed_the_last_one_seen_first(url: str) -> None:
    """Active until the inactivity window has passed; options are the API's parameters."""
    result = call("threads", "list", "--url", url)
    assert result.returncode == 0, result.stderr
    header, first, second = result.stdout.splitlines()
    assert header.split()[:2] == ["id", "status"]
    assert first.startswith("thread/1 �[31m  active  ")
    assert first.split()[-5:] == ["1", "2", "0", "2,400", "$0.0006"]
    assert second.startswith("thread/2        idle    ")
    assert result.stderr == "2 of 2 threads\n"
    assert [row["id"] for row in rows("threads", "list", "--url", url)] == [THREAD, "thread/2"]

    def ids(*options: str) -> list[str]:
        return [item["id"] for item in data("threads", "list", "--url", url, *options)["data"]]

    assert ids("--sort-by", "session_count", "--sort-order", "asc") == ["thread/2", THREAD]
    assert ids("--status", "idle") == ["thread/2"]
    assert ids("--search", "D/2") == ["thread/2"]
    assert ids("--user", "grace") == []
    assert ids("--limit", "1", "--offset", "1") == ["thread/2"]


def test_one_thread_is_shown_in_full(url: str) -> None:
    """Every field with its unit; an unknown id is an error that says how to find ids."""
    result = call("threads", "show", THREAD, "--url", url)
    assert result.returncode == 0, result.stderr
    shown = {line[:13].strip(): line[13:].strip() for line in result.stdout.splitlines()}
    assert (shown["status"], shown["users"], shown["tags"], shown["sessions"]) == ("active", "ada", "beta, eu", "2")
    assert shown["tokens"] == "2,400 (2,000 in, 400 out)"
    assert "\x1b" not in result.stdout
    assert data("threads", "show", THREAD, "--url", url)["session_count"] == 2
    assert [row["user_ids"] for row in rows("threads", "show", THREAD, "--url", url)] == ["ada"]
    for unknown in ("nope", ""):
        missing = call("threads", "show", unknown, "--url", url)
        assert (missing.returncode, missing.stdout) == (1, "")
        assert missing.stderr.startswith(f"otel-sessions: no thread {unknown!r}; ")


def test_a_session_shows_its_labels_and_its_breakdown(url: str) -> None:
    """Facts a line each, then a table for models, providers and services."""
    result = call("sessions", "show", "priced", "--url", url)
    assert result.returncode == 0, result.stderr
    facts, *tables = result.stdout.split("\n\n")
    shown = {line[:16].strip(): line[16:].strip() for line in facts.splitlines()}
    assert (shown["environment"], shown["tags"], shown["metadata"]) == ("prod", "beta, eu", "plan=pro")
    assert (shown["cached tokens"], shown["reasoning"]) == ("400 read", "50 tokens")
    assert (shown["cost"], shown["input cost"], shown["output cost"]) == ("$0.0006", "$0.0002", "$0.0004")
    assert (shown["ended as"], shown["first token"]) == ("unknown", "-")
    assert [table.split()[0] for table in tables] == ["model", "provider", "service"]
    assert "gpt-5-mini" in tables[0]
    (row,) = rows("sessions", "show", "priced", "--url", url)
    assert (row["tags"], row["metadata"], row["ttft_ms"]) == ("beta|eu", '{"plan":"pro"}', "")
    assert data("sessions", "show", "priced", "--url", url)["breakdown"]["models"][0]["name"] == "gpt-5-mini"


def test_a_wrappers_tokens_are_shown_as_not_counted(url: str) -> None:
    """The tree explains why the spans' tokens are more than the session's."""
    _, agent, chat = call("sessions", "traces", "priced", "--url", url).stdout.splitlines()
    assert "1,200 tokens (not counted)" in agent
    assert "$" not in agent
    assert chat.rstrip().endswith("1,200 tokens  $0.0006")


def test_sessions_are_filtered_by_their_labels(url: str) -> None:
    """The options are the API's parameters; what is no KEY=VALUE is refused before anything is asked."""

    def ids(*options: str) -> list[str]:
        return [item["id"] for item in data("sessions", "list", "--url", url, *options)["data"]]

    assert sorted(ids("--thread", THREAD)) == ["priced", "unpriced"]
    assert ids("--model", "house-model") == ["unpriced"]
    assert len(ids("--tag", "eu", "--environment", "prod", "--metadata", "plan=pro")) == 3
    assert ids("--metadata", "plan=pro", "--metadata", "region=eu") == []
    assert ids("--tag", "us") == []
    for options in (["--metadata", "plan"], ["--metadata", "=pro"], ["--metadata", "a=1", "--metadata", "a=2"]):
        assert call("sessions", "list", "--url", url, *options).returncode == 2


def test_users_are_listed_with_what_they_took(url: str) -> None:
    """Options are the API's parameters."""
    result = call("users", "list", "--url", url)
    assert result.returncode == 0, result.stderr
    header, ada = result.stdout.splitlines()
    assert header.split() == ["id", "last", "seen", "(UTC)", "sessions", "traces", "errors", "tokens", "cost"]
    assert (ada.split()[0], ada.split()[3:]) == ("ada", ["3", "3", "0", "3,600", "$0.0011"])
    assert result.stderr == "1 of 1 users\n"
    assert data("users", "list", "--search", "grace", "--url", url)["data"] == []
    assert data("users", "list", "--since", "2h", "--sort-by", "id", "--url", url)["pagination"]["total"] == 1


def test_statistics_are_totals_percentiles_a_chart_and_top_lists(url: str) -> None:
    """Of the sessions that the filters choose; what has no price is marked."""
    result = call("sessions", "stats", "--interval", "hour", "--url", url)
    assert result.returncode == 0, result.stderr
    totals, percentiles, chart, *tops = result.stdout.split("\n\n")
    shown = {line[:13].strip(): line[13:].strip() for line in totals.splitlines()}
    assert shown["sessions"] == "3 (0 with errors)"
    assert shown["tokens"] == "3,600 (3,000 in, 600 out)"
    assert shown["cost"].startswith("$0.0011+? (")
    assert [line.split()[0] for line in percentiles.splitlines()] == ["a", "duration", "tokens", "cost"]
    assert [line.split()[0] for line in chart.splitlines()] == ["from", "sessions", "errors", "tokens", "cost"]
    assert "█" in chart
    assert "at most 2" in chart
    assert [top.split()[0] for top in tops] == ["model", "user", "environment", "tag"]
    few = call("sessions", "stats", "--model", "house-model", "--top", "1", "--url", url).stdout
    assert "1 (0 with errors)" in few
    assert "gpt-5-mini" not in few


def test_statistics_of_nothing_are_zeros(url: str) -> None:
    """No chart, no lists, no failure."""
    result = call("sessions", "stats", "--user", "nobody", "--url", url)
    assert result.returncode == 0, result.stderr
    assert "0 (0 with errors)" in result.stdout
    assert "\n\n" not in result.stdout


def test_statistics_for_programs_are_the_answer_or_its_series(url: str) -> None:
    """JSON is all of it; CSV and NDJSON have a row an interval."""
    found = data("sessions", "stats", "--interval", "hour", "--url", url)
    assert (found["session_count"], found["interval"]) == (3, "hour")
    series = rows("sessions", "stats", "--interval", "hour", "--url", url)
    assert [row["start"] for row in series] == [step["start"] for step in found["series"]]
    assert sum(int(row["session_count"]) for row in series) == 3
    lines = call("sessions", "stats", "--interval", "hour", "--format", "ndjson", "--url", url).stdout.splitlines()
    assert [json.loads(line) for line in lines] == found["series"]


def test_wrong_options_exit_with_two() -> None:
    """Called wrongly is 2, before anything is asked."""
    for command in (
        ["users", "list", "--limit", "0"],
        ["models", "list", "--limit", "0"],
        ["threads", "list", "--status", "asleep"],
        ["threads"],
    ):
        assert call(*command).returncode == 2
