"""TLS and SASL against a real broker's listeners, and what happens when they do not match."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, get_args

import pytest

from deploy.kafka.broker import Broker
from deploy.kafka.security import PASSWORD, SASL_PLAINTEXT, SASL_SSL, SSL, USER, Security
from processor.errors import ConfigError, Retryable
from processor.log.kafka.config import KafkaAuthConfig, KafkaSaslConfig, KafkaTlsConfig, Mechanism
from processor.model import Receipt
from tests.kafka.conftest import create_topic
from tests.kafka.harness import config_for, read_topic, request_of, running, span_ids, stored_span_ids


@pytest.fixture
def topic(secured_broker: Broker, request: pytest.FixtureRequest) -> str:
    """An empty topic of the secured broker."""
    name = "".join(c if c.isalnum() else "-" for c in request.node.name)
    create_topic(secured_broker.bootstrap, name)
    return name


def sasl(mechanism: Mechanism, password: str = PASSWORD) -> KafkaAuthConfig:
    """The user that the broker knows."""
    return KafkaAuthConfig(KafkaSaslConfig(username=USER, password=password, mechanism=mechanism))


def accepted(broker: Broker, listener: str, topic: str, **changes: Any) -> bool:
    """Whether spans get through, which is looked up on the plain listener."""
    ids = span_ids(5)

    async def scenario() -> None:
        async with running(config_for(broker.address(listener), topic, timeout_s=5.0, **changes)) as log:
            if log.connected:
                assert await log.append("acme", request_of(*ids)) == Receipt(accepted_spans=5)
            else:
                with pytest.raises(Retryable, match="Kafka is away"):
                    await log.append("acme", request_of(*ids))

    asyncio.run(scenario())
    return set(ids) <= stored_span_ids(read_topic(broker.bootstrap, topic))


@pytest.mark.parametrize("mechanism", get_args(Mechanism))
def test_each_sasl_mechanism_gets_through_with_its_password_only(
    secured_broker: Broker, topic: str, mechanism: Mechanism
) -> None:
    """With and without TLS; a wrong password is UNAVAILABLE for clients, whose fault it is not."""
    tls = KafkaTlsConfig(ca_file=str(security_of(secured_broker).ca_file))
    assert accepted(secured_broker, SASL_PLAINTEXT, topic, auth=sasl(mechanism))
    assert accepted(secured_broker, SASL_SSL, topic, auth=sasl(mechanism), tls=tls)
    assert not accepted(secured_broker, SASL_PLAINTEXT, topic, auth=sasl(mechanism, "wrong"))


def test_tls_needs_our_certificate_and_theirs(secured_broker: Broker, topic: str) -> None:
    """This listener asks for a client certificate; without it, or without trust, nothing gets through."""
    security = security_of(secured_broker)
    ours = {"cert_file": str(security.cert_file), "key_file": str(security.key_file)}
    assert accepted(secured_broker, SSL, topic, tls=KafkaTlsConfig(ca_file=str(security.ca_file), **ours))
    assert accepted(secured_broker, SSL, topic, tls=KafkaTlsConfig(insecure_skip_verify=True, **ours))
    assert not accepted(secured_broker, SSL, topic, tls=KafkaTlsConfig(ca_file=str(security.ca_file)))
    assert not accepted(secured_broker, SSL, topic, tls=KafkaTlsConfig(**ours))


def test_a_certificate_file_that_can_not_be_read_is_a_configuration_error(tmp_path: Path) -> None:
    """Found at start, and not by a broker that never answers."""
    missing, garbage = tmp_path / "missing.pem", tmp_path / "garbage.pem"
    garbage.write_text("garbage")

    async def scenario(tls: KafkaTlsConfig) -> None:
        async with running(config_for("127.0.0.1:1", "spans", tls=tls)):
            pass

    for tls in (
        KafkaTlsConfig(ca_file=str(missing)),
        KafkaTlsConfig(ca_file=str(garbage)),
        KafkaTlsConfig(cert_file=str(garbage), key_file=str(garbage)),
    ):
        with pytest.raises(ConfigError, match="PEM"):
            asyncio.run(scenario(tls))


def security_of(broker: Broker) -> Security:
    """Its keys."""
    assert broker.security is not None
    return broker.security
