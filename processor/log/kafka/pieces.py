"""A request taken apart into headers and items, and put together again as several requests under a size limit.

Items are spans, log records or metrics (`decode.outline`). A header is a message without its repeated part: all of a
scope but its items, all of a resource but its scopes. Protobuf merges repeated fields in the order in which they lie,
so header and items are joined as bytes.
Sizes are reckoned with the longest length prefix a record can need: at most a few bytes more than they come out.

Pure. Source: protobuf encoding guide; `decode.outline` for field numbers.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from processor.decode.outline import TAGS, header_of, outline_of

Numbers = npt.NDArray[np.intp]

_LONGER_FROM: Final = 1 << np.arange(7, 32, 7)
"""Lengths from which on a varint takes another byte."""
_RESOURCE: Final = attrgetter("resource")
_KEPT_BELOW: Final = 1 << 14
_PREFIX_BYTES_MAX: Final = 6  # a tag, and the length of anything below 2 GiB, where protobuf ends


@dataclass(frozen=True, slots=True)
class Pieces:
    """One request: its own header, headers by resource and by scope, and its items.

    Shape: `resource_of` has one entry a scope, `scope_of` one an item; `prefixes` are the tag and length that stand
    before each item inside of its scope, `sizes` the bytes of both. Scopes without an item are left out.
    """

    header: bytes
    resources: Sequence[bytes]
    scopes: Sequence[bytes]
    resource_of: Sequence[int]
    items: Sequence[bytes]
    prefixes: Sequence[bytes]
    sizes: Numbers
    scope_of: Numbers

    def __len__(self) -> int:
        return len(self.items)

    @classmethod
    def of(cls, value: bytes) -> Pieces:
        """Take a request apart. It must be valid: what is wrong inside of an item is not noticed here."""
        request = outline_of(value)
        resources: list[bytes] = []
        scopes: list[bytes] = []
        resource_of: list[int] = []
        counts: list[int] = []
        items: list[bytes] = []
        for number, resource in enumerate(request.resources):
            for scope in resource.scopes:
                if count := len(scope.items):
                    items += scope.items
                    counts.append(count)
                    resource_of.append(number)
                    scopes.append(header_of(scope, "items"))
            resources.append(header_of(resource, "scopes"))
        lengths = list(map(len, items))
        prefixes = list(map(_PREFIXES["items"].__getitem__, lengths))
        sizes = np.array(lengths, np.intp)
        sizes += np.searchsorted(_LONGER_FROM, sizes, side="right") + 2  # the prefix: a tag and a varint
        scope_of = np.repeat(np.arange(len(counts)), counts)
        header = header_of(request, "resources")
        return cls(header, resources, scopes, resource_of, items, prefixes, sizes, scope_of)

    def bytes_alone(self) -> Numbers:
        """Bytes of a request with this item and nothing else, for each item."""
        around = [self.around_resource(self.resource_of[scope]) + self.around_scope(scope) for scope in self._scopes()]
        return len(self.header) + np.array(around, np.intp)[self.scope_of] + self.sizes

    def around_resource(self, resource: int) -> int:
        """Bytes that a resource takes beside its scopes."""
        return _PREFIX_BYTES_MAX + len(self.resources[resource])

    def around_scope(self, scope: int) -> int:
        """Bytes that a scope takes beside its items."""
        return _PREFIX_BYTES_MAX + len(self.scopes[scope])

    def _scopes(self) -> range:
        return range(len(self.scopes))


class _Run(NamedTuple):
    """Spans of one scope that lie next to each other in the order of the layout."""

    resource: int
    scope: int
    start: int
    stop: int


def lay_out(pieces: Pieces, order: Numbers, group: Numbers, bytes_max: int | None) -> Iterator[tuple[int, bytes]]:
    """Requests with the items `order` (indices), one or more a group, none over `bytes_max`.

    Shape: `group` has one entry for each of `order` and does not decrease; within a group, items of a scope are
    neighbours. Nothing is cut, and nothing reckoned, when `bytes_max` is None. A group that is too large is cut
    between resources; a resource that is too large alone, between its
    scopes; such a scope, between its items. Each item must fit alone (`bytes_alone`).
    """
    layout = _Layout(pieces, order, bytes_max)
    scope = pieces.scope_of[order]
    cuts = (np.flatnonzero((np.diff(group) != 0) | (np.diff(scope) != 0)) + 1).tolist()
    starts = [0, *cuts] if len(order) else []
    runs = [
        (number, _Run(pieces.resource_of[of], of, start, stop))
        for number, of, start, stop in zip(
            group[starts].tolist(), scope[starts].tolist(), starts, [*cuts, len(order)], strict=False
        )
    ]
    for number, members in groupby(runs, lambda item: item[0]):
        for record in layout.records([run for _, run in members]):
            yield number, layout.request(record)


class _Layout:
    """Pieces in the order in which they will lie, and how many bytes lie before each."""

    def __init__(self, pieces: Pieces, order: Numbers, bytes_max: int | None) -> None:
        self._pieces = pieces
        self._room = math.inf if bytes_max is None else bytes_max - len(pieces.header)
        chosen = order.tolist()
        self._interleaved: list[bytes] = [b""] * (2 * len(chosen))
        self._interleaved[::2] = map(pieces.prefixes.__getitem__, chosen)
        self._interleaved[1::2] = map(pieces.items.__getitem__, chosen)
        self._before: list[int] = [0, *np.cumsum(pieces.sizes[order]).tolist()]

    def records(self, runs: Sequence[_Run]) -> Iterator[Sequence[_Run]]:
        """The runs of one group, record by record."""
        if self._room == math.inf or self._cost(runs) <= self._room:
            yield runs
            return
        record: list[_Run] = []
        used = 0
        for unit in self._units(runs):
            cost = self._cost(unit)
            if record and used + cost > self._room:
                yield record
                record, used = [], 0
            record += unit
            used += cost
        yield record

    def request(self, runs: Sequence[_Run]) -> bytes:
        """One serialized request."""
        pieces, before = self._pieces, self._before
        joined = [pieces.header]
        for resource, members in groupby(runs, _RESOURCE):
            inner = [pieces.resources[resource]]
            size = len(inner[0])
            for _, scope, start, stop in members:
                header = pieces.scopes[scope]
                scope_size = len(header) + before[stop] - before[start]
                prefix = _PREFIXES["scopes"][scope_size]
                inner += (prefix, header)
                inner += self._interleaved[2 * start : 2 * stop]
                size += len(prefix) + scope_size
            joined.append(_PREFIXES["resources"][size])
            joined += inner
        return b"".join(joined)

    def _cost(self, runs: Sequence[_Run]) -> int:
        cost, last = 0, -1
        for run in runs:
            if run.resource != last:
                cost += self._pieces.around_resource(run.resource)
                last = run.resource
            cost += self._pieces.around_scope(run.scope) + self._before[run.stop] - self._before[run.start]
        return cost

    def _units(self, runs: Sequence[_Run]) -> Iterator[Sequence[_Run]]:
        for _, members in groupby(runs, _RESOURCE):
            of_resource = list(members)
            if self._cost(of_resource) <= self._room:
                yield of_resource
                continue
            for run in of_resource:
                yield from ([part] for part in self._cut(run))

    def _cut(self, run: _Run) -> Iterator[_Run]:
        room = self._room - self._pieces.around_resource(run.resource) - self._pieces.around_scope(run.scope)
        start = run.start
        while start < run.stop:
            stop = min(bisect_right(self._before, self._before[start] + room) - 1, run.stop)
            assert stop > start, "each item fits alone"
            yield _Run(run.resource, run.scope, start, stop)
            start = stop


def _prefix(field: str, size: int) -> bytes:
    """Tag and length of one entry of a repeated field."""
    encoded = bytearray(TAGS[field])
    while size > 0x7F:
        encoded.append(size & 0x7F | 0x80)
        size >>= 7
    encoded.append(size)
    return bytes(encoded)


class _Prefixes(dict[int, bytes]):
    """Tag and length before an entry of a given size, made when first needed. Bounded: large sizes are not kept."""

    def __init__(self, field: str) -> None:
        self._field = field

    def __missing__(self, size: int) -> bytes:
        prefix = _prefix(self._field, size)
        if size < _KEPT_BELOW:
            self[size] = prefix
        return prefix


_PREFIXES: Final = {field: _Prefixes(field) for field in TAGS}
