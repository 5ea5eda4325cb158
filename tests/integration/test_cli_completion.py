"""Completion in the shells themselves: installed as a person would, then the tab key."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.process import COMMAND, Running, call, own_environment
from tests.integration.talk import turn
from tests.integration.terminal import TAB, Terminal

SHELLS = {"bash": ["-i"], "zsh": ["-i"], "fish": ["-i"]}
HOSTILE = "zz$(touch pwned)`touch pwned`"
PROMPT = "READY> "
KILL_LINE = "\x15"
_SET_PROMPT = {
    "bash": f"PS1='{PROMPT[:2]}''{PROMPT[2:]}'",  # in two parts, so that the echo of the line is not taken for it
    "zsh": f"PS1='{PROMPT[:2]}''{PROMPT[2:]}'",
    "fish": f"function fish_prompt; printf '%s%s' '{PROMPT[:2]}' '{PROMPT[2:]}'; end",
}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The API of a process with three sessions, one of which no shell should ever get to see."""
    folder = tmp_path_factory.mktemp("cli_completion")
    with Running(folder) as process:
        process.export(*turn(1, "checkout-7f3a"), *turn(2, "other"), *turn(3, HOSTILE), *turn(4, "zz top"))
        process.stop()
    with Running(folder) as process:
        yield process.url("sessions_api")


def environment(home: Path) -> dict[str, str]:
    """Of a person whose home is this, with the command on the path."""
    path = f"{Path(COMMAND).parent}{os.pathsep}{os.environ['PATH']}"
    return {"HOME": str(home), "PATH": path, "ZDOTDIR": str(home), "XDG_CONFIG_HOME": str(home / ".config")}


@pytest.mark.parametrize("shell", SHELLS)
def test_the_tab_key_completes_commands_options_and_ids(url: str, shell: str, tmp_path: Path) -> None:
    """After --install-completion from that shell, in a new one."""
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell} here")
    own = environment(tmp_path)
    # Two commands, or the shell would become the command, which then could not see whose child it is.
    installed = subprocess.run(
        [shell, "-c", "otel-sessions --install-completion; true"],
        env=own_environment() | own,
        capture_output=True,
        text=True,
        check=True,
    )
    assert installed.stdout.startswith(f"{shell} completion installed in {tmp_path}"), installed.stderr
    with Terminal(shell, *SHELLS[shell], columns=120, **own, OTEL_SESSIONS_URL=url) as terminal:
        terminal.type(f"{_SET_PROMPT[shell]}\n")
        terminal.read_until(PROMPT)
        if shell == "zsh":
            # It loads a completion when it is first asked for, and completes from the next press on.
            terminal.type(f"otel-sessions {TAB}{KILL_LINE}")
        for typed, completed in (
            ("otel-sessions sess", "otel-sessions sessions"),
            ("otel-sessions sessions expo", "otel-sessions sessions export"),
            ("otel-sessions sessions list --sort-by act", "--sort-by active_ms"),
            ("otel-sessions sessions show check", "show checkout-7f3a"),
        ):
            before = len(terminal.text)
            terminal.type(typed)
            # An id that does not come within its second is not offered; a person presses the key again.
            terminal.press_until(TAB, completed, before)
            terminal.type(KILL_LINE)


@pytest.mark.parametrize("shell", SHELLS)
def test_ids_that_a_shell_would_read_as_more_than_a_word_are_not_offered(url: str, shell: str) -> None:
    """Telemetry says what an id is; a shell puts what it completes on the command line as it is."""
    line = "otel-sessions sessions show zz"
    words = {"COMP_WORDS": line, "COMP_CWORD": "3", "_TYPER_COMPLETE_ARGS": line}
    words |= {"_OTEL_SESSIONS_COMPLETE": f"complete_{shell}", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    result = call(**words, OTEL_SESSIONS_URL=url)
    assert "zz" not in result.stdout
    words |= {"COMP_WORDS": line[:-2] + "o", "_TYPER_COMPLETE_ARGS": line[:-2] + "o"}
    assert "other" in call(**words, OTEL_SESSIONS_URL=url).stdout


def test_the_url_of_the_line_is_asked(url: str) -> None:
    """`--url` before the id counts, as it will when the line is run."""
    line = f"otel-sessions sessions delete --url {url} oth"
    words = {"COMP_WORDS": line, "COMP_CWORD": "5", "_OTEL_SESSIONS_COMPLETE": "complete_bash"}
    assert call(**words, OTEL_SESSIONS_URL="http://127.0.0.1:1").stdout == "other\n"


@pytest.mark.parametrize("shell", SHELLS)
def test_completion_never_fails_loudly(shell: str) -> None:
    """Without a process there is nothing to offer, and nothing on the person's screen."""
    line = "otel-sessions sessions show zz"
    words = {"COMP_WORDS": line, "COMP_CWORD": "3", "_TYPER_COMPLETE_ARGS": line}
    words |= {"_OTEL_SESSIONS_COMPLETE": f"complete_{shell}", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    for url in ("http://127.0.0.1:1", "nonsense"):
        result = call(**words, OTEL_SESSIONS_URL=url)
        assert (result.returncode, result.stderr) == (0, "")
        assert "zz" not in result.stdout


@pytest.mark.parametrize("shell", SHELLS)
def test_packages_can_have_the_script_of_any_shell(shell: str) -> None:
    """Without that shell being there; commands and options complete without any process."""
    script = call(_OTEL_SESSIONS_COMPLETE=f"source_{shell}").stdout
    assert f"_OTEL_SESSIONS_COMPLETE=complete_{shell}" in script
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, processor.cli.completion; print('httpx' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert loaded == "False\n"
