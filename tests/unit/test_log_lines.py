"""What becomes of a log line: how often it is repeated, what is hidden in it, and what stands in its traceback."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags
from prometheus_client import generate_latest

from processor.telemetry.faults import places
from processor.telemetry.lines import LogsSamplingConfig, Sampling
from processor.telemetry.logging import LogsConfig, configure_logging, lines_counted
from processor.telemetry.metrics import Metrics
from processor.telemetry.redaction import redact, redacted

KIND = ("store_refused_batch", "ERROR", "worker")
SECRET = "hunter2-and-more"


@pytest.fixture
def written(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], str]]:
    """`written()` is what went to stderr; logging is afterwards as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield lambda: capsys.readouterr().err
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def lines(text: str) -> list[dict[str, Any]]:
    """Of JSON."""
    return [json.loads(line) for line in text.splitlines()]


# --- Repeats ---


def test_the_first_lines_of_a_tick_are_written_and_then_every_so_manyeth() -> None:
    """Two, then every third; the one that is written says how many were not."""
    sampling = Sampling(LogsSamplingConfig(tick_s=10, initial=2, thereafter=3))
    taken = [sampling.take(KIND, 1.0) for _ in range(8)]
    assert taken == [0, 0, None, None, 2, None, None, 2]


def test_counting_begins_anew_with_each_tick_and_tells_of_the_last() -> None:
    """What was left out at the end of a tick is told with the first line of the next."""
    sampling = Sampling(LogsSamplingConfig(tick_s=10, initial=1, thereafter=0))
    assert [sampling.take(KIND, 9.9) for _ in range(3)] == [0, None, None]
    assert sampling.take(KIND, 10.0) == 2
    assert sampling.take(KIND, 10.1) is None


def test_lines_that_say_something_else_do_not_count() -> None:
    """By event, level and logger."""
    sampling = Sampling(LogsSamplingConfig(initial=1, thereafter=0))
    assert sampling.take(KIND, 1.0) == 0
    for other in (("other", *KIND[1:]), (KIND[0], "WARNING", KIND[2]), (*KIND[:2], "ticks")):
        assert sampling.take(other, 1.0) == 0
    assert sampling.take(KIND, 1.0) is None


def test_switched_off_everything_is_written() -> None:
    """However often."""
    sampling = Sampling(LogsSamplingConfig(enabled=False, initial=1, thereafter=0))
    assert {sampling.take(KIND, 1.0) for _ in range(50)} == {0}


def test_what_is_remembered_is_bounded() -> None:
    """A kind that was not seen for longest is forgotten."""
    sampling = Sampling(LogsSamplingConfig(initial=1, thereafter=0))
    for number in range(3_000):
        assert sampling.take((str(number), "", ""), 1.0) == 0
    assert sampling.take(("0", "", ""), 1.0) == 0


def test_repeats_are_left_out_and_counted(written: Callable[[], str]) -> None:
    """Of our own lines and of libraries' alike; the metrics know of all."""
    configure_logging(LogsConfig(encoding="json", sampling=LogsSamplingConfig(tick_s=3600, initial=2, thereafter=0)))
    metrics = Metrics()
    with lines_counted(metrics):
        for _ in range(5):
            structlog.get_logger("worker").error("store_refused_batch", action="look")
            logging.getLogger("grpc").warning("socket %s", "closed")
    assert [line["event"] for line in lines(written())] == ["store_refused_batch", "socket closed"] * 2
    scraped = generate_latest(metrics.registry).decode()
    assert 'otel_sessions_log_lines_total{level="error"} 5.0' in scraped
    assert "otel_sessions_log_left_out_lines_total 6.0" in scraped


# --- Secrets and contents ---


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"http://user:{SECRET}@host:8123/x", "http://user:***@host:8123/x"),
        (f"can't reach https://:{SECRET}@host, retry", "can't reach https://:***@host, retry"),
        (f"Authorization: Bearer {SECRET}", "Authorization: Bearer ***"),
        ("chdb:///data/store, http://host:8123", "chdb:///data/store, http://host:8123"),
        ("basic needs are met", "basic needs are met"),
    ],
)
def test_secrets_in_texts_are_hidden(text: str, shown: str) -> None:
    """Passwords of URLs and tokens of headers; nothing else."""
    assert redacted(text) == shown


def test_values_of_telling_names_are_hidden_wherever_they_stand() -> None:
    """Also inside of what a line holds; counts of tokens are no secret."""
    event = {
        "event": "x",
        "password": SECRET,
        "headers": {"X-Api-Key": SECRET, "host": "h"},
        "dsns": [f"a://b:{SECRET}@c"],
    }
    assert redact(None, "info", event | {"tokens": 5, "input_tokens": 7}) == {
        "event": "x",
        "password": "***",
        "headers": {"X-Api-Key": "***", "host": "h"},
        "dsns": ["a://b:***@c"],
        "tokens": 5,
        "input_tokens": 7,
    }


def fail(prompt: str) -> None:
    """As a fault of ours would."""
    raise RuntimeError(f"no such thing in {len(prompt)} characters, at http://user:{SECRET}@host")


@pytest.mark.parametrize("encoding", ["json", "console"])
def test_a_traceback_names_places_and_no_values(written: Callable[[], str], encoding: Any) -> None:
    """Local variables may hold what a client sent."""
    configure_logging(LogsConfig(encoding=encoding))
    try:
        fail(f"a {SECRET} prompt")
    except RuntimeError:
        structlog.get_logger("x").exception("it_failed", action="report it")
        logging.getLogger("uvicorn.error").exception("in the application")
    text = written()
    assert text.count("in fail" if encoding == "console" else '"name": "fail"') == 2
    assert "http://user:***@host" in text
    assert SECRET not in text


def test_places_say_where_an_error_came_from_without_its_message() -> None:
    """Those of its cause first."""
    try:
        try:
            fail(SECRET)
        except RuntimeError as error:
            raise ValueError(SECRET) from error
    except ValueError as error:
        found = places(error)
    assert ["in fail" in place for place in found] == [False, True, False, False]
    assert found[2] == "RuntimeError, then"
    assert SECRET not in str(found)


def test_a_line_within_a_span_bears_its_ids(written: Callable[[], str]) -> None:
    """In hex, as everywhere; outside of one there are none."""
    configure_logging(LogsConfig(encoding="json"))
    span = NonRecordingSpan(SpanContext(0xA1, 0xB2, is_remote=True, trace_flags=TraceFlags(1)))
    with trace.use_span(span):
        structlog.get_logger("x").info("inside")
    structlog.get_logger("x").info("outside")
    inside, outside = lines(written())
    assert (inside["trace_id"], inside["span_id"]) == (f"{0xA1:032x}", f"{0xB2:016x}")
    assert "trace_id" not in outside
