"""Connecting to a store that is not there, or not what the configuration says."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from processor.errors import ConfigError, Retryable
from processor.store.connection import StoreConfig, connect


def test_tls_is_spoken_where_the_scheme_says_so() -> None:
    """On any port: nothing of a request, least of all a password, goes out in the clear."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        first: list[bytes] = []

        def take() -> None:
            connection, _ = listener.accept()
            with connection:
                first.append(connection.recv(1))

        thread = threading.Thread(target=take)
        thread.start()
        with pytest.raises(Retryable, match="does not answer") as raised:
            connect(StoreConfig(dsn=f"https://user:s3cret@127.0.0.1:{listener.getsockname()[1]}?connect_timeout=2"))
        thread.join()
    assert first == [b"\x16"]  # a TLS handshake
    assert "s3cret" not in str(raised.value)


def test_a_directory_that_can_not_be_one_is_refused(tmp_path: Path) -> None:
    """With what is wrong with it, before chDB sees it."""
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(ConfigError, match=f"exporters.clickhouse.dsn: can't create {file}: File exists"):
        connect(StoreConfig(dsn=f"chdb://{file}"))


def test_no_password_in_what_went_wrong() -> None:
    """A server that is away, an option that is none."""
    for dsn in ("http://u:s3cret@127.0.0.1:1", "http://u:s3cret@127.0.0.1:1?no_such_option=s3cret"):
        with pytest.raises((Retryable, ConfigError)) as raised:
            connect(StoreConfig(dsn=dsn))
        assert "s3cret" not in str(raised.value)
