"""The exporter's section as it stands in a file: checked like every other, and safe to run with its defaults."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from processor.config.fields import build
from processor.errors import ConfigError
from processor.log.kafka.config import KafkaExporterConfig, KafkaReceiverConfig

SECTION = {
    "brokers": ["a:9092", "b:9092"],
    "topic": "spans",
    "tls": {"ca_file": "ca.pem"},
    "auth": {"sasl": {"username": "me", "password": "${env:SECRET}", "mechanism": "SCRAM-SHA-256"}},
    "partition_traces_by_id": False,
    "create_topic": {"partitions": 24, "replication_factor": 3},
    "producer": {"compression": "zstd", "max_message_bytes": 500_000},
}


def test_a_section_is_read_by_name() -> None:
    """Shape and names are the Collector's where it has them."""
    config = build(KafkaExporterConfig, SECTION, "exporters.kafka", {"SECRET": "s3cret"})
    assert config.brokers == ("a:9092", "b:9092")
    assert config.auth.sasl is not None
    assert config.auth.sasl.password == "s3cret"
    assert config.producer.compression == "zstd"
    assert build(KafkaExporterConfig, {}, "exporters.kafka", {}) == KafkaExporterConfig()


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"brokers": []}, "brokers"),
        ({"topic": ""}, "topic"),
        ({"tls": {"cert_file": "a.pem"}}, "tls: cert_file and key_file"),
        ({"auth": {"sasl": {"username": "me"}}}, "auth.sasl: username and password"),
        ({"auth": {"sasl": {"mechanism": "GSSAPI"}}}, "mechanism"),
        ({"producer": {"compression": "brotli"}}, "compression"),
        ({"producer": {"max_message_bytes": 1}}, "max_message_bytes"),
        ({"producer": {"linger": 1}}, "did you mean 'linger_ms'"),
    ],
)
def test_a_wrong_value_is_named_by_its_path(section: dict[str, Any], message: str) -> None:
    """Before anything is connected to."""
    with pytest.raises(ConfigError, match=message):
        build(KafkaExporterConfig, section, "exporters.kafka", {})


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"brokers": []}, "brokers"),
        ({"group_id": ""}, "group_id"),
        ({"initial_offset": "middle"}, "initial_offset"),
        ({"session_timeout_s": 6, "heartbeat_interval_s": 3}, "at most a third of session_timeout_s"),
        ({"topic": "a", "dead_letter": {"topic": "a"}}, "dead_letter.topic: must not be the topic itself"),
        ({"stuck_timeout": 1}, "did you mean 'stuck_timeout_s'"),
    ],
)
def test_a_wrong_value_of_the_receiver_is_named_by_its_path(section: dict[str, Any], message: str) -> None:
    """Its own checks and those it shares with the exporter."""
    with pytest.raises(ConfigError, match=message):
        build(KafkaReceiverConfig, section, "receivers.kafka", {})


def test_dead_letters_have_a_topic_beside_the_topic() -> None:
    """Unless one is named."""
    assert build(KafkaReceiverConfig, {"topic": "spans"}, "receivers.kafka", {}).dead_letter_topic == "spans.dlq"
    section = {"dead_letter": {"topic": "dead"}}
    assert build(KafkaReceiverConfig, section, "receivers.kafka", {}).dead_letter_topic == "dead"


@pytest.mark.parametrize("component", [KafkaExporterConfig, KafkaReceiverConfig])
def test_every_option_is_described(component: type[Any]) -> None:
    """A help text each, or a section of its own."""

    def undescribed(config: Any) -> list[str]:
        missing: list[str] = []
        for field in dataclasses.fields(config):
            value = getattr(config, field.name)
            if dataclasses.is_dataclass(value):
                missing += undescribed(value)
            elif "help" not in field.metadata:
                missing.append(field.name)
        return missing

    assert undescribed(component()) == []
