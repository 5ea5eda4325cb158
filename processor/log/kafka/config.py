"""Configuration of the log on Kafka. Shape and names: the Collector's `kafkaexporter` and `kafkareceiver`."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, Self

from processor.errors import ConfigError
from processor.signals import Signal

Compression = Literal["none", "gzip", "snappy", "lz4", "zstd"]
InitialOffset = Literal["earliest", "latest"]
Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]


@dataclass(frozen=True, slots=True)
class KafkaTlsConfig:
    """TLS to the brokers. An empty section verifies them against the system's certificates."""

    ca_file: str = field(default="", metadata={"help": "PEM file of the certificates to trust; empty is the system's."})
    cert_file: str = field(
        default="", metadata={"help": "PEM file of our certificate, for brokers that ask for one; needs key_file."}
    )
    key_file: str = field(default="", metadata={"help": "PEM file of its key."})
    insecure_skip_verify: bool = field(
        default=False, metadata={"help": "Take any certificate of any broker. For experiments only."}
    )

    def __post_init__(self) -> None:
        if bool(self.cert_file) != bool(self.key_file):
            raise ConfigError("cert_file and key_file go together; give both or neither")


@dataclass(frozen=True, slots=True)
class KafkaSaslConfig:
    """A user name and a password."""

    username: str = field(default="", metadata={"help": "User name."})
    password: str = field(default="", metadata={"help": "Password; better ${env:NAME} than the file."})
    mechanism: Mechanism = field(
        default="SCRAM-SHA-512", metadata={"help": "How they are proven. PLAIN sends the password: use it with TLS."}
    )

    def __post_init__(self) -> None:
        if not self.username or not self.password:
            raise ConfigError("username and password are needed")


@dataclass(frozen=True, slots=True)
class KafkaAuthConfig:
    """How we say who we are."""

    sasl: KafkaSaslConfig | None = field(default=None, metadata={"help": "SASL; without it none."})


@dataclass(frozen=True, slots=True)
class KafkaClientConfig:
    """How to reach the brokers, and the topics."""

    brokers: tuple[str, ...] = field(
        default=("localhost:9092",), metadata={"help": "host:port of some brokers; they name the others."}
    )
    topic: str = field(default="otlp_spans", metadata={"help": "Topic of the spans, encoding otlp_proto."})
    logs_topic: str = field(
        default="otlp_logs",
        metadata={"help": "Topic of log records, encoding otlp_proto; '' carries none: they are accepted and dropped."},
    )
    metrics_topic: str = field(
        default="otlp_metrics",
        metadata={"help": "Topic of metrics, encoding otlp_proto; '' carries none: they are accepted and dropped."},
    )
    client_id: str = field(default="otel-sessions", metadata={"help": "Name in the brokers' logs and quotas."})
    tls: KafkaTlsConfig | None = field(default=None, metadata={"help": "TLS; without it plain TCP."})
    auth: KafkaAuthConfig = field(default_factory=KafkaAuthConfig)
    metadata_refresh_s: float = field(
        default=30.0,
        metadata={
            "help": "Seconds after which brokers and partitions are looked up anew; so long may new partitions stay "
            "empty.",
            "min": 1,
            "max": 3600,
        },
    )

    def __post_init__(self) -> None:
        if not self.brokers or not all(self.brokers):
            raise ConfigError("brokers: name at least one, as host:port")
        if not self.topic:
            raise ConfigError("topic: must not be empty")
        topics = [topic for topic in (self.topic, self.logs_topic, self.metrics_topic) if topic]
        if len(set(topics)) != len(topics):
            raise ConfigError("topic, logs_topic, metrics_topic: must differ; each signal has its own")

    def topic_of(self, signal: Signal) -> str:
        """The signal's topic; '' for none."""
        return {Signal.TRACES: self.topic, Signal.LOGS: self.logs_topic, Signal.METRICS: self.metrics_topic}[signal]

    def of(self, signal: Signal) -> Self:
        """The configuration of one signal, which has a topic: `topic` is that one."""
        return replace(self, topic=self.topic_of(signal), logs_topic="", metrics_topic="")


@dataclass(frozen=True, slots=True)
class KafkaTopicConfig:
    """How the topic is created when it is missing."""

    create: bool = field(
        default=True, metadata={"help": "Create the topic when it is missing; false leaves that to the operator."}
    )
    partitions: int = field(
        default=12, metadata={"help": "Partitions of a topic created here; at most so many workers share it.", "min": 1}
    )
    replication_factor: int = field(
        default=0, metadata={"help": "Replicas of a topic created here; 0 is the brokers' default.", "min": 0}
    )


@dataclass(frozen=True, slots=True)
class KafkaProducerConfig:
    """How records are sent. Always with acks=all and an idempotent producer."""

    compression: Compression = field(
        default="none", metadata={"help": "Compression of record batches. gzip is slow and holds up other requests."}
    )
    max_message_bytes: int = field(
        default=1_000_000,
        metadata={
            "help": "Bytes of a record and of a batch before compression; larger requests are divided. The brokers' "
            "message.max.bytes must be somewhat larger.",
            "min": 10_000,
            "max": 100_000_000,
        },
    )
    linger_ms: int = field(
        default=10,
        metadata={"help": "Milliseconds a record may wait for others to share a batch.", "min": 0, "max": 1000},
    )
    in_flight_bytes_max: int = field(
        default=64 * 1024 * 1024,
        metadata={
            "help": "Bytes of requests of each signal that may wait for the brokers; more is answered with a retryable "
            "status. A single request is always taken when none waits. Stay below the brokers' "
            "socket.request.max.bytes.",
            "min": 1024 * 1024,
        },
    )
    timeout_s: float = field(
        default=8.0,
        metadata={
            "help": "Seconds the brokers have to acknowledge a request; then its status is retryable. Exporters "
            "give up after 10 s by default.",
            "min": 0.1,
            "max": 600,
        },
    )


@dataclass(frozen=True, slots=True)
class KafkaExporterConfig(KafkaClientConfig):
    """Spans, log records and metrics to Kafka, from where workers take them."""

    partition_traces_by_id: bool = field(
        default=True,
        metadata={
            "help": "Place the spans of a trace in one partition, one record a partition and request: workers read "
            "back less. false writes requests as they came."
        },
    )
    create_topic: KafkaTopicConfig = field(default_factory=KafkaTopicConfig)
    producer: KafkaProducerConfig = field(default_factory=KafkaProducerConfig)


@dataclass(frozen=True, slots=True)
class KafkaDeadLetterConfig:
    """Where records go that can't be processed."""

    topic: str = field(
        default="",
        metadata={"help": "Topic of dead letters of all signals; empty is the name of the spans' topic and `.dlq`."},
    )
    create_topic: KafkaTopicConfig = field(default_factory=lambda: KafkaTopicConfig(partitions=1))


@dataclass(frozen=True, slots=True)
class KafkaReceiverConfig(KafkaClientConfig):
    """Spans, log records and metrics from Kafka, for any number of workers: those with one `group_id` share the
    partitions.
    """

    group_id: str = field(
        default="otel-sessions",
        metadata={
            "help": "Consumer group: its members share the partitions and the offsets. Those of the other signals are "
            "called so with .logs and .metrics behind it."
        },
    )
    initial_offset: InitialOffset = field(
        default="earliest", metadata={"help": "Where a group begins that has committed nothing yet."}
    )
    session_timeout_s: float = field(
        default=10.0,
        metadata={
            "help": "Seconds without a heartbeat after which the brokers give a worker's partitions to others. Within "
            "the brokers' group.min.session.timeout.ms and group.max.session.timeout.ms.",
            "min": 0.5,
            "max": 1800,
        },
    )
    heartbeat_interval_s: float = field(
        default=3.0,
        metadata={"help": "Seconds between heartbeats; at most a third of session_timeout_s.", "min": 0.1, "max": 600},
    )
    max_poll_interval_s: float = field(
        default=300.0,
        metadata={
            "help": "Seconds a worker may take before it asks for more (the store may be away that long); then it "
            "leaves the group until it does.",
            "min": 1,
            "max": 86400,
        },
    )
    fetch_bytes_max: int = field(
        default=16 * 1024 * 1024,
        metadata={"help": "Bytes of one answer of a broker, before decompression.", "min": 64 * 1024, "max": 1 << 30},
    )
    partition_fetch_bytes_max: int = field(
        default=4 * 1024 * 1024,
        metadata={
            "help": "Bytes of a partition in one answer; so much of each assigned partition may wait in memory. A "
            "larger record comes all the same.",
            "min": 64 * 1024,
            "max": 1 << 30,
        },
    )
    stuck_timeout_s: float = field(
        default=60.0,
        metadata={
            "help": "Seconds without a record, although the brokers have some, after which the process ends to be "
            "restarted. Longer than a rebalance takes.",
            "min": 1,
            "max": 86400,
        },
    )
    create_topic: KafkaTopicConfig = field(default_factory=KafkaTopicConfig)
    dead_letter: KafkaDeadLetterConfig = field(default_factory=KafkaDeadLetterConfig)

    def __post_init__(self) -> None:
        KafkaClientConfig.__post_init__(self)  # slots give the class a new identity, which super() does not know
        if not self.group_id:
            raise ConfigError("group_id: must not be empty")
        if 3 * self.heartbeat_interval_s > self.session_timeout_s:
            raise ConfigError("heartbeat_interval_s: must be at most a third of session_timeout_s")
        if self.dead_letter_topic in (self.topic, self.logs_topic, self.metrics_topic):
            raise ConfigError("dead_letter.topic: must not be the topic itself, nor another that is read")

    def of(self, signal: Signal) -> Self:
        """The configuration of one signal: its topic, in a group of its own, beside the others' dead letters."""
        return replace(
            KafkaClientConfig.of(self, signal),
            group_id=signal.suffixed(self.group_id, "."),
            dead_letter=replace(self.dead_letter, topic=self.dead_letter_topic),
        )

    @property
    def dead_letter_topic(self) -> str:
        """The topic's name."""
        return self.dead_letter.topic or f"{self.topic}.dlq"

    @property
    def request_timeout_s(self) -> float:
        """Seconds the brokers have to answer: joining a group is answered when all members have joined."""
        return self.session_timeout_s + 5.0
