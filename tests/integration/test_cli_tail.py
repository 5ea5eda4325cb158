"""`sessions tail` beside a running process: what appears and changes, restarts, and readers that leave."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.process import ANY_PORTS, COMMAND, TIMEOUT_S, Running, call, own_environment
from tests.integration.talk import turn


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A process that has seen two sessions, which a first one has rolled up."""
    folder = tmp_path_factory.mktemp("cli_tail")
    with Running(folder) as first:
        first.export(*turn(1, "older", age_s=7_200), *turn(2, "newer", user="grace", age_s=3_600))
        first.stop()
    with Running(folder) as second:
        yield second


@contextlib.contextmanager
def tailing(url: str, *options: str) -> Iterator[subprocess.Popen[str]]:
    """`sessions tail` with pipes, looking ten times a second."""
    command = [COMMAND, "sessions", "tail", "--url", url, "--interval", "0.1", *options]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=own_environment()
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


def line(process: subprocess.Popen[str]) -> str:
    """The next line of output; the test's own timeout bounds the wait."""
    assert process.stdout is not None
    return process.stdout.readline()


def event(process: subprocess.Popen[str]) -> dict[str, Any]:
    """The next line of NDJSON."""
    found: dict[str, Any] = json.loads(line(process))
    return found


def ended(process: subprocess.Popen[str], number: int) -> tuple[int, str, str]:
    """Exit code, and the rest of output and errors, after a signal."""
    process.send_signal(number)
    out, err = process.communicate(timeout=TIMEOUT_S)
    return process.returncode, out, err


def test_what_was_there_comes_first_and_then_every_change_once(process: Running) -> None:
    """A session that appears is new, one that grows has changed; a resent span says nothing."""
    with tailing(process.url("sessions_api"), "--format", "ndjson") as tail:
        assert [(found["event"], found["id"]) for found in (event(tail), event(tail))] == [
            ("seen", "older"),
            ("seen", "newer"),
        ]
        process.export(*turn(10, "talk", age_s=30))
        appeared = event(tail)
        assert (appeared["event"], appeared["id"], appeared["trace_count"]) == ("new", "talk", 1)

        again = turn(11, "talk", age_s=20)
        process.export(*again)
        changed = event(tail)
        assert (changed["event"], changed["id"], changed["trace_count"]) == ("changed", "talk", 2)

        process.export(*again)
        process.export(*turn(12, "last", age_s=10))
        assert (event(tail)["id"], tail.poll()) == ("last", None)
        code, out, err = ended(tail, signal.SIGINT)
        assert (code, out, err) == (130, "", "")


def test_people_get_a_line_each(process: Running) -> None:
    """When it was last seen, what happened, the id, and its numbers; `--lines` says how many to begin with."""
    with tailing(process.url("sessions_api"), "--user", "grace", "--lines", "1") as tail:
        seen = line(tail)
        assert " ".join(seen.split()[2:]) == "seen newer 2.0 s 1,200 tokens $0.0123 1 trace grace invoke_agent"
        process.export(*turn(20, "read\x1b[2Jme", user="grace", age_s=5, error="it broke"))
        new = line(tail)
        assert new.split()[2:5] == ["new", "read�[2Jme", "2.0"]
        assert "1 error " in new


def test_filters_choose_what_is_followed(process: Running) -> None:
    """What they leave out is not told, and the first look may be silent."""
    with tailing(process.url("sessions_api"), "--user", "tess", "--lines", "0", "--format", "ndjson") as tail:
        process.export(*turn(30, "not hers", age_s=4), *turn(31, "hers", user="tess", age_s=3))
        assert event(tail)["id"] == "hers"
        code, out, _ = ended(tail, signal.SIGINT)
        assert (code, out) == (130, "")


def test_a_reader_that_leaves_ends_it_at_once(process: Running) -> None:
    """Though nothing changes any more and the next look is an hour away; that is no failure."""
    with tailing(process.url("sessions_api"), "--interval", "3600") as tail:
        assert line(tail)
        assert tail.stdout is not None
        tail.stdout.close()
        assert tail.wait(TIMEOUT_S) == 0
        assert tail.stderr is not None
        assert tail.stderr.read() == ""


def test_it_outlives_the_process_that_it_asks(tmp_path: Path) -> None:
    """It says that nobody answers and that somebody does again, once each, and repeats nothing it has told."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = ANY_PORTS.replace(
        'sessions_api: {endpoint: "127.0.0.1:0"}', f'sessions_api: {{endpoint: "127.0.0.1:{port}"}}'
    )
    url = f"http://127.0.0.1:{port}"
    with Running(tmp_path, config) as first:
        first.export(*turn(1, "before"))
        first.stop()
    with Running(tmp_path, config) as second, tailing(url, "--format", "ndjson") as tail:
        assert event(tail)["id"] == "before"
        second.stop(signal.SIGKILL)
        assert tail.stderr is not None
        assert tail.stderr.readline().startswith(f"otel-sessions: no answer from {url}")
        with Running(tmp_path, config) as third:
            assert tail.stderr.readline() == f"otel-sessions: {url} answers again\n"
            third.export(*turn(2, "after", age_s=5))
            found = event(tail)
            assert (found["event"], found["id"]) == ("new", "after")
            assert ended(tail, signal.SIGINT) == (130, "", "")


def test_nobody_to_ask_at_the_start_is_an_error() -> None:
    """A wrong address is told at once, with exit code 3."""
    result = call("sessions", "tail", "--url", "http://127.0.0.1:1")
    assert result.returncode == 3
    assert "otel-sessions run" in result.stderr
