"""What is generated from the chart is what the chart says now. `make manifests` writes it anew."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import jsonschema
import pytest
import yaml

from deploy.helm.__main__ import CASES, RULES
from deploy.helm.chart import CHART, ROOT, stamp, stamp_of, values
from deploy.helm.manifests import MODES, values_file
from deploy.helm.readme import readme, table
from deploy.helm.schema import schema
from tests.kubernetes.objects import CASE_NAMES, FILES

SCHEMA = json.loads(schema())


def test_the_schema_is_that_of_the_values() -> None:
    """Its file was written since the values changed, and the values keep to it."""
    assert (CHART / "values.schema.json").read_text() == schema()
    jsonschema.validate(values(), SCHEMA)


def test_the_readme_has_every_value() -> None:
    """Each with its default and what it means."""
    text = (CHART / "README.md").read_text()
    assert readme(text) == text
    assert all(meaning for _, _, meaning in table())


@pytest.mark.parametrize("name", FILES)
def test_a_rendering_is_of_this_chart(name: str) -> None:
    """No template and no value has changed since."""
    mode = name.removeprefix("manifests-")
    source = CASES / f"{name}.yaml" if name in CASE_NAMES else values_file(mode)
    assert stamp_of(FILES[name].read_text()) == stamp(source), "stale; run make manifests"


@pytest.mark.parametrize("path", [*sorted(CASES.glob("*.yaml")), *map(values_file, MODES)], ids=lambda path: path.stem)
def test_values_that_are_rendered_keep_to_the_schema(path: Any) -> None:
    """As helm itself asks, where it is there."""
    jsonschema.validate(yaml.safe_load(path.read_text()), SCHEMA)


@pytest.mark.parametrize(
    "wrong",
    [
        {"replica": 3},
        {"receiver": {"replcas": 3}},
        {"mode": "cluster"},
        {"kafka": {"brokers": ["kafka"]}},
        {"kafka": {"brokers": "kafka:9092"}},
        {"kafka": {"sasl": {"password": "secret"}}},
        {"clickhouse": {"dsn": "https://user:password@host"}},
        {"image": {"digest": "latest"}},
        {"worker": {"replicas": "2"}},
        {"worker": {"replicas": -1}},
        {"worker": {"resources": {"request": {"cpu": 1}}}},
        {"worker": {"resources": {"requests": {"memory": "1 GB"}}}},
        {"receiver": {"preStopSeconds": 86400}},
        {"auth": {"existingSecret": "Not A Name"}},
        {"allInOne": {"service": {"type": "Public"}}},
        {"extraEnv": [{}]},
    ],
    ids=json.dumps,
)
def test_a_mistake_is_refused(wrong: dict[str, Any]) -> None:
    """Names that are not there, types, ranges; and a password has nowhere to go."""
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, SCHEMA)


def test_the_chart_is_of_this_version() -> None:
    """And so is the image that it runs by default."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == project["version"]
    assert f"ARG VERSION={project['version']}\n" in (ROOT / "deploy" / "Dockerfile").read_text()


def test_the_chart_carries_the_rules() -> None:
    """The same as Prometheus is given without Kubernetes."""
    ours = CHART / "files" / "rules.yaml"
    assert ours.exists() == RULES.exists()
    assert not RULES.exists() or ours.read_text() == RULES.read_text()
