"""A request's outcome comes once, in time, and its bytes are given back only when no record is under way."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka.errors import KafkaTimeoutError

from processor.log.kafka.delivery import Deadlines, Delivery

WAIT_S = 60
LONG_S = 10 * WAIT_S


def test_the_first_error_is_the_outcome_once_all_records_ended() -> None:
    """And the bytes come back then, once."""
    given_back: list[int] = []

    async def scenario() -> None:
        delivery = Delivery(7, given_back.append)
        for _ in range(3):
            delivery.add_record()
        delivery.record_ended(None)  # the sender
        delivery.record_ended(KafkaTimeoutError())
        delivery.record_ended(None)
        assert not delivery.outcome.done()
        assert not given_back
        delivery.record_ended(ValueError())
        with pytest.raises(KafkaTimeoutError):
            await delivery.outcome

    asyncio.run(scenario())
    assert given_back == [7]


@pytest.mark.parametrize("gone", ["expired", "cancelled"])
def test_whoever_stops_waiting_does_not_stop_the_records(gone: str) -> None:
    """The bytes count until the producer lets go of them."""
    given_back: list[int] = []

    async def scenario() -> None:
        delivery = Delivery(7, given_back.append)
        if gone == "expired":
            delivery.expire()
            with pytest.raises(TimeoutError):
                await delivery.outcome
        else:
            delivery.outcome.cancel()
        delivery.expire()
        assert not given_back
        delivery.record_ended(None)

    asyncio.run(scenario())
    assert given_back == [7]


def test_deliveries_expire_each_in_its_time_and_only_without_an_outcome() -> None:
    """Also behind one that has ended."""

    async def scenario() -> None:
        deadlines = Deadlines(0.05)
        first, ended, last = (Delivery(1, lambda _: None) for _ in range(3))
        loop = asyncio.get_running_loop()
        started = loop.time()
        deadlines.add(first)
        deadlines.add(ended)
        ended.record_ended(None)
        await asyncio.sleep(0.03)
        deadlines.add(last)
        for delivery, at_s in ((first, 0.05), (last, 0.08)):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(asyncio.shield(delivery.outcome), WAIT_S)
            assert loop.time() - started >= at_s - 0.001
        await ended.outcome

    asyncio.run(scenario())


def test_what_has_an_outcome_is_let_go_of() -> None:
    """No more is held than waits, where outcomes come in order."""

    async def scenario() -> None:
        deadlines = Deadlines(LONG_S)
        for _ in range(1000):
            delivery = Delivery(1, lambda _: None)
            deadlines.add(delivery)
            delivery.record_ended(None)
        assert len(deadlines._waiting) == 1
        deadlines.close()

    asyncio.run(scenario())
