"""A stand-in for the model APIs, with fixed usage, and a bill of every call.

What a session should cost is computed from the bill, never typed into a test. The path begins with the session that is
billed, `URL/SESSION/v1/...`: requests carry nothing else that an instrumentation could pick up.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from typing_extensions import override

from tests.sdks import completions_api, messages_api
from tests.sdks.billing import Bill, Call

UNKNOWN_MODEL = "no-such-model"


@dataclass(frozen=True)
class ModelServer:
    """Where it listens, and what it has billed."""

    url: str
    bill: Bill


@contextlib.contextmanager
def model_server() -> Iterator[ModelServer]:
    """Serve on a free port."""
    billed = Bill()

    class Handler(_Handler):
        bill = billed

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield ModelServer(f"http://127.0.0.1:{server.server_port}", billed)
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    bill: Bill

    def do_POST(self) -> None:
        """One call; an unknown endpoint is an error of the client's script."""
        _, session, endpoint = self.path.split("/", 2)
        api = messages_api if endpoint == "v1/messages" else completions_api
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        model, streamed = request["model"], bool(request.get("stream"))
        if model == UNKNOWN_MODEL:
            self._answer(api.error(model), HTTPStatus.NOT_FOUND)
            return
        number = self.bill.charge(Call(session, api.PROVIDER, model, api.usage(request), streamed))
        match endpoint:
            case "v1/messages" if streamed:
                self._stream(messages_api.events(number, request))
            case "v1/messages":
                self._answer(messages_api.message(number, request))
            case "v1/chat/completions" if streamed:
                self._stream(completions_api.chunks(number, request))
            case "v1/chat/completions":
                self._answer(completions_api.completion(number, request))
            case "v1/embeddings":
                self._answer(completions_api.embeddings(request))

    def _answer(self, body: dict[str, Any], status: HTTPStatus = HTTPStatus.OK) -> None:
        self._send(json.dumps(body), "application/json", status)

    def _stream(self, events: str) -> None:
        self._send(events, "text/event-stream", HTTPStatus.OK)

    def _send(self, text: str, content_type: str, status: HTTPStatus) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the tests look at the bill."""
