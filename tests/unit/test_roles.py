"""Pipelines and roles: which components a process gets from its file, and which files can't be right."""

from __future__ import annotations

from pathlib import Path

import pytest

from processor.config import Config, load_config, read_config
from processor.errors import ConfigError
from processor.role import Role

FOLDER = Path(__file__).parents[2] / "config"
BOTH_SIDES = """
receivers: {otlp: , kafka: }
processors: {sessions: }
exporters: {kafka: , clickhouse: {dsn: 'http://clickhouse:8123'}}
service: {pipelines: {traces: {receivers: [%s], processors: [%s], exporters: [%s]}}}
"""


def file_of(receivers: str = "otlp", processors: str = "", exporters: str = "kafka") -> str:
    """A file that defines everything and connects some of it."""
    return BOTH_SIDES % (receivers, processors, exporters)


def parts(config: Config) -> list[str]:
    """What a process with this configuration runs."""
    found = {
        "otlp": config.otlp,
        "to kafka": config.kafka_exporter,
        "from kafka": config.kafka_receiver,
        "sessions": config.sessions,
        "health": config.health_check,
        "api": config.sessions_api,
        "sql": config.clickhouse_http,
    }
    return [name for name, part in found.items() if part is not None]


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        (Role.RECEIVER, ["otlp", "to kafka", "health"]),
        (Role.WORKER, ["from kafka", "sessions", "health"]),
        (Role.API, ["health", "api"]),
        (Role.ALL, ["otlp", "to kafka", "from kafka", "sessions", "health", "api"]),
    ],
)
def test_a_role_is_one_part_of_a_file_that_defines_all(role: Role, expected: list[str]) -> None:
    """One file for the whole deployment, one word for each process."""
    assert parts(read_config(file_of(), {}).as_role(role)) == expected


def test_all_without_kafka_is_the_embedded_processor() -> None:
    """What the command runs without a file."""
    assert Config().as_role(Role.ALL) == Config()
    assert parts(Config()) == ["otlp", "sessions", "health", "api", "sql"]


@pytest.mark.parametrize(
    ("file", "role", "expected"),
    [
        ("receiver.yaml", None, ["otlp", "to kafka", "health"]),
        ("receiver.yaml", Role.RECEIVER, ["otlp", "to kafka", "health"]),
        ("worker.yaml", None, ["from kafka", "sessions", "health"]),
        ("worker.yaml", Role.WORKER, ["from kafka", "sessions", "health"]),
        ("worker.yaml", Role.API, ["health", "api"]),
    ],
)
def test_the_files_we_ship_are_what_their_names_say(file: str, role: Role | None, expected: list[str]) -> None:
    """With a role or without."""
    config = load_config(FOLDER / file)
    assert parts(config if role is None else config.as_role(role)) == expected


def test_a_worker_with_an_embedded_store_answers_queries_itself() -> None:
    """No other process can read its files; so does the one of the file that we ship."""
    environment = {"CLICKHOUSE_URL": "chdb://./data"}
    shipped = read_config((FOLDER / "worker.yaml").read_text(), environment)
    assert parts(shipped.as_role(Role.WORKER)) == ["from kafka", "sessions", "health", "api"]
    text = file_of().replace("http://clickhouse:8123", "chdb:///data")
    assert parts(read_config(text, {}).as_role(Role.WORKER)) == ["from kafka", "sessions", "health", "api", "sql"]
    with pytest.raises(ConfigError, match="chdb:///data is read by no other process"):
        read_config(text, {}).as_role(Role.API)


@pytest.mark.parametrize(
    ("file", "role", "said"),
    [
        ("receiver.yaml", Role.WORKER, r"--role worker: .*receivers: 'kafka' is not defined"),
        ("receiver.yaml", Role.API, r"--role api: .*nothing to do"),
        ("worker.yaml", Role.RECEIVER, r"--role receiver: .*receivers: 'otlp' is not defined"),
        ("worker.yaml", Role.ALL, r"--role all: .*receivers: 'otlp' is not defined"),
        ("embedded.yaml", Role.RECEIVER, r"--role receiver: .*exporters: 'kafka' is not defined"),
    ],
)
def test_a_role_needs_its_components(file: str, role: Role, said: str) -> None:
    """The error names the role, the list and what is missing there."""
    config = load_config(FOLDER / file)
    with pytest.raises(ConfigError, match=said):
        config.as_role(role)


@pytest.mark.parametrize(
    ("receivers", "processors", "exporters", "said"),
    [
        ("", "sessions", "clickhouse", "receivers: empty"),
        ("otlp", "", "", "exporters: empty"),
        ("otlp", "", "clickhouse", "need each other"),
        ("otlp", "sessions", "kafka", "need each other"),
        ("kafka", "", "kafka", "otlp is not in receivers"),
        ("otlp, kafka", "", "kafka", "which is not in processors"),
        ("otlp, kafka", "sessions", "clickhouse", "goes to kafka here as well"),
        ("otlp", "sessions", "kafka, clickhouse", "takes its spans from kafka"),
        ("otlp, otlp", "", "kafka", "stands twice"),
        ("jaeger", "", "kafka", "'jaeger' is not defined in receivers"),
    ],
)
def test_a_pipeline_that_leads_nowhere_is_refused(receivers: str, processors: str, exporters: str, said: str) -> None:
    """What goes in comes out, and nothing goes round in circles."""
    with pytest.raises(ConfigError, match=said) as error:
        read_config(file_of(receivers, processors, exporters), {})
    assert str(error.value).startswith("service.pipelines.traces")


def test_an_api_needs_a_store() -> None:
    """Asked for by name, it is refused without one; by default it is just not there."""
    text = "exporters: {kafka: }\nservice: {pipelines: {traces: {processors: [], exporters: [kafka]}}}"
    assert parts(read_config(text, {})) == ["otlp", "to kafka", "health"]
    with pytest.raises(ConfigError, match="sessions_api reads what exporters"):
        read_config(text.replace("service: {", "service: {extensions: [sessions_api], "), {})


def test_one_process_writes_to_the_topic_that_it_reads() -> None:
    """Else its spans would go where nobody looks."""
    both = file_of("otlp, kafka", "sessions", "kafka, clickhouse")
    read_config(both, {})
    with pytest.raises(ConfigError, match="'other' is not 'otlp_spans'"):
        read_config(both.replace("exporters: {kafka: ,", "exporters: {kafka: {topic: other},"), {})
