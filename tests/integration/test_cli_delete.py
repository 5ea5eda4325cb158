"""`sessions delete` against a running process: who is asked, and what is gone afterwards."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.integration.process import COMMAND, Running, call
from tests.integration.talk import turn
from tests.integration.terminal import CTRL_C, CTRL_D, Terminal

ODD = ("stats", "..", "a/b ?#%\x1b[2J")
IDS = ("kept", "asked", "first", "second", "third", *ODD)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The API of a process with a session for each test; the stop has rolled them up."""
    folder = tmp_path_factory.mktemp("cli_delete")
    with Running(folder) as process:
        process.export(*(span for number, name in enumerate(IDS, 1) for span in turn(number, name)))
        process.stop()
    with Running(folder) as process:
        yield process.url("sessions_api")


def ids(url: str) -> set[str]:
    """Of all sessions that are there."""
    found = call("sessions", "list", "--format", "json", "--url", url)
    return {session["id"] for session in json.loads(found.stdout)["data"]}


def test_without_a_terminal_nothing_is_deleted_unasked(url: str) -> None:
    """A usage error that names the option."""
    result = call("sessions", "delete", "kept", "--url", url)
    assert result.returncode == 2
    assert "--yes" in result.stderr
    assert "kept" in ids(url)


@pytest.mark.parametrize(
    ("keys", "code"), [("n\r", 1), ("\r", 1), (CTRL_D, 1), (CTRL_C, 130)], ids=["no", "nothing", "the end", "ctrl-c"]
)
def test_only_a_yes_deletes(url: str, keys: str, code: int) -> None:
    """What would be deleted is told before; a no is the answer to anything else."""
    with Terminal(COMMAND, "sessions", "delete", "kept", "--url", url, columns=200) as terminal:
        terminal.read_until("for good? [y/N]: ")
        assert "kept: invoke_agent, 1 trace, 2 spans, last seen " in terminal.text
        terminal.type(keys)
        assert terminal.wait() == code
    assert "kept" in ids(url)


def test_a_yes_at_the_terminal_deletes(url: str) -> None:
    """And says until when late spans are dropped."""
    with Terminal(COMMAND, "sessions", "delete", "asked", "--url", url, columns=200) as terminal:
        terminal.read_until("Delete this session")
        terminal.type("y\r")
        assert terminal.wait() == 0
        assert "asked: deleted; spans that still come are dropped until 20" in terminal.text
    assert "asked" not in ids(url)


def test_several_are_deleted_in_their_order(url: str) -> None:
    """Each once, and one that is not there as well: its spans may be on their way."""
    result = call("sessions", "delete", "second", "first", "second", "never seen", "--yes", "--url", url)
    assert result.returncode == 0, result.stderr
    told = [line.partition(": deleted; ")[0] for line in result.stdout.splitlines()]
    assert told == ["second", "first", "never seen"]
    assert {"first", "second"} & ids(url) == set()
    with Terminal(COMMAND, "sessions", "delete", "third", "never seen", "--url", url, columns=200) as terminal:
        terminal.read_until("Delete these 2 sessions")
        assert "never seen: not there" in terminal.text
        terminal.type("n\r")
        terminal.wait()


def test_ids_that_look_like_paths_are_ids(url: str) -> None:
    """They are shown and deleted as any other, and can't command the terminal."""
    for session_id in ODD:
        assert session_id in ids(url)
        shown = call("sessions", "show", session_id, "--format", "json", "--url", url)
        assert json.loads(shown.stdout)["id"] == session_id
        result = call("sessions", "delete", session_id, "-y", "--url", url)
        assert result.returncode == 0, result.stderr
        assert "\x1b" not in result.stdout
        assert session_id not in ids(url)
        assert call("sessions", "show", session_id, "--url", url).returncode == 1
