"""docs/truth.md: every command in it runs, on a process that takes spans, and says what the page shows."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from processor.config import load_config
from tests.integration.process import ANY_PORTS, COMMAND, TIMEOUT_S, Running, own_environment
from tests.integration.test_budgets import a_call

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "truth.md").read_text()
BLOCKS = re.findall(r"^```console\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def only(language: str) -> str:
    """The page's one block in a language."""
    (block,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    return str(block)


def test_every_command_of_the_page_says_what_it_shows(tmp_path: Path) -> None:
    """In their order, beside the process; but for the restored store, which has none."""
    config = ANY_PORTS.replace("${env:TEST_DATA}", "${env:DATA:-./data}")
    sessions = [f"s{number}" for number in (1, 2, 3, 4, 5, 1, 2)]
    data = tmp_path / "data"
    with Running(tmp_path, config, DATA=str(data)) as running:
        running.export(*(a_call(session, number + 1, 10) for number, session in enumerate(sessions)))
        environment = own_environment() | {
            "DATA": str(data),
            "PATH": f"{Path(COMMAND).parent}{os.pathsep}{os.environ['PATH']}",
        }
        said = []
        for block in BLOCKS:
            shown = []
            for command in (line.removeprefix("$ ") for line in block.splitlines() if line.startswith("$ ")):
                done: Any = subprocess.run(
                    ["bash", "-c", command],
                    env=environment,
                    cwd=tmp_path,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    timeout=TIMEOUT_S,
                    check=False,
                )
                shown.append(f"$ {command}\n{done.stdout}")
            said.append("".join(shown))
    assert said == BLOCKS


def test_the_example_is_a_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a secret in the environment."""
    monkeypatch.setenv("BUDGET_WEBHOOK_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump(yaml.safe_load(ANY_PORTS) | yaml.safe_load(only("yaml"))))
    monkeypatch.setenv("TEST_DATA", str(tmp_path))
    sessions = load_config(file).sessions
    assert sessions is not None
    assert [rule.kind for rule in sessions.budgets.rules] == ["cost_usd", "duration_s", "tokens", "idle_s"]


def test_the_body_is_what_the_schema_says() -> None:
    """As it is shown."""
    jsonschema.validate(json.loads(only("json")), json.loads((DOCS / "budget-webhook.schema.json").read_text()))
