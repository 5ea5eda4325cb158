"""Whether a broker answers: one Metadata request on a plain socket, so that no client library is needed to wait.

A port that accepts connections is not enough: a KRaft broker listens before it may serve. It is ready when its answer
names a broker. Source: Kafka protocol guide, Metadata request and response version 1.
"""

from __future__ import annotations

import socket
import struct
from typing import Final

_METADATA: Final = 3
_VERSION: Final = 1
_CORRELATION: Final = 7
_CLIENT: Final = b"otel-sessions-probe"
_TIMEOUT_S: Final = 2.0
_ANSWER_BYTES_MAX: Final = 16 * 1024 * 1024


def answers(host: str, port: int) -> bool:
    """True when a broker there serves requests; false for refusal, silence, and anything that is no such answer."""
    body = struct.pack(">hhih", _METADATA, _VERSION, _CORRELATION, len(_CLIENT)) + _CLIENT
    body += struct.pack(">i", 0)  # about no topic
    try:
        with socket.create_connection((host, port), _TIMEOUT_S) as connection:
            connection.sendall(struct.pack(">i", len(body)) + body)
            (size,) = struct.unpack(">i", _exactly(connection, 4))
            if not 12 <= size <= _ANSWER_BYTES_MAX:
                return False
            correlation, brokers = struct.unpack(">ii", _exactly(connection, 8))
    except (OSError, EOFError):
        return False
    return bool(correlation == _CORRELATION and brokers > 0)


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        chunk = connection.recv(size - len(data))
        if not chunk:
            raise EOFError
        data += chunk
    return data
