"""docs/cli.md: every command in it runs, and says what the page shows; every command there is stands in it.

UPDATE_GOLDEN=1 writes what the commands say now into the page.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer

from processor.cli.commands import app
from tests.integration.process import COMMAND, TIMEOUT_S, own_environment

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "cli.md"
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)
COLUMNS = "100"

SHOWN_AT = datetime(2026, 11, 20, 14, 20, tzinfo=UTC)
"""When the page's commands run, as it shows it."""

# What is said of the clock itself, not of the demo.
_UNTIL = re.compile(r"until \S+ \S+ UTC")
_TIME = re.compile(r"(?P<date>\d{4}-\d\d-\d\d|(?<!\S)\d\d-\d\d)(?P<between>[ T])(?P<clock>\d\d:\d\d:\d\d)")


def commands(text: str) -> list[str]:
    """The lines after a prompt."""
    return [line.removeprefix("$ ") for line in text.splitlines() if line.startswith("$ ")]


BLOCKS = BLOCK.findall(PAGE.read_text())


@dataclass(frozen=True)
class Demo:
    """A process that has played the demo: the environment to ask it in, and how far the page is from its times."""

    environment: dict[str, str]
    shift: timedelta

    def as_shown(self, text: str) -> str:
        """With times as on the page."""

        def moved(found: re.Match[str]) -> str:
            short = len(found["date"]) == len("11-20")
            date = f"{(SHOWN_AT - self.shift).year}-{found['date']}" if short else found["date"]
            then = datetime.fromisoformat(f"{date} {found['clock']}") + self.shift
            return then.strftime(f"{'%m-%d' if short else '%Y-%m-%d'}{found['between']}%H:%M:%S")

        return _UNTIL.sub("until 2026-11-27 14:20:00 UTC", _TIME.sub(moved, text))


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The environment of somebody beside a process that has played the demo, and two log records."""
    sys.path.insert(0, str(ROOT / "deploy" / "demo"))
    try:
        from check import wait_for_totals  # noqa: PLC0415 (the demo's scripts find each other by the path alone)
        from play import Player  # noqa: PLC0415
        from processor_process import Processor  # noqa: PLC0415
        from scenario import CONVERSATIONS  # noqa: PLC0415
    finally:
        sys.path.pop(0)
    with Processor(tmp_path_factory.mktemp("demo") / "run", free_ports=True) as processor:
        # Whole minutes, so that what the commands round is the same at any time.
        now = datetime.now(UTC).replace(second=0, microsecond=0)
        with Player.started(processor, int(now.timestamp()) * 1_000_000_000) as player:
            for conversation in CONVERSATIONS:
                player.play(conversation)
        assert wait_for_totals(processor) == []
        api = processor.url("sessions_api")
        (trace,) = httpx.get(f"{api}/v1/sessions/refund-1042/traces").json()["data"]
        send_logs(processor.url("http"), trace["spans"])
        environment = own_environment() | {
            "OTEL_SESSIONS_URL": api,
            "COLUMNS": COLUMNS,
            "LANG": "C.UTF-8",
            "PATH": f"{Path(COMMAND).parent}{os.pathsep}{os.environ['PATH']}",
        }
        yield Demo(environment, SHOWN_AT - now)


def send_logs(url: str, spans: list[dict[str, Any]]) -> None:
    """What two tools of a conversation logged while they ran."""
    said = {
        "execute_tool lookup_order": (9, "INFO", "order found"),
        "execute_tool refund": (13, "WARN", "amount is over the limit\nasked for approval"),
    }
    records = [
        {
            "timeUnixNano": str(int(datetime.fromisoformat(span["timestamp"]).timestamp() * 1_000) * 1_000_000),
            "traceId": span["trace_id"],
            "spanId": span["id"],
            "severityNumber": said[span["name"]][0],
            "severityText": said[span["name"]][1],
            "body": {"stringValue": said[span["name"]][2]},
            "attributes": [{"key": "order.id", "value": {"stringValue": "1042"}}],
        }
        for span in spans
        if span["name"] in said
    ]
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "tools"}}]}
    body = {"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": records}]}]}
    assert httpx.post(f"{url}/v1/logs", json=body).json() == {}


def run(command: str, demo: Demo, folder: Path) -> str:
    """What a terminal shows of a command line, of its output and its errors."""
    return subprocess.run(
        ["bash", "-c", command],
        env=demo.environment,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    ).stdout


def _tidied(text: str) -> str:
    return "".join(f"{line.rstrip()}\n" for line in text.rstrip().splitlines())


def test_every_command_of_the_page_says_what_it_shows(demo: Demo, tmp_path: Path) -> None:
    """In their order, so that what is deleted last is there before; times are moved to the page's."""
    shutil.copy(ROOT / "config" / "embedded.yaml", tmp_path)
    said = []
    for block in BLOCKS:
        shown = [f"$ {command}\n{_tidied(run(command, demo, tmp_path))}" for command in commands(block)]
        said.append(demo.as_shown("".join(shown)))
    if os.environ.get("UPDATE_GOLDEN"):
        new = iter(said)
        PAGE.write_text(BLOCK.sub(lambda _: f"```console\n{next(new)}```", PAGE.read_text()))
    assert said == BLOCK.findall(PAGE.read_text())


def names(typer_app: typer.Typer, *before: str) -> Iterator[str]:
    """Every command as it is called."""
    for command in typer_app.registered_commands:
        assert command.callback is not None
        yield " ".join([*before, command.name or command.callback.__name__])
    for group in typer_app.registered_groups:
        assert group.typer_instance is not None
        assert group.name is not None
        yield from names(group.typer_instance, *before, group.name)


@pytest.mark.parametrize("name", list(names(app)))
def test_every_command_stands_on_the_page(name: str) -> None:
    """With an example if it asks a running process; the others are at least named."""
    text = PAGE.read_text()
    if name.split(maxsplit=1)[0] in ("sessions", "threads", "users", "models"):
        shown = [line for block in BLOCKS for line in commands(block)]
        assert any(f"otel-sessions {name}" in line for line in shown)
    else:
        assert f"`{name}" in text or f"`{name.rsplit(maxsplit=1)[-1]}" in text
