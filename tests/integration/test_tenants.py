"""Two tenants in one process: whatever one tries, on any port and by any route, the other's rows stay its own."""

from __future__ import annotations

import http.client
import io
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import httpx
import polars as pl
import pytest
import typer
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from processor.cli.commands import app as command_line
from tests.integration.guarded import ACME, BOTH, GLOBEX, READ, WRITE, Guarded
from tests.integration.load import EXPORT
from tests.integration.process import TIMEOUT_S
from tests.integration.two_tenants import BORDER, OWN, SHARED, SPAN, THREAD, TRACE, WORDS, send_everything

IDS = {"session_id": (SHARED, OWN[ACME]), "trace_id": (TRACE, BORDER), "span_id": (SPAN, "2" * 16)}
SESSION_COUNT = {ACME: {SHARED: 1, OWN[ACME]: 2}, GLOBEX: {SHARED: 1, OWN[GLOBEX]: 1}}


def wait_until(holds: Callable[[], bool]) -> None:
    """Errors: `AssertionError` when it takes too long."""
    until_s = time.monotonic() + TIMEOUT_S
    while not holds():
        assert time.monotonic() < until_s
        time.sleep(0.05)


def sessions(process: Guarded, tenant: str) -> dict[str, int]:
    """A tenant's sessions, and how many spans each has."""
    with process.asking("sessions_api", process.tokens[tenant, READ]) as api:
        return {row["id"]: row["span_count"] for row in api.get("/v1/sessions").json()["data"]}


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """One process in which both tenants have sent all that they have."""
    with Guarded(tmp_path_factory.mktemp("tenants")) as running:
        send_everything(running)
        wait_until(lambda: all(sessions(running, tenant) == SESSION_COUNT[tenant] for tenant in SESSION_COUNT))
        yield running


def routes(process: Guarded) -> list[tuple[str, str]]:
    """Method and path of every route, with each of the first tenant's ids in the path."""
    with process.asking("sessions_api") as api:
        paths = api.get("/openapi.json").json()["paths"]
    found = []
    for path, methods in paths.items():
        for number in range(2):
            filled = path.format(**{name: ids[number] for name, ids in IDS.items()}, thread_id=THREAD)
            found += [(method.upper(), filled) for method in methods]
    return sorted(set(found))


def whole(answer: httpx.Response) -> str:
    """Everything that an answer says: headers and body, and what a Parquet file holds."""
    if answer.content.startswith(b"PAR1"):
        return str(pl.read_parquet(io.BytesIO(answer.content)).to_dicts())
    return f"{answer.headers} {answer.text}"


def test_every_route_answers_nobody_who_does_not_say_who_he_is(process: Guarded) -> None:
    """401 in the contract's shape: without a token, with a wrong one, another scheme, two headers, one in the URL."""
    good = process.tokens[ACME, BOTH]
    wrong: list[list[tuple[str, str]]] = [
        [],
        [("authorization", "Bearer ots_wrong")],
        [("authorization", f"Basic {good}")],
        [("authorization", good)],
        [("authorization", f"Bearer {good}"), ("authorization", f"Bearer {process.tokens[GLOBEX, BOTH]}")],
        [("x-api-key", good), ("cookie", f"token={good}"), ("x-clickhouse-key", good)],
    ]
    with process.asking("sessions_api") as api:
        for method, path in routes(process):
            for headers in wrong:
                answer = api.request(method, path, headers=headers, params={"token": good, "access_token": good})
                assert answer.status_code == 401, (method, path, headers)
                assert answer.headers["www-authenticate"].startswith("Bearer ")
                assert answer.json()["error"].keys() == {"code", "message"}
                assert answer.json()["error"]["code"] == "unauthorized"
                assert good not in answer.text


def test_a_permission_is_needed_for_each_route(process: Guarded) -> None:
    """Who may only write reads nothing; who may only read deletes nothing."""
    for method, path in routes(process):
        lacking = READ if method == "DELETE" else WRITE
        with process.asking("sessions_api", process.tokens[ACME, lacking]) as api:
            answer = api.request(method, path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden"), (method, path)
    assert sessions(process, ACME) == SESSION_COUNT[ACME]


def test_what_is_not_named_public_is_closed(process: Guarded) -> None:
    """Also what does not exist: nobody learns which routes there are. The page's own files are everybody's."""
    with process.asking("sessions_api") as api:
        for path in ("/v1", "/v2/sessions", "/metrics", "/docs", "/page", "//v1/sessions", "/%76%31/sessions"):
            assert api.get(path).status_code == 401, path
        for path in ("/", "/page/js/main.js", "/openapi.json"):
            answer = api.get(path)
            assert answer.status_code == 200
            assert not any(word in answer.text for word in WORDS.values())
        for path in ("/page/../v1/sessions", "/page/%2e%2e/v1/sessions"):
            # httpx would tidy up the path before it sends it.
            raw = http.client.HTTPSConnection(process.address("sessions_api"), context=process.trust)
            raw.request("GET", path)
            assert raw.getresponse().status in (401, 404)
            raw.close()


def asked(process: Guarded, tenant: str) -> Iterator[tuple[str, str]]:
    """Every route that reads, in every format, with the first tenant's ids: what was asked, and what came."""
    pretending = {"x-scope-orgid": ACME, "x-tenant": ACME, "tenant": ACME, "x-forwarded-user": ACME}
    named = {"session_id": OWN[ACME], "tenant": ACME, "Tenant": ACME}
    with process.asking("sessions_api", process.tokens[tenant, BOTH], pretending) as api:
        for method, path in routes(process):
            if method != "GET":
                continue
            for kind in ("json", "csv", "ndjson", "parquet"):
                yield f"{path} {kind}", whole(api.get(path, params={**named, "format": kind}))
            for more in ({"session_id": SHARED}, {"search": WORDS[ACME]}, {"user_id": f"{WORDS[ACME]} user"}):
                yield f"{path} {more}", whole(api.get(path, params={**named, **more}))


def test_no_route_shows_one_tenant_a_word_of_the_other(process: Guarded) -> None:
    """In no format, by no id, and whatever else the request says about tenants; its owner sees all of it."""
    for what, said in asked(process, GLOBEX):
        assert WORDS[ACME] not in said, what
        # It has records of its own that name this session.
        assert OWN[ACME] not in said or OWN[ACME] in what, what
    own = dict(asked(process, ACME))
    assert not any(WORDS[GLOBEX] in said for said in own.values())
    seen = {what.partition(" ")[0] for what, said in own.items() if WORDS[ACME] in said}
    expected = {
        *("/v1/sessions", "/v1/sessions/stats", "/v1/users", "/v1/models", "/v1/threads", "/v1/traces"),
        f"/v1/threads/{THREAD}/sessions",
        *(f"/v1/sessions/{SHARED}{part}" for part in ("", "/traces", "/logs")),
        f"/v1/traces/{TRACE}/spans/{SPAN}",
        f"/v1/traces/{TRACE}/spans",
    }
    assert expected <= seen, expected - seen


def test_a_trace_of_both_is_a_trace_of_each(process: Guarded) -> None:
    """The same trace and span ids, and a child of one under the root of the other: nothing is inherited across."""
    with process.asking("sessions_api", process.tokens[GLOBEX, READ]) as api:
        (row,) = api.get(f"/v1/traces/{BORDER}/spans").json()["data"]
        assert row["name"] == "walrus child"
        assert api.get(f"/v1/sessions/{OWN[ACME]}").status_code == 404
    with process.asking("sessions_api", process.tokens[ACME, READ]) as api:
        assert [row["name"] for row in api.get(f"/v1/traces/{BORDER}/spans").json()["data"]] == ["zebra root"]
        logs = api.get(f"/v1/sessions/{OWN[ACME]}/logs").json()["data"]
        assert logs == [], "the other tenant wrote records that name this session"


def test_the_same_answer_is_not_given_to_both(process: Guarded) -> None:
    """Whatever is kept is kept by tenant: one after the other, the same question."""
    for path in ("/v1/sessions?limit=1000", "/v1/sessions/stats", "/v1/users", "/v1/models"):
        said = {}
        for tenant in (ACME, GLOBEX, ACME, GLOBEX):
            with process.asking("sessions_api", process.tokens[tenant, READ]) as api:
                said[tenant] = api.get(path).text
            assert WORDS[tenant] in said[tenant]
        assert WORDS[ACME] not in said[GLOBEX]


def commands(typer_app: typer.Typer, *before: str) -> Iterator[tuple[str, ...]]:
    """Every command that asks a process."""
    for command in typer_app.registered_commands:
        assert command.callback is not None
        yield (*before, command.name or command.callback.__name__)
    for group in typer_app.registered_groups:
        assert group.typer_instance is not None
        if group.name in ("sessions", "threads", "users", "models"):
            yield from commands(group.typer_instance, group.name)


ARGUMENTS = {
    ("sessions", "show"): [OWN[ACME]],
    ("sessions", "traces"): [OWN[ACME]],
    ("sessions", "logs"): [OWN[ACME]],
    ("sessions", "delete"): [OWN[ACME], "--yes"],
    ("threads", "show"): [THREAD],
}
ASKING = [names for names in commands(command_line) if len(names) > 1 and names[1] != "tail"]


@pytest.mark.parametrize("names", ASKING, ids=" ".join)
def test_no_command_shows_or_takes_away_what_is_the_others(process: Guarded, names: tuple[str, ...]) -> None:
    """Each command of the command line, as the second tenant, with ids of the first."""
    code, said = process.command(GLOBEX, *names, *ARGUMENTS.get(names, []), what=BOTH)
    assert WORDS[ACME] not in said
    assert code in (0, 1), said
    assert sessions(process, ACME) == SESSION_COUNT[ACME]
    assert not any(token in said for token in process.tokens.values())


def test_the_command_line_says_what_is_missing(process: Guarded) -> None:
    """A token, a permission, an authority: one sentence each, and never the token."""
    code, said = process.command(ACME, "sessions", "list")
    assert code == 0
    assert OWN[ACME] in said
    code, said = process.command(ACME, "sessions", "list", what=WRITE)
    assert (code, "may not read" in said) == (1, True)
    code, said = process.command(ACME, "sessions", "delete", OWN[ACME], "--yes", what=READ)
    assert (code, "may not write" in said) == (1, True)
    process.tokens["stranger", READ] = "x" * 40
    code, said = process.command("stranger", "sessions", "list")
    assert code == 1
    assert "OTEL_SESSIONS_TOKEN or --token-file" in said
    assert "xxxx" not in said


def status(process: Guarded, token: str, path: str = EXPORT, *more: tuple[str, str]) -> grpc.StatusCode:
    """How a gRPC export with a token ends."""
    metadata = [*([("authorization", f"Bearer {token}")] if token else []), *more]
    credentials = grpc.ssl_channel_credentials(process.authority.pem)
    with grpc.secure_channel(process.address("grpc"), credentials) as channel:
        try:
            channel.unary_unary(path)(ExportTraceServiceRequest().SerializeToString(), metadata=metadata, timeout=60)
        except grpc.RpcError as error:
            return error.code()  # type: ignore[no-any-return]
    return grpc.StatusCode.OK


def test_spans_are_taken_from_who_may_write(process: Guarded) -> None:
    """Of all signals, over gRPC and HTTP; the answers are those that exporters do not retry."""
    assert status(process, "") is grpc.StatusCode.UNAUTHENTICATED
    assert status(process, "ots_wrong") is grpc.StatusCode.UNAUTHENTICATED
    assert status(process, process.tokens[ACME, READ]) is grpc.StatusCode.PERMISSION_DENIED
    assert status(process, process.tokens[ACME, WRITE]) is grpc.StatusCode.OK
    two = ("authorization", f"Bearer {process.tokens[GLOBEX, WRITE]}")
    assert status(process, process.tokens[ACME, WRITE], EXPORT, two) is grpc.StatusCode.UNAUTHENTICATED
    for signal, service in (("logs", "Logs"), ("metrics", "Metrics"), ("traces", "Trace")):
        package = "trace" if signal == "traces" else signal
        path = f"/opentelemetry.proto.collector.{package}.v1.{service}Service/Export"
        assert status(process, "", path) is grpc.StatusCode.UNAUTHENTICATED
        with process.asking("http") as client:
            for media, body in (("application/json", b"{}"), ("application/x-protobuf", b"")):
                answer = client.post(f"/v1/{signal}", content=body, headers={"content-type": media})
                assert (answer.status_code, answer.headers["content-type"]) == (401, media)
                assert answer.headers["www-authenticate"] == 'Bearer realm="otel-sessions"'
        with process.asking("http", process.tokens[ACME, READ]) as client:
            assert client.post(f"/v1/{signal}", json={}).status_code == 403


def test_sql_is_answered_to_who_may_read(process: Guarded) -> None:
    """The password is the token, however a client sends it; error 516 for nobody, 497 for who may not read."""
    token, query = process.tokens[ACME, READ], {"query": "SELECT 1"}
    ways: list[dict[str, Any]] = [
        {"auth": ("anybody", token)},
        {"headers": {"x-clickhouse-user": "me", "x-clickhouse-key": token}},
        {"headers": {"authorization": f"Bearer {token}"}},
        {"params": query | {"user": "me", "password": token}},
    ]
    with process.asking("clickhouse_http") as client:
        assert client.get("/ping").text == "Ok.\n"
        for way in ways:
            assert client.get("/", **{"params": query, **way}).text == "1\n"
        nobody = client.get("/", params=query)
        assert (nobody.status_code, nobody.headers["x-clickhouse-exception-code"]) == (401, "516")
        assert nobody.headers["www-authenticate"].startswith("Basic ")
        for wrong in ({"auth": ("acme", "wrong")}, {"headers": {"authorization": "Bearer wrong"}}):
            answer = client.get("/", params=query, **wrong)  # type: ignore[arg-type]
            assert (answer.status_code, answer.headers["x-clickhouse-exception-code"]) == (403, "516")
        answer = client.get("/", params=query, auth=("acme", process.tokens[ACME, WRITE]))
        assert (answer.status_code, answer.headers["x-clickhouse-exception-code"]) == (403, "497")
        form = client.post("/", files={"password": (None, token), "query": (None, "SELECT 1")})
        assert form.status_code == 401, "a body is not read of somebody who is not known"


def test_sql_shows_one_tenant_nothing_of_the_other(process: Guarded) -> None:
    """By no table or view, with no condition; and nobody writes by SQL."""
    said: dict[str, str] = {}
    for tenant in WORDS:
        with process.asking("clickhouse_http", process.tokens[tenant, READ]) as client:
            names = client.get("/", params={"query": "SHOW TABLES FROM otel"}).text.split()
            assert {"otel_traces", "sessions", "otel_logs"} <= set(names)
            queries = [f"SELECT * FROM otel.{name} WHERE 1 OR tenant = '{ACME}'" for name in names]
            queries += [f"SELECT * FROM otel.{name}" for name in names]
            queries += [
                "SELECT * FROM merge('otel', '.*')",
                "SELECT * FROM sessions SETTINGS additional_table_filters={}",
            ]
            said[tenant] = "".join(client.get("/", params={"query": query}).text for query in queries)
            for query in (
                "ALTER TABLE otel.otel_traces DELETE WHERE 1",
                "INSERT INTO otel.sessions SELECT 1",
                "DROP DATABASE otel",
            ):
                assert client.post("/", content=query).status_code >= 400
    for tenant, other in ((ACME, GLOBEX), (GLOBEX, ACME)):
        assert WORDS[tenant] in said[tenant]
        assert WORDS[other] not in said[tenant]
        assert OWN[tenant] in said[tenant]
    assert sessions(process, ACME) == SESSION_COUNT[ACME]


def test_what_one_tenant_deletes_is_its_own(process: Guarded) -> None:
    """The session that both have, and one that only the other has: spans that the other sends later still count."""
    with process.asking("sessions_api", process.tokens[GLOBEX, BOTH]) as api:
        for session in (SHARED, OWN[ACME]):
            assert api.delete(f"/v1/sessions/{session}", params={"tenant": ACME}).status_code == 200
    assert sessions(process, GLOBEX) == {OWN[GLOBEX]: 1}
    assert sessions(process, ACME) == SESSION_COUNT[ACME]
    late = {
        "traceId": "ef" * 16,
        "spanId": SPAN,
        "name": "zebra late",
        "startTimeUnixNano": str(time.time_ns() - 10**9),
        "endTimeUnixNano": str(time.time_ns()),
        "attributes": [{"key": "session.id", "value": {"stringValue": SHARED}}],
    }
    body = {"resourceSpans": [{"scopeSpans": [{"spans": [late]}]}]}
    process.send(GLOBEX, "traces", body)
    process.send(ACME, "traces", body)
    wait_until(lambda: sessions(process, ACME)[SHARED] == SESSION_COUNT[ACME][SHARED] + 1)
    assert sessions(process, GLOBEX) == {OWN[GLOBEX]: 1}


def test_tokens_follow_their_file(process: Guarded) -> None:
    """A new one works, one that was taken out does not; a broken file changes nothing, and is said."""
    new = "y" * 40

    def code(token: str) -> int:
        with process.asking("sessions_api", token) as api:
            return api.get("/v1/capabilities").status_code

    process.write_tokens({**process.tokens, ("initech", READ): new})
    wait_until(lambda: code(new) == 200)
    process.tokens_file.write_text("tokens: [")
    wait_until(lambda: any(line["event"] == "not_reloaded" for line in process.logged()))
    assert code(new) == 200
    process.write_tokens(process.tokens)
    wait_until(lambda: code(new) == 401)
    assert code(process.tokens[ACME, READ]) == 200


def test_every_port_speaks_tls_and_nothing_else(process: Guarded) -> None:
    """Six ports; a plain request to any of them gets no answer."""
    started = process.lines[-1]
    ports = {name: port for name, port in started.items() if name.endswith("_port")}
    assert len(ports) == 6
    for name in ports:
        component = name.removesuffix("_port")
        with pytest.raises(httpx.TransportError):
            httpx.get(f"http://{process.address(component)}/", timeout=TIMEOUT_S)
        if component != "grpc":
            with process.asking(component) as client:
                assert client.get("/ready" if component == "health_check" else "/metrics").status_code < 500


def test_the_description_says_that_a_token_is_needed(process: Guarded) -> None:
    """For every operation, and how it is shown."""
    with process.asking("sessions_api") as api:
        document = api.get("/openapi.json").json()
    assert document["components"]["securitySchemes"] == {"HTTPBearer": {"type": "http", "scheme": "bearer"}}
    operations = [operation for methods in document["paths"].values() for operation in methods.values()]
    assert all(operation["security"] == [{"HTTPBearer": []}] for operation in operations)


def test_nothing_that_is_logged_is_a_token(process: Guarded) -> None:
    """Nor a part of one, nor the rest of a header; and nobody is warned of ports that are closed."""
    text = json.dumps(process.logged())
    assert not any(token[4:20] in text for token in process.tokens.values())
    assert "Bearer ots" not in text
    assert "exposed" not in [line["event"] for line in process.lines]
