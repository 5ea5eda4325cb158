"""Deals the partitions out to the group's members, as aiokafka's round robin does, and tells each how many there are.

Whoever leads the group deals, by what it knows of the topic; others may know more, or less, and would judge a record's
claim to be placed by another number. So the number travels with the assignment: all members go by the same one, and a
trace that one of them trusts to be whole is trusted by no other.

Members that say nothing (any other client with a round robin) are understood: then nothing is known, nothing trusted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment


class Assignor(RoundRobinPartitionAssignor):  # type: ignore[misc]  # aiokafka has no types
    """Of one reader of `topic`. `agreed` is called with its partition count, 0 for unknown, before each assignment."""

    def __init__(self, topic: str, agreed: Callable[[int], None]) -> None:
        self._topic = topic
        self._agreed = agreed

    def assign(self, cluster: Any, members: Mapping[str, Any]) -> dict[str, Any]:
        """What each member gets: as the one who leads."""
        topics = sorted({topic for member in members.values() for topic in member.subscription})
        counts = {topic: len(cluster.partitions_for_topic(topic) or ()) for topic in topics}
        dealt = super().assign(cluster, members)
        said = json.dumps(counts).encode()
        return {
            member: ConsumerProtocolMemberAssignment(one.version, one.assignment, said) for member, one in dealt.items()
        }

    def on_assignment(self, assignment: Any) -> None:
        """What we got."""
        self._agreed(_count(assignment.user_data, self._topic))


def _count(said: bytes | None, topic: str) -> int:
    try:
        count = json.loads(said or b"{}").get(topic)
    except (ValueError, AttributeError):  # somebody else's
        return 0
    return count if type(count) is int else 0
