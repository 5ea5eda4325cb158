"""The pages hold: every command in a block marked `sh` runs, every link leads somewhere, the indexes name all.

Commands run in bash, a block at a time, in one folder with the repository's `config`, beside a process on free ports:
a page's default ports are those. What can't be run here is named below with the reason; docs/cli.md has its own test.
"""

from __future__ import annotations

import os
import re
import subprocess
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.integration.process import COMMAND, TIMEOUT_S, Running, own_environment

LOOK_S = 0.05
ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^(?P<indent> *)```sh\n(?P<text>.*?)^(?P=indent)```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<to>[^)\s]+)\)")

NOT_RUN = {
    "make install": "has run: it is what the tests run in",
    "otel-sessions run": "runs until it is stopped; the other blocks run beside such a process",
    "kubectl rollout restart deployment/otel-sessions-receiver": "needs a cluster",
    "otel-sessions schema check --config config/worker.yaml": "needs a ClickHouse server; see test_schema_cli",
    "otel-sessions reprice --since 2026-11-01 --config config/worker.yaml": "needs a server; see test_reprice",
    "otel-sessions backup backup-2026-11-28": "restores into a store that nobody has open; see test_truth",
    "otel-sessions dlq list --config config/worker.yaml": "needs a broker; see tests/kafka/test_dead_letters.py",
}
"""Blocks by their first line, and why they are not run here."""

PORTS = {"http": 4318, "sessions_api": 3000, "clickhouse_http": 8123, "metrics": 8888, "health_check": 13133}
CONFIG = """
receivers: {otlp: {protocols: {grpc: {endpoint: "127.0.0.1:0"}, http: {endpoint: "127.0.0.1:0"}}}}
exporters: {clickhouse: {dsn: "chdb://${env:TEST_DATA}"}}
extensions: {health_check: {endpoint: "127.0.0.1:0"}, sessions_api: {endpoint: "127.0.0.1:0"},
  clickhouse_http: {endpoint: "127.0.0.1:0"}}
service: {telemetry: {metrics: {address: "127.0.0.1:0"}, logs: {encoding: json}}}
"""


def blocks() -> list[tuple[str, str]]:
    """Page and text of each block, in order: later ones may need what earlier ones did."""
    return [
        (page.relative_to(ROOT).as_posix(), textwrap.dedent(match["text"]))
        for page in PAGES
        for match in BLOCK.finditer(page.read_text())
    ]


BLOCKS = blocks()


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Running]]:
    """A folder to run commands in, and a process to run them beside."""
    folder = tmp_path_factory.mktemp("docs")
    (folder / "config").symlink_to(ROOT / "config")
    with Running(folder / "process", CONFIG) as process:
        yield folder, process


@pytest.mark.parametrize(("page", "text"), BLOCKS, ids=[f"{page}: {text.splitlines()[0]}" for page, text in BLOCKS])
def test_a_block_of_commands_runs(beside: tuple[Path, Running], page: str, text: str) -> None:
    """It ends with 0."""
    if text.splitlines()[0] in NOT_RUN:
        return
    folder, process = beside
    for component, port in PORTS.items():
        text = text.replace(f"http://127.0.0.1:{port}", process.url(component))
    environment = own_environment() | {
        "OTEL_SESSIONS_URL": process.url("sessions_api"),
        "PATH": f"{Path(COMMAND).parent}{os.pathsep}{os.environ['PATH']}",
    }
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text],
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, f"{page}: {text}\n{done.stdout}\n{done.stderr}"
    while not shows_all(process):  # as the quick start says: what it has sent is in its session a second later
        time.sleep(LOOK_S)


def shows_all(process: Running) -> bool:
    """Whether every stored span is in its session."""
    metrics = httpx.get(f"{process.url('metrics')}/metrics", timeout=TIMEOUT_S).text
    return "\notel_sessions_rollup_lag_seconds 0.0\n" in metrics


def test_every_exception_is_one() -> None:
    """What is not run stands in some page: a reason outlives no command."""
    assert NOT_RUN.keys() <= {text.splitlines()[0] for _, text in BLOCKS}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Every link to a file of the repository."""
    links = [match["to"].partition("#")[0] for match in LINK.finditer(page.read_text())]
    assert not [link for link in links if link and "://" not in link and not (page.parent / link).exists()]


def test_the_indexes_name_every_page() -> None:
    """docs/README.md every page of docs, the README that index."""
    index = (ROOT / "docs" / "README.md").read_text()
    assert not [
        page.name for page in (ROOT / "docs").glob("*.md") if f"({page.name})" not in index and page.name != "README.md"
    ]
    assert "(docs/README.md)" in (ROOT / "README.md").read_text()
    assert "(SECURITY.md)" in (ROOT / "README.md").read_text()
