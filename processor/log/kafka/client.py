"""From our configuration to the options of aiokafka's clients, and the topic."""

from __future__ import annotations

import ssl
from typing import Any

import structlog
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import NoError, TopicAlreadyExistsError, for_code

from processor.errors import ConfigError
from processor.log.kafka.config import KafkaClientConfig, KafkaReceiverConfig, KafkaTlsConfig, KafkaTopicConfig

_BROKERS_DEFAULT = -1

_log = structlog.get_logger(__name__)

_CREATE_IT = "create the topic, or allow this user to; create_topic: {create: false} where others do that"


def client_options(config: KafkaClientConfig, timeout_s: float) -> dict[str, Any]:
    """Options that producer, consumer and admin client share. Reads the certificate files.

    Errors: `ConfigError` when a file can't be read or is no PEM.
    """
    sasl = config.auth.sasl
    options: dict[str, Any] = {
        "bootstrap_servers": ",".join(config.brokers),  # each may be several, as in an environment variable
        "client_id": config.client_id,
        "request_timeout_ms": round(timeout_s * 1000),
        "metadata_max_age_ms": round(config.metadata_refresh_s * 1000),
        "security_protocol": ("SASL_" if sasl else "") + ("SSL" if config.tls else "PLAINTEXT"),
    }
    if config.tls:
        options["ssl_context"] = _ssl_context(config.tls)
    if sasl:
        options["sasl_mechanism"] = sasl.mechanism
        options["sasl_plain_username"] = sasl.username
        options["sasl_plain_password"] = sasl.password
    return options


def consumer_options(config: KafkaReceiverConfig) -> dict[str, Any]:
    """Options of the consumer beside those that all clients share. We commit; it does not."""
    return {
        "group_id": config.group_id,
        "enable_auto_commit": False,
        "auto_offset_reset": config.initial_offset,
        "session_timeout_ms": round(config.session_timeout_s * 1000),
        "heartbeat_interval_ms": round(config.heartbeat_interval_s * 1000),
        "max_poll_interval_ms": round(config.max_poll_interval_s * 1000),
        "fetch_max_bytes": config.fetch_bytes_max,
        "max_partition_fetch_bytes": config.partition_fetch_bytes_max,
    }


async def create_topic(options: dict[str, Any], topic: str, config: KafkaTopicConfig) -> None:
    """Create the topic if it is missing; one that exists is left as it is.

    A refusal is logged and not raised: who may not create topics may still write to them.
    Errors: aiokafka's when the brokers can't be reached.
    """
    admin = AIOKafkaAdminClient(**options)
    try:
        await admin.start()
        # Without the empty assignments, aiokafka refuses to leave the replicas to the brokers.
        assignments: dict[int, list[int]] | None = None if config.replication_factor else {}
        wanted = NewTopic(topic, config.partitions, config.replication_factor or _BROKERS_DEFAULT, assignments)
        response = await admin.create_topics([wanted])
    finally:
        await admin.close()
    for name, code, *message in response.topic_errors:
        error = for_code(code)
        if error not in (NoError, TopicAlreadyExistsError):
            _log.warning(
                "kafka_topic_not_created", topic=name, reason=error.__name__, message=message, action=_CREATE_IT
            )


def _ssl_context(config: KafkaTlsConfig) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=config.ca_file or None)
        if config.cert_file:
            context.load_cert_chain(config.cert_file, config.key_file)
    except (OSError, ssl.SSLError) as error:
        files = ", ".join(filter(None, (config.ca_file, config.cert_file, config.key_file)))
        raise ConfigError(f"tls: the PEM files ({files}) can't be read: {error}") from error
    if config.insecure_skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
