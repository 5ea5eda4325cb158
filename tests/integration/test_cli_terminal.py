"""The commands in a pseudo-terminal: width, colours, questions and keys."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from rich.cells import cell_len

from tests.integration.process import COMMAND, TIMEOUT_S, Running, call
from tests.integration.talk import turn
from tests.integration.terminal import CTRL_C, Terminal, in_terminal, without_escapes

WIDE = "会話の要約と返金の手続きについての長い名前です" * 2
LONG_ID = "tenant-eu-west-1/conversations/2026/11/" + "0123456789abcdef" * 4
FAILED = "failed"
LOSING = """
import contextlib, signal
from processor.cli import main, tail

def losing(*given, made=tail.live_line):
    with contextlib.suppress(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    return made(*given)

tail.live_line = losing
main()
"""
ESCAPE = "\x1b["


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The API of a process with a plain, a wide, a long and a failed session; the stop has rolled them up."""
    folder = tmp_path_factory.mktemp("cli_terminal")
    with Running(folder) as process:
        said = {"input__value": "first line\nsecond line", "output__value": WIDE}
        process.export(
            *turn(1, "plain"), *turn(2, "wide", name=WIDE, **said), *turn(3, LONG_ID), *turn(4, FAILED, error="no")
        )
        process.stop()
    with Running(folder) as process:
        yield process.url("sessions_api")


TABLES = [
    ["sessions", "list"],
    ["sessions", "show", "wide"],
    ["sessions", "traces", "wide"],
    ["sessions", "logs", "wide"],
    ["sessions", "stats"],
    ["threads", "list"],
    ["users", "list"],
    ["models", "list"],
]


@pytest.mark.parametrize("columns", [80, 200])
@pytest.mark.parametrize("command", TABLES, ids=" ".join)
def test_no_line_is_wider_than_the_terminal(url: str, command: list[str], columns: int) -> None:
    """Characters of two cells count twice; what has no room is folded or dropped, never wrapped by the terminal."""
    code, raw = in_terminal(*command, "--url", url, columns=columns)
    assert code == 0
    lines = without_escapes(raw).splitlines()
    assert max(cell_len(line.rstrip()) for line in lines) <= columns


def test_what_was_said_is_folded_under_its_title(url: str) -> None:
    """The beginning of the first input and of the last output, with their lines joined."""
    _, raw = in_terminal("sessions", "show", "wide", "--url", url)
    lines = [line.rstrip() for line in without_escapes(raw).splitlines()]
    assert f"{'first input':16}first line second line" in lines
    begin = next(i for i, line in enumerate(lines) if line.startswith("last output"))
    folded = [line[16 if i else len("last output") :].strip() for i, line in enumerate(lines[begin : begin + 3])]
    assert "".join(folded).startswith(WIDE)


def test_an_id_stays_whole_in_a_narrow_terminal(url: str) -> None:
    """It is folded, so that it can be copied; a wide terminal has it on one line."""
    _, narrow = in_terminal("sessions", "list", "--url", url, columns=80)
    _, wide = in_terminal("sessions", "list", "--url", url, columns=200)
    assert LONG_ID not in narrow
    assert LONG_ID in without_escapes(wide)
    pieces = [line.split()[0] for line in without_escapes(narrow).splitlines() if line.strip()]
    assert LONG_ID in "".join(pieces)


def test_a_terminal_has_colours_and_a_pipe_has_none(url: str) -> None:
    """An error is red where somebody looks; programs get text alone."""
    _, raw = in_terminal("sessions", "list", "--url", url, columns=200)
    assert f"{ESCAPE}31m" in raw
    assert ESCAPE not in call("sessions", "list", "--url", url).stdout


def test_colours_can_be_turned_off(url: str) -> None:
    """By the option, by NO_COLOR, and for a terminal that has none."""
    assert ESCAPE not in in_terminal("sessions", "list", "--url", url, "--no-color")[1]
    assert ESCAPE not in in_terminal("sessions", "list", "--url", url, NO_COLOR="1")[1]
    assert ESCAPE not in in_terminal("sessions", "list", "--url", url, TERM="dumb")[1]
    assert ESCAPE in in_terminal("sessions", "list", "--url", url, NO_COLOR="")[1]


def test_parquet_is_not_written_to_a_terminal() -> None:
    """A usage error that says where it can go, before anything is asked."""
    for command in (["list", "--format", "parquet"], ["export", "--format", "parquet"]):
        code, raw = in_terminal("sessions", *command, OTEL_SESSIONS_URL="http://127.0.0.1:1", columns=200)
        assert code == 2
        assert "> FILE.parquet" in raw


def test_ctrl_c_ends_a_command_with_130(url: str) -> None:
    """Without a traceback."""
    with Terminal(COMMAND, "sessions", "tail", "--url", url) as terminal:
        terminal.read_until("plain")
        terminal.type(CTRL_C)
        assert terminal.wait() == 130
        assert "Traceback" not in terminal.text


def test_ctrl_c_ends_tail_though_what_it_raised_was_lost(url: str) -> None:
    """As CPython loses it while it formats another exception: here whenever a line is made."""
    ran = subprocess.run(
        [sys.executable, "-c", LOSING, "sessions", "tail", "--url", url, "--interval", "3600"],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (130, "")
    assert "plain" in ran.stdout


def test_a_terminal_that_goes_away_ends_tail(url: str) -> None:
    """Its window was closed: nobody reads any more, and nothing keeps running."""
    with Terminal(COMMAND, "sessions", "tail", "--url", url, "--interval", "3600") as terminal:
        terminal.read_until("plain")
        terminal.close()
        assert terminal.process.wait(TIMEOUT_S) != 0
