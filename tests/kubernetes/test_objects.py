"""Every object that the chart writes is one that Kubernetes takes, and may do no more than it must."""

from __future__ import annotations

import functools
import json
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.kubernetes.objects import CUSTOM, FILES, Object, Workload, mappings, objects, of_kind, selects, workloads

OLDEST, NEWEST = "1.30", "1.37"
PARAMETERS = pytest.mark.parametrize("workload", workloads(), ids=str)


@functools.cache
def accepted(text: str, version: str) -> None:
    """Errors: `ValidationError`. Renderings share objects: each is asked about once."""
    kubernetes_validate.validate(json.loads(text), version, strict=True)


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("name", FILES)
def test_kubernetes_knows_every_field(name: str, version: str) -> None:
    """By its own schemas, strictly, of the oldest version that the chart says it runs on and of the newest."""
    for item in objects(name):
        if item["kind"] not in CUSTOM:
            accepted(json.dumps(item, sort_keys=True), version)


@pytest.mark.parametrize("name", FILES)
def test_objects_have_names_of_their_own_in_one_namespace(name: str) -> None:
    """Applying one never overwrites another; names leave room for what Kubernetes puts behind them."""
    found = [item for item in objects(name) if item["kind"] != "Namespace"]
    identities = [(item["kind"], item["metadata"]["name"]) for item in found]
    assert len(set(identities)) == len(identities)
    assert all(len(own) <= 58 for _, own in identities)
    assert {item["metadata"]["namespace"] for item in found} == {"otel-sessions"}


@PARAMETERS
def test_a_pod_is_restricted(workload: Workload) -> None:
    """Kubernetes' Pod Security Standard `restricted`, and beyond: a read-only root and no token of the API server."""
    spec, container = workload.spec, workload.container
    context = spec["securityContext"]
    assert context["runAsNonRoot"] is True
    assert context["runAsUser"] > 0
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers", "hostUsers"} & set(spec)
    allowed = {"configMap", "emptyDir", "secret", "persistentVolumeClaim", "projected", "csi", "downwardAPI"}
    assert all(set(volume) - {"name"} <= allowed for volume in spec.get("volumes", []))
    assert all("hostPort" not in port for port in container.get("ports", []))


@PARAMETERS
def test_a_pod_says_what_it_takes(workload: Workload) -> None:
    """Memory has a limit, CPU a request; everything that is mounted is there, and what is written to has a bound."""
    resources = workload.container["resources"]
    assert {"cpu", "memory"} <= set(resources["requests"])
    assert "memory" in resources["limits"]
    volumes = {volume["name"]: volume for volume in workload.spec.get("volumes", [])}
    templates = workload.object["spec"].get("volumeClaimTemplates", [])
    mounts = workload.container.get("volumeMounts", [])
    assert {mount["name"] for mount in mounts} == {*volumes, *(item["metadata"]["name"] for item in templates)}
    assert all(mount.get("readOnly") or mount["name"] in ("tmp", "data") for mount in mounts)
    assert "tmp" not in volumes or volumes["tmp"]["emptyDir"]["sizeLimit"]


@pytest.mark.parametrize("name", FILES)
def test_no_object_holds_a_secret(name: str) -> None:
    """They are named. No object is one, and no variable has a value that a secret could be."""
    assert not of_kind(name, "Secret")
    for mapping in (found for item in objects(name) for found in mappings(item)):
        variable = str(mapping.get("name"))
        if any(word in variable for word in ("PASSWORD", "TOKEN", "USERNAME", "URL", "KEY")):
            assert set(mapping) == {"name", "valueFrom"}


@pytest.mark.parametrize("name", FILES)
def test_selectors_find_their_pods(name: str) -> None:
    """Those of workloads, Services, budgets, monitors and scalers; a workload's finds no other's pods."""
    owners = [workload for workload in workloads() if workload.rendering == name]
    labels = {str(owner): owner.labels for owner in owners}
    for owner in owners:
        if owner.object["kind"] in ("Deployment", "StatefulSet"):
            selector = owner.object["spec"]["selector"]["matchLabels"]
            assert [found for found, own in labels.items() if selects(selector, own)] == [str(owner)]
    for service in of_kind(name, "Service"):
        assert any(selects(service["spec"]["selector"], own) for own in labels.values())
    for budget in of_kind(name, "PodDisruptionBudget"):
        assert sum(selects(budget["spec"]["selector"]["matchLabels"], own) for own in labels.values()) == 1
    services = [service["metadata"]["labels"] for service in of_kind(name, "Service")]
    for monitor in of_kind(name, "ServiceMonitor"):
        assert sum(selects(monitor["spec"]["selector"]["matchLabels"], own) for own in services) == 1
    deployments = [item["metadata"]["name"] for item in of_kind(name, "Deployment")]
    for scaler in of_kind(name, "HorizontalPodAutoscaler", "ScaledObject"):
        target = scaler["spec"]["scaleTargetRef"]["name"]
        assert target in deployments
        (scaled,) = [item for item in of_kind(name, "Deployment") if item["metadata"]["name"] == target]
        assert "replicas" not in scaled["spec"], "an upgrade would undo what the scaler did"


@pytest.mark.parametrize("name", FILES)
def test_routes_lead_to_ports_of_services(name: str) -> None:
    """Of an Ingress by name, of a route of the Gateway API by number."""
    services = {item["metadata"]["name"]: item["spec"]["ports"] for item in of_kind(name, "Service")}
    for ingress in of_kind(name, "Ingress"):
        for rule in ingress["spec"]["rules"]:
            backend = rule["http"]["paths"][0]["backend"]["service"]
            assert backend["port"]["name"] in {port["name"] for port in services[backend["name"]]}
    for route in of_kind(name, "HTTPRoute", "GRPCRoute"):
        (backend,) = route["spec"]["rules"][0]["backendRefs"]
        assert backend["port"] in {port["port"] for port in services[backend["name"]]}


def policies(name: str, labels: dict[str, str]) -> list[Object]:
    """The network policies that hold for a pod."""
    found = of_kind(name, "NetworkPolicy")
    return [item["spec"] for item in found if selects(item["spec"]["podSelector"]["matchLabels"], labels)]


def ports_of(rules: list[dict[str, Any]]) -> set[Any]:
    """All ports of some rules; none may leave its ports open."""
    return {port["port"] for rule in rules for port in rule["ports"]}


@pytest.mark.parametrize(
    "workload", [found for found in workloads() if of_kind(found.rendering, "NetworkPolicy")], ids=str
)
def test_a_pod_is_reached_where_it_listens_and_nowhere_else(workload: Workload) -> None:
    """Denied by default in both directions; let in on every port but the node's probes'; out to names and, by role,
    brokers and ClickHouse.
    """
    holding = policies(workload.rendering, workload.labels)
    assert any(item["policyTypes"] == ["Ingress", "Egress"] and item["ingress"] == [] for item in holding)
    listens = {port["name"] for port in workload.container.get("ports", [])} - {"health"}
    assert ports_of([rule for item in holding for rule in item["ingress"]]) == listens
    out = ports_of([rule for item in holding for rule in item["egress"]]) - {53, 443}
    if workload.object["kind"] == "Pod":
        assert out == {4318, 3000}
        return
    config, sections = workload.config_text, yaml.safe_load(workload.config_text)
    clients = [] if workload.object["kind"] == "Job" else [sections.get("receivers", {}), sections.get("exporters", {})]
    brokers = [broker for client in clients for broker in client.get("kafka", {}).get("brokers", [])]
    store = {8443 if "everything" in workload.rendering else 8123} if "CLICKHOUSE_URL" in config else set()
    assert out == {int(broker.rpartition(":")[2]) for broker in brokers} | store


def test_manifests_refuse_pods_that_are_not_restricted() -> None:
    """Their namespace says so to Kubernetes."""
    for name in ("manifests-all-in-one", "manifests-distributed"):
        (namespace,) = of_kind(name, "Namespace")
        assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
        assert not [item for item in objects(name) if "helm.sh" in json.dumps(item)]
