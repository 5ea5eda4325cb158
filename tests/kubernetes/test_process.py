"""The chart and our process agree: command lines, configuration, variables, files, ports, probes, times to stop."""

from __future__ import annotations

from typing import Any

import pytest
import typer
import yaml

from processor.cli.commands import app
from processor.config import Config
from processor.endpoint import parse_endpoint
from tests.kubernetes.objects import Workload, of_kind, workloads

RUNNING = [found for found in workloads("Deployment", "StatefulSet", "Job") if "secured" not in found.rendering]
SECURED = [found for found in workloads("Deployment", "StatefulSet", "Job") if "secured" in found.rendering]
LONG_RUNNING = [found for found in RUNNING if found.object["kind"] != "Job"]

PARTS = {
    "all-in-one": {"otlp", "sessions", "sessions_api", "clickhouse_http"},
    "receiver": {"otlp", "kafka_exporter"},
    "worker": {"kafka_receiver", "sessions"},
    "api": {"sessions_api"},
}


def component(workload: Workload) -> str:
    """What it is called."""
    return workload.labels["app.kubernetes.io/component"]


def served(config: Config) -> dict[str, int]:
    """Ports by the names that the chart gives them; nothing may listen on loopback alone."""
    found = {"metrics": config.service.telemetry.metrics.address}
    protocols = config.otlp.protocols if config.otlp else None
    for name, part in {
        "health": config.health_check,
        "api": config.sessions_api,
        "clickhouse-http": config.clickhouse_http,
        "otlp-grpc": protocols and protocols.grpc,
        "otlp-http": protocols and protocols.http,
    }.items():
        if part is not None:
            found[name] = part.endpoint
    endpoints = {name: parse_endpoint(endpoint) for name, endpoint in found.items()}
    assert {host for host, _ in endpoints.values()} == {"0.0.0.0"}
    return {name: port for name, (_, port) in endpoints.items()}


def parameters(workload: Workload) -> dict[str, Any]:
    """Its arguments, as our command takes them apart."""
    command: Any = typer.main.get_command(app)
    arguments = list(workload.container["args"])
    while isinstance(command, typer.core.TyperGroup):
        command = command.commands[arguments.pop(0)]
    return dict(command.make_context(command.name, arguments).params)


@pytest.mark.parametrize("workload", RUNNING, ids=str)
def test_the_command_is_ours(workload: Workload) -> None:
    """With the file that is mounted."""
    assert str(parameters(workload)["config"]) == "/conf/config.yaml"
    assert {"name": "config", "mountPath": "/conf", "readOnly": True} in workload.container["volumeMounts"]


@pytest.mark.parametrize("workload", [*RUNNING, *SECURED], ids=str)
def test_the_configuration_is_valid_with_the_variables_that_are_set(workload: Workload) -> None:
    """Every reference has its variable, and every variable of ours is referred to."""
    assert workload.config is not None
    given = {entry["name"] for entry in workload.container.get("env", [])}
    assert workload.variables <= given
    assert given - workload.variables <= {"MALLOC_ARENA_MAX"}


@pytest.mark.parametrize("workload", LONG_RUNNING, ids=str)
def test_a_component_does_what_it_is_called(workload: Workload) -> None:
    """Of what a process can do, that part; all-in-one may leave out ClickHouse's interface."""
    config, every = workload.config, set().union(*PARTS.values())
    found = {name for name in every if getattr(config, name) is not None}
    left_out = {"clickhouse_http"} if workload.rendering == "all-in-one-bare" else set()
    assert found == PARTS[component(workload)] - left_out


@pytest.mark.parametrize("workload", LONG_RUNNING, ids=str)
def test_ports_are_those_that_the_process_serves(workload: Workload) -> None:
    """Of the container by name and number, and what Services publish; health is for the node alone."""
    ports = {port["name"]: port["containerPort"] for port in workload.container["ports"]}
    assert ports == served(workload.config)
    published: dict[str, int] = {}
    for service in of_kind(workload.rendering, "Service"):
        if service["spec"]["selector"].items() <= workload.labels.items():
            assert all(port["targetPort"] == port["name"] for port in service["spec"]["ports"])
            published |= {port["name"]: port["port"] for port in service["spec"]["ports"]}
    assert published == {name: port for name, port in ports.items() if name != "health"}


@pytest.mark.parametrize("workload", LONG_RUNNING, ids=str)
def test_probes_ask_the_health_extension(workload: Workload) -> None:
    """Each the path that was made for it."""
    probes = {name: workload.container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
    assert {probe["port"] for probe in probes.values()} == {"health"}
    assert [probe["path"] for probe in probes.values()] == ["/startup", "/live", "/ready"]


@pytest.mark.parametrize("workload", LONG_RUNNING, ids=str)
def test_a_pod_is_killed_only_after_everything_that_a_stop_may_take(workload: Workload) -> None:
    """Waiting for Services, requests under way, brokers' answers, rollups and the tick that is under way."""
    grace_s = workload.spec["terminationGracePeriodSeconds"]
    hook = workload.container.get("lifecycle", {}).get("preStop", {"sleep": {"seconds": 0}})
    config, needed_s = workload.config, hook["sleep"]["seconds"] + 5
    if config.kafka_exporter is not None:
        needed_s += config.kafka_exporter.producer.timeout_s
    if config.sessions is not None:
        needed_s += config.sessions.stop_timeout_s + 10
    assert grace_s >= needed_s + 10
    published = {"otlp", "sessions_api"} & PARTS[component(workload)]
    assert bool(hook["sleep"]["seconds"]) == bool(published) or workload.rendering == "all-in-one-bare"


@pytest.mark.parametrize("workload", [*RUNNING, *SECURED], ids=str)
def test_files_that_a_configuration_names_are_mounted(workload: Workload) -> None:
    """Certificates and tokens, each in the directory of its secret; and no secret is mounted that nobody reads."""
    mounted = {mount["mountPath"] for mount in workload.container["volumeMounts"]}
    named = {
        str(value).rpartition("/")[0]
        for value in scalars(yaml.safe_load(workload.config_text))
        if str(value).startswith("/secrets/")
    }
    needs = set() if workload.object["kind"] == "Job" else named  # of the workers' file it connects to the store alone
    assert {path for path in mounted if path.startswith("/secrets/")} == needs


def scalars(node: Any) -> list[Any]:
    """Every leaf."""
    if isinstance(node, dict):
        node = list(node.values())
    return [leaf for item in node for leaf in scalars(item)] if isinstance(node, list) else [node]


@pytest.mark.parametrize("workload", [found for found in RUNNING if component(found) == "all-in-one"], ids=str)
def test_the_store_is_on_the_volume(workload: Workload) -> None:
    """And so is everything that must outlive the pod."""
    store = workload.config.exporters.clickhouse
    assert store is not None
    assert str(store.directory).startswith("/var/lib/otel-sessions/")
    assert {"name": "data", "mountPath": "/var/lib/otel-sessions"} in workload.container["volumeMounts"]
    assert workload.object["spec"]["replicas"] == 1


def test_receivers_ask_clients_to_connect_anew() -> None:
    """Else new receivers would get nothing of clients that are connected."""
    for workload in LONG_RUNNING:
        if (otlp := workload.config.otlp) is not None:
            assert otlp.protocols.grpc is not None
            assert otlp.protocols.grpc.max_connection_age_s == 300


def test_large_numbers_stay_whole() -> None:
    """Helm's numbers are floating point: a gigabyte must not become 1.073741824e+09."""
    found = [item for item in RUNNING if item.rendering.endswith("everything") and item.config.sessions is not None]
    assert found
    for workload in found:
        sessions = workload.config.processors.sessions
        assert sessions is not None
        assert sessions.rollups.seen_filter_bytes == 1 << 30


def test_a_file_of_the_users_reaches_every_component() -> None:
    """`config` is everybody's, a component's own is over it."""
    levels = {
        component(item): item.config.service.telemetry.logs.level
        for item in RUNNING
        if item.rendering == "distributed-everything"
    }
    assert levels == dict.fromkeys(["receiver", "worker", "api", "schema"], "warning")


def test_one_process_creates_the_tables() -> None:
    """The job where there is one; the workers where there is none."""
    for workload in RUNNING:
        store = workload.config.exporters.clickhouse
        if store is None or component(workload) == "all-in-one":
            continue
        without_job = workload.rendering == "distributed-bare"
        assert store.migrate == (without_job or component(workload) == "schema")


def test_workers_are_scaled_by_the_groups_that_they_read_with() -> None:
    """Topic by topic, as many workers as there are partitions at most."""
    for workload in LONG_RUNNING:
        config = workload.config.kafka_receiver
        scalers = of_kind(workload.rendering, "ScaledObject")
        if config is None or not scalers:
            continue
        triggers = {item["metadata"]["topic"]: item["metadata"] for item in scalers[0]["spec"]["triggers"]}
        groups = {config.topic: config.group_id}
        groups |= {config.logs_topic: f"{config.group_id}.logs"} if config.logs_topic else {}
        groups |= {config.metrics_topic: f"{config.group_id}.metrics"} if config.metrics_topic else {}
        assert {topic: item["consumerGroup"] for topic, item in triggers.items()} == groups
        assert all(item["bootstrapServers"] == ",".join(config.brokers) for item in triggers.values())
        assert all(item["offsetResetPolicy"] == config.initial_offset for item in triggers.values())
        assert scalers[0]["spec"]["maxReplicaCount"] <= config.create_topic.partitions
