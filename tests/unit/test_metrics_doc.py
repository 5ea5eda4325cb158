"""docs/metrics.md says what the catalogue says. UPDATE_GOLDEN=1 writes it anew."""

from __future__ import annotations

import os
import re
from pathlib import Path

from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from processor.telemetry.catalogue import Described
from processor.telemetry.metrics import Metrics

PATH = Path(__file__).parents[2] / "docs" / "metrics.md"
INTRODUCTION = """\
# Metrics

What `/metrics` on port 8888 says (`service.telemetry.metrics.address`). Written from the catalogue in
`processor/telemetry/metrics.py`, which has the names of the OpenTelemetry Collector where it has one. Alerts and
recorded queries over them are in [deploy/prometheus/rules.yaml](../deploy/prometheus/rules.yaml), a dashboard is in
[deploy/grafana](../deploy/grafana/README.md), and [incidents.md](incidents.md) says what to do.

Units are UCUM's, as OpenTelemetry writes them: `s` seconds, `By` bytes, `{span}` a count of spans. A counter starts
anew with its process. A series appears with its first value; a gauge of the store as a whole (unbound and unpriced
spans, pending deletions) is the same on every worker: take the `max`, not the `sum`.

| label | values |
|---|---|
| `transport` | `grpc`, `http` |
| `exporter` | `clickhouse`, `kafka`; `…/logs` and `…/metrics` for the queues of the other signals |
| `outcome` | `ok`, `partial` (some items rejected), `ignored` (a signal that is not kept), `invalid`, `too_large`, \
`unauthenticated`, `permission_denied`, `overloaded`, `rate_limited`, `unavailable`, `unexpected`, `cancelled` |
| `status` | a code of gRPC by its name, or a status of HTTP; 499 where the client had gone |
| `api` | `sessions_api`, `clickhouse_http` |
| `route` | the template of the path, like `/v1/sessions/{id}`, or `other` |
| `table` | a table of ours |
| `step` | `decode`, `insert` |
| `reason` | why items were refused for good; a fixed list |
| `signal` | `traces`, `logs`, `metrics` |
| `limit` | the limit that was met; a fixed list |
| `rule` | the name of a budget's rule in the configuration |
| `level` | `debug`, `info`, `warning`, `error`, `critical` |

| name | type | labels | unit | meaning |
|---|---|---|---|---|
"""


def row(metric: Described) -> str:
    """A line of the table."""
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    return f"| `{metric.name}` | {metric.type} | {labels} | `{metric.unit}` | {metric.help} |\n"


def test_the_document_lists_the_catalogue() -> None:
    """Name, type, labels, unit and meaning of each, in the order of the catalogue."""
    text = INTRODUCTION + "".join(map(row, Metrics().described))
    if os.environ.get("UPDATE_GOLDEN"):
        PATH.write_text(text)
    assert PATH.read_text() == text


def test_what_is_described_is_what_is_scraped() -> None:
    """Every family of a scrape is in the catalogue with its type, and nothing else is."""
    metrics = Metrics()
    families = text_string_to_metric_families(generate_latest(metrics.registry).decode())
    scraped = {
        (f"{family.name}_total" if family.type == "counter" else family.name, family.type)
        for family in families
        if not family.name.endswith("_created")
    }
    assert scraped == {(metric.name, metric.type) for metric in metrics.described}


def test_every_label_is_bounded_and_explained() -> None:
    """A label is one of the document's list, or a topic, a partition or a version."""
    explained = set(re.findall(r"^\| `(\w+)` \|", INTRODUCTION, re.M))
    used = {label for metric in Metrics().described for label in metric.labels}
    assert used - explained == {"topic", "partition", "receiver", "operation", "retryable", "method"} | {
        "version",
        "python_version",
    }
