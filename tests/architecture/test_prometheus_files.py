"""`deploy/prometheus` and the dashboard of the processor: valid, over metrics that exist, and each alert explained."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from processor.telemetry.metrics import Metrics

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "prometheus"
RULES = [rule for group in yaml.safe_load((FOLDER / "rules.yaml").read_text())["groups"] for rule in group["rules"]]
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}
RECORDED = {rule["record"] for rule in RULES if "record" in rule}
TESTS = yaml.safe_load((FOLDER / "rules_test.yaml").read_text())["tests"]
INCIDENTS = (ROOT / "docs" / "incidents.md").read_text()
DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "dashboards" / "otel-sessions-processor.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]

NAMES = {metric.name for metric in Metrics().described}
SERIES = {name for metric in Metrics().described for name in metric.series}
NAME = re.compile(r"\b(?:otelcol|otel_sessions)[\w:]+")
PROMTOOL_S = 240


@pytest.fixture(scope="module")
def promtool() -> str:
    """Prometheus's own checker. Without one, tests fail where they must run and are skipped elsewhere."""
    path = shutil.which("promtool")
    if path is None:
        message = "there is no promtool; install it with: apt-get install prometheus"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return path


def run(*command: str) -> None:
    """Run it beside the rules. Errors: `AssertionError` with what it says."""
    result = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, timeout=PROMTOOL_S, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def expressions() -> Iterator[tuple[str, str]]:
    """Every query of the rules and of the dashboard, and whose it is."""
    for rule in RULES:
        yield rule.get("alert") or rule["record"], rule["expr"]
    for panel in PANELS:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["name"], variable["query"]["query"]


def test_every_metric_that_is_asked_for_exists() -> None:
    """A name of ours or of the Collector's is in the catalogue, or recorded by a rule."""
    asked = {(name, whose) for whose, text in expressions() for name in NAME.findall(text)}
    assert len(asked) > len(RULES)
    assert {(name, whose) for name, whose in asked if name not in SERIES | RECORDED} == set()


def test_the_rules_are_rules(promtool: str) -> None:
    """As Prometheus would read them."""
    run(promtool, "check", "rules", "rules.yaml")


def test_every_alert_rings_when_it_should_and_is_still_when_not(promtool: str) -> None:
    """By `promtool test rules`: a quiet moment and a loud one for each alert."""
    asked = {name: {len(test["exp_alerts"]) for test in tests} for name, tests in _tested().items()}
    assert asked == {name: {0, 1} for name in ALERTS}
    run(promtool, "test", "rules", "rules_test.yaml")


def _tested() -> dict[str, list[dict[str, Any]]]:
    both = [(test["alertname"], test) for case in TESTS for test in case["alert_rule_test"]]
    both.sort(key=lambda one: one[0])
    return {name: [test for _, test in tests] for name, tests in itertools.groupby(both, key=lambda one: one[0])}


def test_every_alert_says_what_it_is_and_where_to_read_on() -> None:
    """A severity, a summary, a description and a link to its row; the table has a row for each, in their order."""
    for name, alert in ALERTS.items():
        assert alert["labels"]["severity"] in ("info", "warning", "critical")
        said = alert["annotations"]
        assert said["summary"]
        assert said["description"].endswith(".")
        assert said["runbook_url"] == f"docs/incidents.md#{name.lower()}"
    rows = re.findall(r'^\| <a id="(\w+)"></a>(\w+) \((\w+)\) \| (.+) \| (.+) \| (.+) \|$', INCIDENTS, re.M)
    assert [row[1] for row in rows] == list(ALERTS)
    for anchor, name, severity, *_, metrics, action in rows:
        assert anchor == name.lower()
        assert severity == ALERTS[name]["labels"]["severity"]
        assert set(NAME.findall(metrics)) <= NAMES
        assert action
    assert INCIDENTS.count("\n| <a ") == len(ALERTS), "a row that is not read as one"


def test_what_incidents_name_exists() -> None:
    """Log events, options and documents that a row sends its reader to."""
    source = "".join(path.read_text() for path in (ROOT / "processor").rglob("*.py"))
    events = set(re.findall(r"`([a-z]+(?:_[a-z]+)+)`", INCIDENTS)) - NAMES
    assert {name for name in events if f'"{name}"' not in source and f" {name}:" not in source} == set()
    options = re.findall(r"`((?:exporters|receivers|processors|service|rollups|sending_queue)\.[\w.]+)`", INCIDENTS)
    reference = (ROOT / "config" / "embedded.yaml").read_text()
    assert {name for name in options if f"{name.rpartition('.')[2]}:" not in reference} == set()
    documents = {*re.findall(r"\((\w+\.md)\)", INCIDENTS), *re.findall(r"docs/(\w+\.md)", INCIDENTS)}
    assert {name for name in documents if not (ROOT / "docs" / name).exists()} == set()


def test_panels_of_the_dashboard_have_places_of_their_own_and_say_what_they_show() -> None:
    """Ids and titles differ, none overlap, and every query goes to the chosen data source."""
    for part in ("id", "title"):
        named = [panel[part] for panel in DASHBOARD["panels"]]
        assert len(set(named)) == len(named), part
    cells: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        assert 0 <= place["x"] < place["x"] + place["w"] <= 24, panel["title"]
        taken = set(
            itertools.product(range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"]))
        )
        assert not cells & taken, panel["title"]
        cells |= taken
    for panel in PANELS:
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        sources = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
        assert all(source == {"type": "prometheus", "uid": "${datasource}"} for source in sources)
        assert all('job=~"$job"' in target["expr"] for target in panel["targets"]), panel["title"]
