"""Formats of lists and `sessions export` against a running process: what is written where, and what is left behind."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.integration.process import COMMAND, TIMEOUT_S, Running, call, own_environment
from tests.integration.talk import turn
from tests.integration.terminal import Terminal, in_terminal, without_escapes

ODD = 'line\nbreak, "quotes" and \x1b[31m'
COUNT = 60  # more than a page
LOOK_S = 0.02


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A process with more sessions than a page has, one of them odd; the stop has rolled them up."""
    folder = tmp_path_factory.mktemp("cli_export")
    with Running(folder) as first:
        for number in range(1, COUNT):
            first.export(*turn(number, f"session-{number:02}", age_s=3_600 - number, thread_id="desk"))
        first.export(*turn(COUNT, "odd", name=ODD))
        first.stop()
    with Running(folder) as second:
        yield second


@pytest.fixture
def url(process: Running) -> str:
    """Its API."""
    return process.url("sessions_api")


def csv_rows(text: str) -> list[dict[str, str]]:
    """With their header's names."""
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_a_file_has_all_rows_in_the_format_it_ends_in(url: str, tmp_path: Path) -> None:
    """Whatever the page of a table is; filters, order and limit are those of the list."""
    for name in ("all.csv", "all.ndjson", "all.parquet"):
        result = call("sessions", "export", str(tmp_path / name), "--url", url)
        assert (result.returncode, result.stdout) == (0, ""), result.stderr
    rows = csv_rows((tmp_path / "all.csv").read_text())
    lines: list[dict[str, Any]] = [json.loads(line) for line in (tmp_path / "all.ndjson").read_text().splitlines()]
    table = pq.read_table(tmp_path / "all.parquet").to_pylist()
    for found in (rows, lines, table):
        assert [row["id"] for row in found] == ["odd", *(f"session-{number:02}" for number in range(COUNT - 1, 0, -1))]
        assert found[0]["name"] == ODD
    few = call("sessions", "export", "--search", "ON-1", "--limit", "2", "--sort-order", "asc", "--url", url)
    assert [row["id"] for row in csv_rows(few.stdout)] == ["session-10", "session-11"]
    assert few.stderr == ""


def test_what_was_written_is_told(url: str, tmp_path: Path) -> None:
    """Rows and bytes, on stderr, without a bar where nobody looks."""
    file = tmp_path / "all.csv"
    result = call("sessions", "export", str(file), "--url", url)
    assert result.stderr == f"{file}: {COUNT} sessions, {file.stat().st_size / 1000:.1f} kB\n"


def test_a_terminal_shows_how_far_it_is(url: str, tmp_path: Path) -> None:
    """The bar goes away and leaves the result; rows are not mixed with it when they go to a pipe."""
    file = tmp_path / "all.parquet"
    code, raw = in_terminal("sessions", "export", str(file), "--url", url)
    assert code == 0
    assert "━" in raw
    assert f"{COUNT} sessions" in raw
    assert without_escapes(raw).splitlines()[-1].startswith(f"{file.parent}"[:20])
    read, write = os.pipe()
    with Terminal(COMMAND, "sessions", "export", "--format", "ndjson", "--url", url, out=write) as terminal:
        os.close(write)
        with os.fdopen(read) as pipe:
            assert len([json.loads(line) for line in pipe]) == COUNT
        assert terminal.wait() == 0
        assert "━" in terminal.raw


def test_rows_on_a_terminal_can_not_command_it(url: str) -> None:
    """CSV that is looked at has no escape of a session's; a file has every character."""
    code, raw = in_terminal("sessions", "list", "--search", "odd", "--format", "csv", "--url", url)
    assert code == 0
    assert "�[31m" in raw
    assert "\x1b" not in raw
    assert "\x1b[31m" in call("sessions", "list", "--search", "odd", "--format", "csv", "--url", url).stdout


@pytest.mark.parametrize(
    "command",
    [
        ["sessions", "list"],
        ["sessions", "traces", "session-01"],
        ["sessions", "logs", "session-01"],
        ["threads", "list"],
        ["users", "list"],
        ["models", "list"],
    ],
    ids=" ".join,
)
def test_every_list_has_every_format(url: str, command: list[str]) -> None:
    """The same rows, as the API writes them."""
    body = json.loads(call(*command, "--limit", "1000", "--format", "json", "--url", url).stdout)
    rows = csv_rows(call(*command, "--format", "csv", "--url", url).stdout)
    lines = [json.loads(line) for line in call(*command, "--format", "ndjson", "--url", url).stdout.splitlines()]
    parquet = subprocess.run(
        [COMMAND, *command, "--format", "parquet", "--url", url], capture_output=True, check=True, env=own_environment()
    ).stdout
    table = pq.read_table(io.BytesIO(parquet))
    assert len(body["data"]) == len(rows) == len(lines) == table.num_rows
    for listed, line in zip(body["data"], lines, strict=True):
        listed.pop("spans", None)
        assert line == listed


def test_a_session_that_is_not_there_is_one_in_every_format(url: str) -> None:
    """Exit code 1 and nothing on stdout, rather than an empty file that looks like an answer."""
    for output in ("table", "json", "csv", "ndjson", "parquet"):
        for what in ("traces", "logs"):
            result = call("sessions", what, "nope", "--format", output, "--url", url)
            assert (result.returncode, result.stdout) == (1, "")
            assert "no session 'nope'" in result.stderr


def started(url: str, file: Path) -> subprocess.Popen[str]:
    """An export to `file`, when it has begun: its temporary file is there."""
    command = [COMMAND, "sessions", "export", str(file), "--url", url]
    export = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=own_environment())
    deadline_s = time.monotonic() + TIMEOUT_S
    while not list(file.parent.glob(".otel-sessions-*")):
        assert export.poll() is None
        assert time.monotonic() < deadline_s
        time.sleep(LOOK_S)
    return export


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)], ids=["int", "term", "hup"]
)
def test_an_interrupted_export_leaves_what_was_there(
    process: Running, url: str, tmp_path: Path, number: int, code: int
) -> None:
    """The old file, and no other, half or whole."""
    file = tmp_path / "sessions.csv"
    file.write_text("old")
    process.signal(signal.SIGSTOP)  # so that it is under way for as long as we like
    try:
        export = started(url, file)
        export.send_signal(number)
        _, err = export.communicate(timeout=TIMEOUT_S)
    finally:
        process.signal(signal.SIGCONT)
    assert (export.returncode, err) == (code, "")
    assert {found.name: found.read_text() for found in tmp_path.iterdir()} == {"sessions.csv": "old"}


def test_a_process_that_dies_leaves_no_file(tmp_path: Path) -> None:
    """Exit code 3 and a sentence; nothing under the name."""
    (tmp_path / "out").mkdir()
    with Running(tmp_path / "process") as dying:
        dying.signal(signal.SIGSTOP)
        export = started(dying.url("sessions_api"), tmp_path / "out" / "sessions.csv")
        dying.signal(signal.SIGKILL)
        _, err = export.communicate(timeout=TIMEOUT_S)
    assert export.returncode == 3
    assert err.startswith("otel-sessions: ")
    assert err.count("\n") == 1
    assert list((tmp_path / "out").iterdir()) == []


def test_a_closed_pipe_is_no_failure_and_a_full_disk_is_one(url: str) -> None:
    """`| head` has enough; what can't be written is said."""
    script = '"$0" sessions export --url "$1" | head -n 1; echo "${PIPESTATUS[0]}"'
    piped = subprocess.run(
        ["bash", "-c", script, COMMAND, url], capture_output=True, text=True, check=True, env=own_environment()
    )
    assert piped.stdout.splitlines()[0].startswith("id,name,")
    assert (piped.stdout.splitlines()[-1], piped.stderr) == ("0", "")
    for command in (["export"], ["list"], ["stats"], ["list", "--format", "json"]):
        with Path("/dev/full").open("w") as full:
            result = subprocess.run(
                [COMMAND, "sessions", *command, "--url", url],
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
                env=own_environment(),
            )
        assert result.returncode == 1
        assert result.stderr.endswith("otel-sessions: No space left on device\n")


def test_a_file_that_can_not_be_written_is_named(url: str, tmp_path: Path) -> None:
    """Exit code 1, before anything is asked."""
    for file in (tmp_path / "nowhere" / "a.csv", tmp_path):
        result = call("sessions", "export", str(file), "--format", "csv", "--url", url)
        assert result.returncode == 1
        assert str(file if file == tmp_path else file.parent) in result.stderr
        assert "Traceback" not in result.stderr
