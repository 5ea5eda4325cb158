"""The service inside one process: starting and stopping in any order, all or nothing."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from structlog.testing import capture_logs

from processor.asgi import AsgiServer
from processor.config import Config, read_config
from processor.errors import ConfigError
from processor.service import Service
from processor.store.connection import StoreConfig
from processor.store.data_directory import DataDirectory
from processor.telemetry.health import Health, health_app
from tests.integration.process import ANY_PORTS
from tests.integration.serving import served


@pytest.fixture
def config(store_config: StoreConfig) -> Config:
    """Every component on a free port, on the shared engine."""
    config = read_config(ANY_PORTS, {"TEST_DATA": store_config.dsn.removeprefix("chdb://")})
    exporter = config.exporters.clickhouse
    assert exporter is not None
    return replace(
        config, exporters=replace(config.exporters, clickhouse=replace(exporter, database=store_config.database))
    )


def is_listening(port: int) -> bool:
    """Whether somebody accepts connections."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_it_starts_and_stops_twice_and_again(config: Config) -> None:
    """`start` and `stop` are safe twice, `stop` without `start`, and a stopped service starts anew."""

    async def scenario() -> None:
        service = Service(config)
        await service.stop()
        for _ in range(2):
            await service.start()
            await service.start()
            assert service.ready
            ports = service.ports
            assert ports.keys() == {"grpc", "http", "sessions_api", "health_check", "metrics"}
            assert all(is_listening(port) for port in ports.values())
            await service.stop()
            await service.stop()
            assert not service.ready
            assert not any(is_listening(port) for port in ports.values())

    asyncio.run(scenario())


def test_a_start_that_fails_leaves_nothing_running(config: Config) -> None:
    """When the last port is taken, the others are closed again and the data directory is free."""

    async def scenario() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            assert config.receivers.otlp is not None
            protocols = config.receivers.otlp.protocols
            assert protocols.http is not None
            http = replace(protocols.http, endpoint=f"127.0.0.1:{taken.getsockname()[1]}")
            otlp = replace(config.receivers.otlp, protocols=replace(protocols, http=http))
            service = Service(replace(config, receivers=replace(config.receivers, otlp=otlp)))
            with pytest.raises(ConfigError, match=r"receivers\.otlp\.protocols\.http"):
                await service.start()
        assert not service.ready
        assert not any(is_listening(port) for port in service.ports.values())
        again = Service(config)
        await again.start()
        await again.stop()

    asyncio.run(scenario())


def test_a_server_that_is_not_configured_does_not_listen(config: Config) -> None:
    """No address, no metrics; an extension that is not named is not served."""

    async def scenario() -> None:
        quiet = replace(config.service.telemetry, metrics=replace(config.service.telemetry.metrics, address=""))
        service = Service(replace(config, service=replace(config.service, telemetry=quiet, extensions=())))
        await service.start()
        assert service.ports.keys() == {"grpc", "http"}
        await service.stop()

    asyncio.run(scenario())


def test_a_pipeline_of_the_debug_exporter_needs_no_store() -> None:
    """What is sent is shown and answered; nothing is kept, and nothing else runs."""
    config = read_config(
        """
        receivers: {otlp: {protocols: {http: {endpoint: "127.0.0.1:0"}}}}
        exporters: {debug: {verbosity: normal}}
        extensions: {health_check: {endpoint: "127.0.0.1:0"}}
        service:
          pipelines: {traces: {receivers: [otlp], processors: [], exporters: [debug]}}
          telemetry: {metrics: {address: ""}}
        """,
        {},
    )
    span = {"traceId": "a" * 32, "spanId": "b" * 16, "name": "chat", "startTimeUnixNano": "1", "endTimeUnixNano": "2"}
    body = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}

    async def scenario() -> tuple[int, int]:
        service = Service(config)
        await service.start()
        assert service.ready
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{service.ports['http']}") as client:
            good = await client.post("/v1/traces", json=body)
            headers = {"content-type": "application/x-protobuf"}
            bad = await client.post("/v1/traces", content=b"\xff\xff", headers=headers)
        await service.stop()
        return good.status_code, bad.status_code

    with capture_logs() as lines:
        assert asyncio.run(scenario()) == (200, 400)
    (shown,) = [line for line in lines if line["event"] == "Traces"]
    assert shown["details"].endswith(f"chat {'a' * 32} {'b' * 16}")


def test_each_question_about_health_has_an_answer_of_its_own() -> None:
    """`/ready` follows what may come back, `/live` only what a restart mends; each says what is missing."""
    said = {"missing": "the store is away", "dead": ""}
    health = Health()
    health.add("worker", lambda: said["missing"], lambda: said["dead"])
    with served(health_app(health)) as url:

        def asked(path: str) -> tuple[int, dict[str, str]]:
            answer = httpx.get(f"{url}{path}")
            return answer.status_code, answer.json().get("missing")

        assert httpx.get(f"{url}/").status_code == 200
        assert asked("/startup") == (503, {"process": "starting"})
        assert asked("/ready") == (503, {"process": "starting", "worker": "the store is away"})
        assert asked("/live") == (200, {})
        health.started()
        assert asked("/startup") == (200, {})
        assert asked("/ready") == (503, {"worker": "the store is away"})
        said["missing"] = ""
        assert asked("/ready") == (200, {})
        said["dead"] = "its loop has failed"
        assert asked("/live") == asked("/ready") == (503, {"worker": "its loop has failed"})
        said["dead"] = ""
        health.stopping()
        assert (asked("/live")[0], asked("/startup")[0]) == (200, 200)
        assert asked("/ready") == (503, {"process": "stopping"})


def test_a_server_that_ended_by_itself_says_so() -> None:
    """Which nothing but a restart mends; one that was stopped has nothing to say."""

    async def scenario() -> None:
        server = AsgiServer(health_app(Health()), "127.0.0.1:0", "test")
        assert not server.dead
        await server.start()
        assert not server.dead
        assert server._server is not None
        assert server._task is not None
        server._server.should_exit = True
        await server._task
        assert "nothing answers on 127.0.0.1:0 any more" in server.dead
        await server.stop()
        assert not server.dead

    asyncio.run(scenario())


def test_a_data_directory_can_be_claimed_once_and_again_after_release(tmp_path: Path) -> None:
    """The claim is exclusive, named after its holder, and gone with its release; a server's store needs none."""
    config = StoreConfig(dsn=f"chdb://{tmp_path}/deep/store")
    first, second = DataDirectory(config), DataDirectory(config)
    first.claim()
    first.claim()
    with pytest.raises(ConfigError, match="in use by process"):
        second.claim()
    first.release()
    first.release()
    second.claim()
    second.release()
    for _ in range(2):
        DataDirectory(StoreConfig(dsn="http://localhost:8123")).claim()
