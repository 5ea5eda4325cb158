"""One commit of offsets, under the membership that read them and no other."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from aiokafka import TopicPartition


async def commit_offsets(
    consumer: Any, topic: str, offsets: Mapping[int, int], rebalanced: asyncio.Event, timeout_s: float
) -> str:
    """Commit the offset of the next record by partition. Returns why it was refused, '' if it was not.

    Ends with `rebalanced`: aiokafka would try again in its next generation, when the offsets are no longer ours to
    commit, and the brokers would take them.
    """
    ended = asyncio.create_task(rebalanced.wait())
    commit = asyncio.create_task(
        consumer.commit({TopicPartition(topic, partition): offset for partition, offset in offsets.items()})
    )
    try:
        await asyncio.wait([commit, ended], timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        commit.cancel()
        ended.cancel()
        await asyncio.wait([commit, ended])
    if commit.cancelled():
        return "a rebalance, or no answer in time"
    error = commit.exception()
    return "" if error is None else repr(error)
