"""Queries on an embedded store that no process has open: chDB opens one directory a process, so in one of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.integration.process import TIMEOUT_S

READER = """
import json, sys
from processor.store.connection import StoreConfig, connect
client = connect(StoreConfig(dsn="chdb://" + sys.argv[1]))
for query in sys.argv[2:]:
    print(json.dumps(list(client.query(query).named_results())))
client.close()
"""


def read(data: Path, *queries: str) -> list[list[dict[str, Any]]]:
    """The rows of queries on a store that no process has open."""
    command = [sys.executable, "-c", READER, str(data), *queries]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


WRITER = """
import sys
from processor.store.connection import StoreConfig, connect
client = connect(StoreConfig(dsn="chdb://" + sys.argv[1]))
for statement in sys.argv[2:]:
    client.command(statement)
client.close()
"""


def write(data: Path, *statements: str) -> None:
    """Run statements on a store that no process has open."""
    command = [sys.executable, "-c", WRITER, str(data), *statements]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 0, done.stderr
