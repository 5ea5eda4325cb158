"""The `sessions` commands against a running process, as a person at a terminal uses them."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from processor.clock import now_ns
from tests.integration.process import Running, call

ODD = "odd/id with [bold]markup[/bold] and \x1b[31mescape"
LONG_NAME = "a name that goes on and on " * 10


def spans(number: int, session_id: str, name: str) -> list[dict[str, Any]]:
    """A turn of an agent: the root knows the session, the model call what it took; the tool failed."""
    trace_id = f"{number:032x}"
    end_ns = now_ns() - (10 - number) * 60_000_000_000

    def span(span_id: int, parent: int, title: str, status: int, **attributes: object) -> dict[str, Any]:
        return {
            "traceId": trace_id,
            "spanId": f"{span_id:016x}",
            "parentSpanId": f"{parent:016x}" if parent else "",
            "name": title,
            "startTimeUnixNano": str(end_ns - 5_000_000_000 + span_id),
            "endTimeUnixNano": str(end_ns),
            "status": {"code": status, "message": "it broke" if status else ""},
            "attributes": [{"key": key.replace("__", "."), "value": _value(v)} for key, v in attributes.items()],
        }

    return [
        span(1, 0, "invoke_agent", 0, session__id=session_id, agentmark__session_name=name, user__id=f"user-{number}"),
        span(
            2,
            1,
            "chat gpt-5",
            0,
            gen_ai__operation__name="chat",
            gen_ai__request__model="gpt-5",
            gen_ai__usage__input_tokens=1_200,
            gen_ai__usage__output_tokens=34,
            gen_ai__usage__cost=0.0123,
        ),
        span(3, 1, "execute_tool \x1b[2J", 2, gen_ai__operation__name="execute_tool"),
    ]


def _value(value: object) -> dict[str, object]:
    kind = {int: "intValue", float: "doubleValue", str: "stringValue"}[type(value)]
    return {kind: value}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The API of a process with three sessions; stopping rolls them up, so the second start shows them at once."""
    folder = tmp_path_factory.mktemp("cli")
    with Running(folder) as process:
        process.export(*spans(1, "first", "Alpha"), *spans(2, "second", LONG_NAME), *spans(3, ODD, "Gamma"))
        process.stop()
    with Running(folder) as process:
        yield process.url("sessions_api")


def test_the_list_is_a_table_that_people_can_read(url: str) -> None:
    """Newest first, with duration, counts and money in human units; how to go on stands on stderr."""
    result = call("sessions", "list", "--limit", "2", "--url", url)
    assert result.returncode == 0, result.stderr
    header, newest, older = result.stdout.splitlines()
    assert header.split() == ["id", "name", "user", "start", "(UTC)", "duration", "traces", "errors", "tokens", "cost"]
    assert newest.startswith("odd/id with [bold]markup[/bold]")
    assert older.startswith("second")
    for cell in ("Gamma", "user-3", "5.0 s", "1,234", "$0.0123"):
        assert cell in newest
    assert result.stderr == "2 of 3 sessions; the next page: --offset 2\n"


@pytest.mark.parametrize("columns", [60, 80, 100, 120])
def test_the_table_fits_the_terminal_and_ids_stay_whole(url: str, columns: int) -> None:
    """No line is longer than the terminal, and every character of an id is there to be copied."""
    result = call("sessions", "list", "--url", url, COLUMNS=str(columns))
    lines = result.stdout.splitlines()
    assert max(len(line) for line in lines) <= columns
    # The first column ends where every line has the gap.
    width = next(i for i in range(12, columns) if all(line[i : i + 2].strip() == "" for line in lines))
    ids = "".join(line[:width].strip() + (" " if len(line[:width].rstrip()) < width else "") for line in lines[1:])
    assert "[bold]markup[/bold]" in ids.replace(" ", "")
    assert all("$0.0123" in line or not line[width:].strip() for line in lines[1:])


def test_telemetry_cannot_command_the_terminal(url: str) -> None:
    """No control character of a session or span reaches stdout, and markup is text."""
    for command in (["list"], ["show", ODD], ["traces", ODD]):
        result = call("sessions", *command, "--url", url)
        assert result.returncode == 0, result.stderr
        assert "\x1b" not in result.stdout
        assert "�[" in result.stdout


def test_lists_can_be_filtered_sorted_and_paged(url: str) -> None:
    """The options are the API's parameters."""

    def ids(*options: str) -> list[str]:
        result = call("sessions", "list", "--format", "json", "--url", url, *options)
        return [item["id"] for item in json.loads(result.stdout)["data"]]

    assert ids() == [ODD, "second", "first"]
    assert ids("--sort-by", "name", "--sort-order", "asc") == ["first", ODD, "second"]
    assert ids("--limit", "1", "--offset", "1") == ["second"]
    assert ids("--search", "ALPH") == ["first"]
    assert ids("--user", "user-2") == ["second"]
    assert ids("--until", "2001-01-01") == []
    assert len(ids("--since", "2001-01-01")) == 3
    assert len(ids("--since", "1h")) == 3
    assert ids("--until", "1h") == []
    assert ids("--name", "amm") == [ODD]
    assert ids("--sort-by", "id", "--sort-order", "asc") == ["first", ODD, "second"]


def test_sessions_are_chosen_by_what_they_took_and_how_they_went(url: str) -> None:
    """Each of the API's filters for that is an option, and all that are given hold."""

    def count(*options: str) -> int:
        result = call("sessions", "list", "--format", "json", "--url", url, *options)
        total: int = json.loads(result.stdout)["pagination"]["total"]
        return total

    assert (count("--has-error"), count("--no-error")) == (3, 0)
    assert (count("--min-cost", "0.0123"), count("--min-cost", "0.0124")) == (3, 0)
    assert (count("--min-tokens", "1234"), count("--min-tokens", "1235")) == (3, 0)
    assert (count("--min-duration-ms", "4999"), count("--min-duration-ms", "6000")) == (3, 0)
    assert count("--service", "nobody's") == 0
    assert sum(count("--status", status) for status in ("ok", "ERROR", "unset")) == 3
    assert count("--user", "user-1", "--has-error", "--min-cost", "0.01") == 1


def test_csv_is_a_line_a_session(url: str) -> None:
    """Programs get every field, unrounded, whatever the ids hold."""
    result = call("sessions", "list", "--format", "csv", "--url", url)
    rows = list(csv.DictReader(io.StringIO(result.stdout, newline="")))
    assert [row["id"] for row in rows] == [ODD, "second", "first"]
    assert float(rows[0]["total_cost"]) == 0.0123
    assert rows[0]["total_tokens"] == "1234"
    assert rows[0]["models"] == "gpt-5"
    assert rows[1]["name"] == LONG_NAME.strip()


def test_one_session_is_shown_in_full(url: str) -> None:
    """Every field of the session with its unit; JSON is the API's."""
    result = call("sessions", "show", "first", "--url", url)
    assert result.returncode == 0
    shown = {line[:16].strip(): line[16:].strip() for line in result.stdout.splitlines()}
    assert shown["tokens"] == "1,234 (1,200 in, 34 out)"
    assert (shown["cost"], shown["user"], shown["duration"]) == ("$0.0123", "user-1", "5.0 s")
    assert (shown["spans"], shown["errors"], shown["model calls"], shown["tool calls"]) == ("3", "1", "1", "1")
    assert json.loads(call("sessions", "show", ODD, "--format", "json", "--url", url).stdout)["id"] == ODD


def test_traces_are_trees_of_spans(url: str) -> None:
    """Children hang under their parents, with kind, model, tokens, cost and error."""
    result = call("sessions", "traces", "first", "--url", url)
    assert result.returncode == 0, result.stderr
    trace, root, chat, tool = result.stdout.splitlines()
    assert f"{1:032x}" in trace
    assert root.startswith("└── invoke_agent")
    assert chat.startswith("    ├── chat gpt-5  llm  gpt-5")
    assert "1,234 tokens  $0.0123" in chat
    assert tool.rstrip().endswith("error it broke")
    body = json.loads(call("sessions", "traces", "first", "--format", "json", "--url", url).stdout)
    assert len(body["data"][0]["spans"]) == 3


def test_an_unknown_id_is_an_error_that_says_how_to_find_ids(url: str) -> None:
    """Exit code 1, one sentence on stderr, nothing on stdout."""
    for command in ("show", "traces"):
        for session_id in ("nope", "", ".."):
            result = call("sessions", command, session_id, "--url", url)
            assert result.returncode == 1
            assert result.stderr.startswith(f"otel-sessions: no session {session_id!r}; ")
            assert "sessions list" in result.stderr
            assert result.stdout == ""


def test_a_process_that_is_not_running_is_an_error_that_says_what_to_do() -> None:
    """Exit code 3 and the command to start it; a URL that is none is a usage error."""
    result = call("sessions", "list", OTEL_SESSIONS_URL="http://127.0.0.1:1")
    assert result.returncode == 3
    assert "http://127.0.0.1:1" in result.stderr
    assert "otel-sessions run" in result.stderr
    assert "Traceback" not in result.stderr
    wrong = call("sessions", "list", "--url", "nonsense")
    assert wrong.returncode == 2
    assert "write http://host:port" in wrong.stderr


def test_a_value_the_api_refuses_is_explained(url: str) -> None:
    """The API's reason reaches the terminal."""
    result = call("sessions", "list", "--since", "yesterday", "--url", url)
    assert result.returncode == 1
    assert "start_date: is no ISO 8601" in result.stderr


def test_wrong_options_exit_with_two() -> None:
    """Called wrongly is 2, before anything is asked."""
    for options in (["--limit", "0"], ["--limit", "1001"], ["--sort-by", "colour"], ["--format", "xml"], ["--nope"]):
        assert call("sessions", "list", *options).returncode == 2
    assert call("nonsense").returncode == 2


def test_version_and_help_start_without_the_heavy_parts() -> None:
    """`--version` and `--help` answer, and no `--help` loads a server, store, data frame, client or table."""
    assert call("--version").stdout.startswith("otel-sessions ")
    heavy = {"polars", "clickhouse_connect", "chdb", "grpc", "fastapi", "uvicorn", "httpx", "pyarrow", "structlog"}
    heavy |= {"numpy", "rich", "asyncio"}
    code = f"""
import atexit, sys
from processor.cli import main
atexit.register(lambda: print("loaded:", sorted({heavy!r} & sys.modules.keys())))
main()
"""
    for command in ([], ["sessions"], ["sessions", "export"], ["threads"], ["users"], ["models"]):
        arguments = [sys.executable, "-c", code, *command, "--help"]
        shown = subprocess.run(arguments, capture_output=True, text=True, check=True).stdout
        assert "Exit codes: 0 done" in " ".join(shown.split())
        assert shown.endswith("loaded: []\n")
