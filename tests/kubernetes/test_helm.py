"""What helm itself says. Needs helm: `make helm-check` builds it and fails without; elsewhere these are skipped."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from deploy.helm.__main__ import CASES
from deploy.helm.chart import CHART, KUBERNETES, HelmError, find_helm, helm, render, stamp
from deploy.helm.manifests import DIRECTORY, MODES, manifests
from tests.kubernetes.objects import CASE_NAMES, FILES, HELM_CHECK

pytestmark = pytest.mark.skipif(find_helm() is None and not HELM_CHECK, reason="helm is not there; make helm-check")

DISTRIBUTED = {"mode": "distributed", "kafka": {"brokers": ["kafka:9092"]}, "clickhouse": {"existingSecret": "store"}}


@pytest.mark.parametrize("name", CASE_NAMES)
def test_lint_has_nothing_to_say(name: str) -> None:
    """With warnings as errors."""
    said = helm("lint", "--strict", "--quiet", str(CHART), "--values", str(CASES / f"{name}.yaml"))
    assert "WARNING" not in said
    assert "ERROR" not in said


@pytest.mark.parametrize("name", CASE_NAMES)
def test_the_chart_renders_what_is_kept(name: str) -> None:
    """`make manifests` writes it anew."""
    values_file = CASES / f"{name}.yaml"
    assert FILES[name].read_text() == stamp(values_file) + render(values_file)


@pytest.mark.parametrize("mode", MODES)
def test_manifests_are_the_charts(mode: str) -> None:
    """`make manifests` writes them anew."""
    assert (DIRECTORY / f"{mode}.yaml").read_text() == manifests(mode)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"mode": "distributed"}, "kafka.brokers: empty"),
        ({"mode": "distributed", "kafka": {"brokers": ["kafka:9092"]}}, "clickhouse.existingSecret: empty"),
        (DISTRIBUTED | {"worker": {"replicas": 13}}, "13 workers on 12 partitions"),
        (DISTRIBUTED | {"worker": {"keda": {"enabled": True, "maxReplicas": 13}}}, "13 workers on 12 partitions"),
        ({"tls": {"clientCertificates": True}}, "needs tls.existingSecret"),
        ({"kafka": {"tls": {"existingSecret": "ca"}}}, "set kafka.tls.enabled"),
        ({"gatewayApi": {"api": {"enabled": True}}}, "gatewayApi.api.parentRefs: empty"),
        ({"ingress": {"api": {"enabled": True, "tlsSecret": "cert"}}}, "ingress.api.host: empty"),
        ({"recevier": {"replicas": 3}}, "recevier"),
    ],
)
def test_values_that_do_not_fit_are_refused(values: dict[str, object], says: str, tmp_path: Path) -> None:
    """With the value's name, and what to do."""
    values_file = tmp_path / "values.yaml"
    values_file.write_text(yaml.safe_dump(values))
    with pytest.raises(HelmError, match=says):
        render(values_file)


def test_an_old_cluster_is_refused() -> None:
    """It would ignore how a pod waits before it stops."""
    with pytest.raises(HelmError, match="kubeVersion"):
        helm("template", "x", str(CHART), "--kube-version", "1.29.0")


@pytest.mark.parametrize("name", ["all-in-one", "distributed", "distributed-secured"])
def test_notes_say_where_to_send_and_where_to_look(name: str, tmp_path: Path) -> None:
    """With names of this release."""
    # `helm template` leaves notes out, and `helm install` wants a cluster: they are rendered as an object's.
    chart = shutil.copytree(CHART, tmp_path / "chart")
    notes_file = chart / "templates" / "NOTES.txt"
    lines = notes_file.read_text().splitlines(keepends=True)
    notes_file.unlink()
    text = "".join(f"  {line}" for line in lines)
    (chart / "templates" / "notes.yaml").write_text(f"kind: Notes\ntext: |\n{text}")
    options = ["--namespace", "agents", "--kube-version", KUBERNETES, "--values", str(CASES / f"{name}.yaml")]
    notes = helm("template", "mine", str(chart), "--show-only", "templates/notes.yaml", *options)
    scheme = "https" if "secured" in name else "http"
    receiver = "mine-otel-sessions" if name == "all-in-one" else "mine-otel-sessions-receiver"
    assert f"OTEL_EXPORTER_OTLP_ENDPOINT={scheme}://{receiver}.agents:4317" in notes
    assert ("Nobody is asked who they are" in notes) == ("secured" not in name)


def test_names_stay_within_what_kubernetes_takes(tmp_path: Path) -> None:
    """However long the release's."""
    values_file = tmp_path / "values.yaml"
    values_file.write_text(yaml.safe_dump(DISTRIBUTED))
    release = "a-release-whose-name-is-as-long-as-helm-takes-it-1234"
    rendered = helm("template", release, str(CHART), "--kube-version", KUBERNETES, "--values", str(values_file))
    names = [item["metadata"]["name"] for item in yaml.safe_load_all(rendered) if item]
    assert max(map(len, names)) <= 58
