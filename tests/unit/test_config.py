"""Configuration: what a file may say, and what it is told when it says something else."""

from __future__ import annotations

from pathlib import Path

import pytest

from processor.config import Config, load_config, read_config
from processor.errors import ConfigError
from processor.store.connection import StoreConfig, connect


def refusal(text: str, **environment: str) -> str:
    """Why a configuration is refused."""
    with pytest.raises(ConfigError) as error:
        read_config(text, environment)
    return str(error.value)


def dsn(value: str, **environment: str) -> str:
    """What a DSN becomes."""
    exporter = read_config(f"exporters: {{clickhouse: {{dsn: '{value}'}}}}", environment).exporters.clickhouse
    assert exporter is not None
    return exporter.dsn


@pytest.mark.parametrize("text", ["", "# nothing\n", "{}", "---\n"])
def test_an_empty_file_is_the_embedded_default(text: str) -> None:
    """Saying nothing changes nothing."""
    assert read_config(text, {}) == Config()


def test_the_default_listens_on_the_well_known_ports_of_this_machine_only() -> None:
    """Embedded means 4317, 4318, 3000, 8888 and 13133 on the loopback, with the data under ./data."""
    config = Config()
    assert config.receivers.otlp is not None
    protocols = config.receivers.otlp.protocols
    assert protocols.grpc is not None
    assert protocols.http is not None
    assert (protocols.grpc.endpoint, protocols.http.endpoint) == ("127.0.0.1:4317", "127.0.0.1:4318")
    assert config.sessions_api is not None
    assert config.health_check is not None
    assert (config.sessions_api.endpoint, config.health_check.endpoint) == ("127.0.0.1:3000", "127.0.0.1:13133")
    assert config.service.telemetry.metrics.address == "127.0.0.1:8888"
    assert config.exporters.clickhouse is not None
    assert config.exporters.clickhouse.dsn.startswith("chdb://./data/")


def test_a_file_changes_what_it_names_and_nothing_else() -> None:
    """The neighbours of an option keep their defaults."""
    config = read_config("exporters: {clickhouse: {sending_queue: {queue_bytes_max: 2000000}}}", {})
    assert config.exporters.clickhouse is not None
    assert config.exporters.clickhouse.sending_queue.queue_bytes_max == 2_000_000
    assert config.exporters.clickhouse.dsn == Config().exporters.clickhouse.dsn  # type: ignore[union-attr]
    assert config.receivers == Config().receivers


def test_a_protocol_that_is_left_out_does_not_listen() -> None:
    """`protocols: {http:}` is HTTP alone, with its defaults."""
    config = read_config("receivers: {otlp: {protocols: {http: }}}", {})
    assert config.receivers.otlp is not None
    assert config.receivers.otlp.protocols.grpc is None
    assert config.receivers.otlp.protocols.http == Config().receivers.otlp.protocols.http  # type: ignore[union-attr]


def test_an_extension_that_is_not_named_is_not_served() -> None:
    """`service.extensions` chooses among what is defined, as in the Collector."""
    config = read_config("service: {extensions: [sessions_api]}", {})
    assert config.health_check is None
    assert config.sessions_api is not None
    assert read_config("extensions: {health_check: }", {}).sessions_api is None


@pytest.mark.parametrize(
    ("text", "path", "nearest"),
    [
        ("exportrs: {}", "exportrs", "exporters"),
        ("receivers: {otlp: {protocols: {grcp: {}}}}", "receivers.otlp.protocols.grcp", "grpc"),
        (
            "receivers: {otlp: {protocols: {grpc: {max_recv_msg_size_mb: 4}}}}",
            "receivers.otlp.protocols.grpc.max_recv_msg_size_mb",
            "max_recv_msg_size_mib",
        ),
        ("service: {telemetry: {logs: {lvl: info}}}", "service.telemetry.logs.lvl", "level"),
        ("service: {pipelines: {trace: {}}}", "service.pipelines.trace", "traces"),
    ],
)
def test_an_unknown_key_is_refused_with_its_path_and_the_nearest_name(text: str, path: str, nearest: str) -> None:
    """A typo is found where it stands."""
    message = refusal(text)
    assert message.startswith(f"{path}: unknown key")
    assert f"did you mean {nearest!r}?" in message


@pytest.mark.parametrize(
    ("text", "path", "allowed"),
    [
        ("exporters: {clickhouse: {database: 5}}", "exporters.clickhouse.database", "a string"),
        ("exporters: {clickhouse: {database: }}", "exporters.clickhouse.database", "a string"),
        ("processors: {sessions: {poll_bytes_max: '5'}}", "processors.sessions.poll_bytes_max", "a whole number"),
        ("processors: {sessions: {poll_bytes_max: 70000.5}}", "processors.sessions.poll_bytes_max", "a whole number"),
        ("processors: {sessions: {poll_bytes_max: true}}", "processors.sessions.poll_bytes_max", "a whole number"),
        ("processors: {sessions: {poll_linger_s: soon}}", "processors.sessions.poll_linger_s", "a number"),
        ("processors: {sessions: [1]}", "processors.sessions", "a mapping"),
        ("service: {extensions: sessions_api}", "service.extensions", "a list"),
        ("service: {extensions: [1]}", "service.extensions[0]", "a string"),
        ("- receivers", "the file", "a mapping"),
    ],
)
def test_a_wrong_type_is_refused_with_what_is_allowed(text: str, path: str, allowed: str) -> None:
    """A value is never coerced into something the author did not write."""
    message = refusal(text)
    assert message.startswith(f"{path}: ")
    assert f"expected {allowed}" in message


@pytest.mark.parametrize("value", ["0.001", "61", ".nan", ".inf", "-1"])
def test_a_number_out_of_range_is_refused_with_the_limits(value: str) -> None:
    """The limits of a field hold, and not-a-number is outside of all of them."""
    message = refusal(f"processors: {{sessions: {{rollups: {{interval_s: {value}}}}}}}")
    assert message.startswith("processors.sessions.rollups.interval_s: ")
    assert "at least 0.01 and at most 60" in message


def test_limits_themselves_are_allowed_and_whole_numbers_are_numbers() -> None:
    """Limits are inclusive; 60 is as good as 60.0."""
    config = read_config("processors: {sessions: {rollups: {interval_s: 60}}}", {})
    assert config.processors.sessions is not None
    assert config.processors.sessions.rollups.interval_s == 60.0
    assert type(config.processors.sessions.rollups.interval_s) is float


def test_a_word_outside_of_a_choice_is_refused_with_the_choices() -> None:
    """Choices are listed, the nearest one first."""
    message = refusal("service: {telemetry: {logs: {encoding: jsn}}}")
    assert "did you mean 'json'?" in message
    assert "console, json" in message


@pytest.mark.parametrize("endpoint", ["4317", "localhost", "localhost:http", "localhost:70000", "::1:4317", ":-1"])
@pytest.mark.parametrize("section", ["receivers: {otlp: {protocols: {grpc: ", "extensions: {sessions_api: "])
def test_an_endpoint_is_host_and_port(section: str, endpoint: str) -> None:
    """An endpoint that can't be bound is refused before anything starts."""
    closing = "}" * section.count("{")
    assert "endpoint: " in refusal(f"{section}{{endpoint: '{endpoint}'}}{closing}")


@pytest.mark.parametrize("endpoint", ["localhost:1", ":4317", "0.0.0.0:0", "[::1]:4317"])
def test_an_endpoint_may_leave_out_the_host_be_ipv6_or_take_any_port(endpoint: str) -> None:
    """These are endpoints."""
    config = read_config(f"extensions: {{sessions_api: {{endpoint: '{endpoint}'}}}}", {})
    assert config.sessions_api is not None
    assert config.sessions_api.endpoint == endpoint


def test_a_pipeline_names_only_what_is_defined() -> None:
    """Each list of the pipeline is checked against its section."""
    for section in ("receivers", "processors", "exporters"):
        message = refusal(f"service: {{pipelines: {{traces: {{{section}: [kafka]}}}}}}")
        assert message.startswith(f"service.pipelines.traces.{section}: 'kafka' is not defined in {section}")
        assert "is not defined" in refusal(f"{section}: {{}}")
    assert "twice" in refusal("service: {extensions: [sessions_api, sessions_api]}")
    assert refusal("service: {extensions: [pprof]}").startswith("service.extensions: 'pprof'")


def test_a_receiver_without_protocols_is_refused() -> None:
    """A receiver that listens nowhere is a mistake."""
    assert refusal("receivers: {otlp: {protocols: {}}}").startswith("receivers.otlp.protocols: no protocol")


def test_a_dsn_names_a_kind_of_store_there_is() -> None:
    """chdb, http and https."""
    assert refusal("exporters: {clickhouse: {dsn: 'tcp://x:9000'}}").startswith("exporters.clickhouse: dsn")
    assert dsn("https://u:p@host:8443") == "https://u:p@host:8443"


def test_the_embedded_store_has_no_cluster() -> None:
    """That is said when the file is read, in the words that connecting has for it."""
    with pytest.raises(ConfigError) as connecting:
        connect(StoreConfig(cluster="main"))
    assert "the embedded store has none" in str(connecting.value)
    assert refusal("exporters: {clickhouse: {cluster: main}}") == f"exporters.clickhouse: {connecting.value}"
    assert read_config("exporters: {clickhouse: {dsn: 'http://db', cluster: main}}", {})


def test_a_database_is_named_so_that_sql_can_name_it() -> None:
    """It is put into statements as it is."""
    for name in ("a-b", "1st", ""):
        assert refusal(f"exporters: {{clickhouse: {{database: '{name}'}}}}").startswith(
            "exporters.clickhouse: database"
        )


def test_variables_are_expanded_in_every_form() -> None:
    """`${env:NAME}`, `${NAME}`, defaults, several in one string, and `$$` for a dollar sign."""
    assert dsn("chdb://${env:DIR}", DIR="/d") == "chdb:///d"
    assert dsn("chdb://${DIR}", DIR="/d") == "chdb:///d"
    assert dsn("chdb://${env:DIR:-/default}") == "chdb:///default"
    assert dsn("chdb://${DIR:-}") == "chdb://"
    assert dsn("chdb://${env:DIR:-/default}", DIR="") == "chdb://"
    assert dsn("http://${U}:${P}@h", U="a", P="b") == "http://a:b@h"
    assert dsn("http://a:$$b$${P}@h") == "http://a:$b${P}@h"
    assert dsn("http://a$b:5$@h") == "http://a$b:5$@h"
    assert dsn("http://${P}", P="${U} $$") == "http://${U} $$"


def test_a_variable_that_is_not_set_is_refused_with_its_name_and_path() -> None:
    """Silence would be an empty password."""
    message = refusal("exporters: {clickhouse: {dsn: 'http://u:${env:PASSWORD}@h'}}")
    assert message.startswith("exporters.clickhouse.dsn: ")
    assert "PASSWORD is not set" in message


@pytest.mark.parametrize("reference", ["${", "${env:A", "${}", "${env:}", "${file:/etc/passwd}", "${A B}", "${1A}"])
def test_a_reference_that_cannot_be_read_is_refused(reference: str) -> None:
    """Nothing that looks like a reference passes as text."""
    assert "can't be read" in refusal(f"exporters: {{clickhouse: {{dsn: 'http://{reference}'}}}}", A="1")


def test_a_variable_may_hold_a_number_but_not_another_type() -> None:
    """A value that is one reference takes the type of its option; a digit string stays a string."""
    exporter = "{dsn: 'http://db', cluster: '${D}'}"
    text = f"processors: {{sessions: {{poll_bytes_max: '${{N}}'}}}}\nexporters: {{clickhouse: {exporter}}}"
    config = read_config(text, {"N": "70000", "D": "123"})
    assert config.processors.sessions is not None
    assert config.exporters.clickhouse is not None
    assert config.processors.sessions.poll_bytes_max == 70_000
    assert config.exporters.clickhouse.cluster == "123"
    assert "expected a whole number" in refusal(text, N="many", D="x")
    assert "expected a whole number" in refusal(text, N="", D="x")


def test_a_key_that_stands_twice_is_refused_with_its_line() -> None:
    """YAML would silently take the last one."""
    message = refusal("exporters:\n  clickhouse:\n    database: a\n    database: b\n")
    assert message.startswith("line 4, column 5: ")
    assert "'database'" in message


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("service:\n  drain: {delay_s: 2026-13-45}", "line 2, column 20: this is no timestamp"),
        ("service: {drain: {delay_s: !!int x}}", "line 1, column 28: this is no int"),
        ("service: {extensions: !!bool x}", "line 1, column 23: this is no bool"),
        (f"service: {'1' * 5_000}", "line 1, column 10: this is no int"),
        ("service:\n  drain: \x1e", "line 2, column 10: a character that YAML does not allow"),
        ("service: " + "[" * 5_000, "the file: nested too deep"),
    ],
)
def test_what_yaml_itself_stumbles_over_is_refused_with_its_place(text: str, place: str) -> None:
    """Scalars that look like another type, characters it forbids, and what is deeper than Python's stack."""
    assert refusal(text).startswith(place)


@pytest.mark.parametrize("value", ["2026-13-45", "1" * 5_000, "[" * 5_000])
def test_a_variable_that_is_no_yaml_is_refused_at_its_option(value: str) -> None:
    """As text, which a number is not."""
    assert refusal("service: {drain: {delay_s: '${env:V}'}}", V=value).startswith("service.drain.delay_s: ")


def test_broken_yaml_is_refused_with_line_and_column() -> None:
    """A syntax error is found where it stands; a second document is one too."""
    assert refusal("receivers:\n  otlp: [\n").startswith("line 3, column 1: ")
    assert refusal("a: 1\n---\nb: 2\n").startswith("line ")
    assert "!!python" not in refusal("a: !!python/object:os.system x").split(":")[0]


def test_merge_keys_and_anchors_work() -> None:
    """YAML's own means against repetition stay allowed."""
    text = "receivers: {otlp: {protocols: {http: &e {endpoint: 'localhost:1'}, grpc: {<<: *e}}}}"
    config = read_config(text, {})
    assert config.receivers.otlp is not None
    assert config.receivers.otlp.protocols.grpc is not None
    assert config.receivers.otlp.protocols.grpc.endpoint == "localhost:1"


def test_an_error_in_a_file_begins_with_the_file(tmp_path: Path) -> None:
    """Whoever has several files is told which one."""
    missing, wrong = tmp_path / "missing.yaml", tmp_path / "wrong.yaml"
    wrong.write_text("x: 1")
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe")
    for path in (missing, wrong, binary, tmp_path):
        with pytest.raises(ConfigError, match=str(path)):
            load_config(path)
