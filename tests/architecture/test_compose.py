"""`deploy/compose.yaml` agrees with its schema, our configuration files, the Dockerfile and the broker that tests use.

There is no Docker engine where these run: whether the images start is another matter.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from processor.cli.commands import app
from processor.config import Config, read_config
from processor.config.environment import expand
from processor.endpoint import parse_endpoint

ROOT = Path(__file__).parents[2]
FILE = ROOT / "deploy" / "compose.yaml"
DOCKERFILE = ROOT / "deploy" / "Dockerfile"
IN_IMAGE = "/etc/otel-sessions"

SERVICES: dict[str, Any] = yaml.safe_load(FILE.read_text())["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
VARIABLE = re.compile(r"\$\{env:(\w+)")


def environment(service: dict[str, Any]) -> dict[str, str]:
    """What its containers see where nobody has set a variable; Compose writes `${NAME:-default}` as we do."""
    return {name: expand(str(value), {}) for name, value in service["environment"].items()}


def options(service: dict[str, Any]) -> dict[str, Any]:
    """Its command line, as our command takes it apart."""
    command = typer.main.get_command(app)
    assert isinstance(command, typer.core.TyperGroup)
    name, *arguments = service["command"]
    return command.commands[name].make_context(name, list(arguments)).params


def config_text(service: dict[str, Any]) -> str:
    """The configuration file that it runs with, out of the checkout."""
    path = options(service)["config"]
    return (ROOT / "config" / Path(path).relative_to(IN_IMAGE)).read_text()


def config_of(service: dict[str, Any]) -> Config:
    """The configuration that its process builds."""
    config, role = read_config(config_text(service), environment(service)), options(service)["role"]
    return config if role is None else config.as_role(role)


def listens(config: Config) -> set[int]:
    """Ports on which it answers other containers."""
    otlp, api = config.otlp, config.sessions_api
    protocols = [otlp.protocols.grpc, otlp.protocols.http] if otlp else []
    endpoints = [parse_endpoint(part.endpoint) for part in (*protocols, api) if part]
    assert all(host == "0.0.0.0" for host, _ in endpoints), "only reachable inside of its container"
    return {port for _, port in endpoints}


def published(service: dict[str, Any]) -> list[tuple[str, int, int]]:
    """Address, port on the machine, port in the container."""
    triples = [entry.rsplit(":", 2) for entry in service.get("ports", [])]
    return [(address, int(outside), int(inside)) for address, outside, inside in triples]


def test_the_file_is_what_compose_reads() -> None:
    """By the Compose project's own schema."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(FILE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_image_holds_our_command_and_our_configuration_files() -> None:
    """What commands and health checks of the services name is where the Dockerfile puts it; it does not run as root."""
    steps = DOCKERFILE.read_text().splitlines()
    assert f"COPY config {IN_IMAGE}" in steps
    assert 'ENTRYPOINT ["/opt/otel-sessions/bin/otel-sessions"]' in steps
    assert [step for step in steps if step.startswith("USER ")] == ["USER 10001:10001"]
    for service in OURS.values():
        build = service["build"]
        assert (FILE.parent / build["context"]).resolve() == ROOT
        assert ROOT / build["dockerfile"] == DOCKERFILE
        assert service["healthcheck"]["test"][1] == "/opt/otel-sessions/bin/python"


def test_the_build_context_has_what_the_dockerfile_copies() -> None:
    """Everything is ignored but that, and all of that is there."""
    steps = [line.split() for line in DOCKERFILE.read_text().splitlines() if line.startswith("COPY ")]
    copied = {name for step in steps if not step[1].startswith("--from") for name in step[1:-1]}
    ignore = DOCKERFILE.with_name("Dockerfile.dockerignore").read_text().splitlines()
    assert {line[1:] for line in ignore if line.startswith("!")} == copied
    assert "*" in ignore
    assert all((ROOT / name).exists() for name in copied)


@pytest.mark.parametrize("name", OURS)
def test_a_service_sets_only_what_its_configuration_reads(name: str) -> None:
    """A variable that nobody reads is a mistake in its name."""
    assert set(environment(OURS[name])) <= set(VARIABLE.findall(config_text(OURS[name])))


@pytest.mark.parametrize(
    ("name", "parts"), [("receiver", ["otlp"]), ("worker", ["sessions"]), ("api", ["sessions_api"])]
)
def test_a_service_does_what_it_is_called(name: str, parts: list[str]) -> None:
    """Of what a process can do, the one thing, and its health; its configuration is valid with its variables."""
    config = config_of(OURS[name])
    everything = ("otlp", "sessions", "sessions_api", "clickhouse_http")
    assert [part for part in everything if getattr(config, part) is not None] == parts


@pytest.mark.parametrize("name", OURS)
def test_a_service_publishes_what_it_listens_on(name: str) -> None:
    """Port for port; what has no port to publish listens for nobody else."""
    assert {inside for _, _, inside in published(OURS[name])} == listens(config_of(OURS[name]))


@pytest.mark.parametrize("name", OURS)
def test_a_service_is_asked_for_its_health_where_it_answers(name: str) -> None:
    """`/ready`, from inside of the container."""
    health = config_of(OURS[name]).health_check
    assert health is not None
    assert f'"http://{health.endpoint}/ready"' in OURS[name]["healthcheck"]["test"][-1]


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_loopback_images_pinned_and_health_known(name: str) -> None:
    """Of every service: what the network can't reach, what stays the same tomorrow, and what others may wait for."""
    service = SERVICES[name]
    assert all(address == "127.0.0.1" and outside == inside for address, outside, inside in published(service))
    assert "build" in service or re.search(r":\d+\.\d+\.\d+", service["image"])
    assert service["healthcheck"]["test"]
    for other, needed in service.get("depends_on", {}).items():
        assert other in SERVICES
        assert needed["condition"] == "service_healthy"


def test_services_find_each_other() -> None:
    """Brokers, ClickHouse and its password are the same on both sides."""
    kafka, clickhouse = environment(SERVICES["kafka"]), environment(SERVICES["clickhouse"])
    receiver, worker, api = (config_of(OURS[name]) for name in ("receiver", "worker", "api"))
    assert receiver.kafka_exporter is not None
    assert worker.kafka_receiver is not None
    assert receiver.kafka_exporter.brokers == worker.kafka_receiver.brokers
    assert kafka["KAFKA_ADVERTISED_LISTENERS"] == f"PLAINTEXT://{worker.kafka_receiver.brokers[0]}"
    assert receiver.kafka_exporter.topic == worker.kafka_receiver.topic
    user, password = clickhouse["CLICKHOUSE_USER"], clickhouse["CLICKHOUSE_PASSWORD"]
    for config in (worker, api):
        assert config.exporters.clickhouse is not None
        assert config.exporters.clickhouse.dsn == f"http://{user}:{password}@clickhouse:8123"


def test_workers_share_the_topic() -> None:
    """Two of them, and no more than it has partitions."""
    config = config_of(OURS["worker"]).kafka_receiver
    assert config is not None
    assert 2 <= OURS["worker"]["deploy"]["replicas"] <= config.create_topic.partitions
    assert "container_name" not in OURS["worker"]


def test_the_broker_is_the_version_that_tests_run_against() -> None:
    """The image and `deploy/kafka/pom.xml` name one Kafka."""
    pom = (ROOT / "deploy" / "kafka" / "pom.xml").read_text()
    version = re.search(r"<kafka\.version>(.+)</kafka\.version>", pom)
    assert version is not None
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{version.group(1)}"


def test_data_lies_in_named_volumes() -> None:
    """Where each image keeps it."""
    volumes = yaml.safe_load(FILE.read_text())["volumes"]
    kafka = SERVICES["kafka"]
    assert kafka["volumes"] == [f"kafka:{kafka['environment']['KAFKA_LOG_DIRS']}"]
    assert SERVICES["clickhouse"]["volumes"] == ["clickhouse:/var/lib/clickhouse"]
    assert set(volumes) == {"kafka", "clickhouse"}
