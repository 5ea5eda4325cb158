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
from datetime import datetime
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

# The demo's conversations are always of the last hour.
_TIMES = ((r"\d{4}-\d\d-\d\d", "2026-11-20"), (r"\d\d-\d\d(?= \d\d:\d\d)", "11-20"), (r"\d\d:\d\d:\d\d", "13:38:27"))


def commands(text: str) -> list[str]:
    """The lines after a prompt."""
    return [line.removeprefix("$ ") for line in text.splitlines() if line.startswith("$ ")]


BLOCKS = BLOCK.findall(PAGE.read_text())


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
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
        with Player.started(processor) as player:
            for conversation in CONVERSATIONS:
                player.play(conversation)
        assert wait_for_totals(processor) == []
        api = processor.url("sessions_api")
        (trace,) = httpx.get(f"{api}/v1/sessions/refund-1042/traces").json()["data"]
        send_logs(processor.url("http"), trace["spans"])
        yield own_environment() | {
            "OTEL_SESSIONS_URL": api,
            "COLUMNS": COLUMNS,
            "LANG": "C.UTF-8",
            "PATH": f"{Path(COMMAND).parent}{os.pathsep}{os.environ['PATH']}",
        }


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


def run(command: str, environment: dict[str, str], folder: Path) -> str:
    """What a terminal shows of a command line, of its output and its errors."""
    return subprocess.run(
        ["bash", "-c", command],
        env=environment,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    ).stdout


def _tidied(text: str) -> str:
    return "".join(f"{line.rstrip()}\n" for line in text.rstrip().splitlines())


def without_times(text: str) -> str:
    """With every time the same."""
    for pattern, same in _TIMES:
        text = re.sub(pattern, same, text)
    return text


def test_every_command_of_the_page_says_what_it_shows(demo: dict[str, str], tmp_path: Path) -> None:
    """In their order, so that what is deleted last is there before; times are those of the run."""
    shutil.copy(ROOT / "config" / "embedded.yaml", tmp_path)
    said = []
    for block in BLOCKS:
        shown = [f"$ {command}\n{_tidied(run(command, demo, tmp_path))}" for command in commands(block)]
        said.append("".join(shown))
    if os.environ.get("UPDATE_GOLDEN"):
        new = iter(said)
        PAGE.write_text(BLOCK.sub(lambda _: f"```console\n{without_times(next(new))}```", PAGE.read_text()))
    assert [without_times(block) for block in said] == [
        without_times(block) for block in BLOCK.findall(PAGE.read_text())
    ]


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
        assert all(f"`{part}" in text for part in name.split()[-1:])
