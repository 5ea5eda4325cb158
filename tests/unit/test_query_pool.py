"""The pool of readers: bounded, and fair to nobody but correct to all."""

from __future__ import annotations

from typing import Any, cast

import pytest

from processor.api.pool import QueryPool
from processor.errors import Overloaded
from processor.store.queries import SessionQueries

READERS = [cast(SessionQueries, object()), cast(SessionQueries, object())]


def test_a_reader_serves_one_request_at_a_time() -> None:
    """Two requests at once get two readers, and a returned one is used again."""
    pool = QueryPool(READERS, 0)
    with pool.reader() as first, pool.reader() as second:
        assert {id(first), id(second)} == {id(reader) for reader in READERS}
    with pool.reader() as again:
        assert again in READERS


def test_more_requests_than_may_wait_are_refused() -> None:
    """A full pool pushes back at once instead of collecting threads."""
    pool = QueryPool(READERS[:1], 0)
    with pool.reader(), pytest.raises(Overloaded), pool.reader():
        pass


def test_a_reader_comes_back_from_a_query_that_failed() -> None:
    """An error never shrinks the pool."""
    pool = QueryPool(READERS[:1], 0)
    with pytest.raises(ZeroDivisionError), pool.reader():
        cast(Any, 1) / 0
    with pool.reader() as reader:
        assert reader is READERS[0]


def test_streams_never_take_the_last_readers() -> None:
    """Half of the readers stream at a time, at least one; a stream that has failed gives its place back."""
    pool = QueryPool(READERS, 0)
    with pytest.raises(ZeroDivisionError), pool.streaming_reader():
        cast(Any, 1) / 0
    with pool.streaming_reader() as streaming:
        with pytest.raises(Overloaded), pool.streaming_reader():
            pass
        with pool.reader() as other:
            assert other is not streaming
    with QueryPool(READERS[:1], 0).streaming_reader() as only:
        assert only is READERS[0]
