"""What is left of a trace when sessions that take part in it are deleted: who stays, who goes, which places are kept.

A deleted span leaves its *place*: its part in the shape of the trace, in binding and in counting, without a text and
without a session. So what another session counts of the trace does not change, and the set of spans never shrinks
(ADR 0015). Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

import polars as pl

from processor.model import DELETED_SPANS, STORED_SPANS, Strength
from processor.rollup.binding import bound_sessions
from processor.rollup.lineage import lineage
from processor.rollup.rows import typed
from processor.rollup.span_set import SESSION_KEY, TRACE_KEY, span_set

IS_PLACE: Final = "is_place"
"""The column that tells places from spans, in rows of `model.SESSION_SPANS`."""

_DELETED: Final = "\0deleted:"  # stands before a session's hash where a session id stands; nothing of it is stored
_SPAN_KEY: Final = (*TRACE_KEY, "span_id")
_MEMBER_KEY: Final = (*_SPAN_KEY, "content_hash")
_NEVER_NS: Final = -(2**63)  # the end of a version that must not speak for its span


@dataclass(frozen=True, slots=True)
class Judged:
    """Shape: `rows` as `model.SESSION_SPANS` and `IS_PLACE`, for `trace_rows`: the spans that stay, and all places.

    `gone` are the stored rows to remove, `model.STORED_SPANS`; `places` those that they leave, `model.DELETED_SPANS`;
    `empty` the traces in which no span stays.
    """

    rows: pl.DataFrame
    gone: pl.DataFrame
    places: pl.DataFrame
    empty: pl.DataFrame


def judge(traces: pl.DataFrame, members: pl.DataFrame, places: pl.DataFrame, deleted: pl.DataFrame) -> Judged:
    """Tell what belongs to deleted sessions.

    Shape: `traces`, `tenant, trace_id`, distinct; `members` as `model.STORED_SPANS` and `places` as
    `model.DELETED_SPANS`, all of these traces; any order, duplicates allowed. `deleted`: `tenant, session_id`.
    A span belongs to a deleted session by binding, over spans and places together; what had a place before is gone
    again. A version that names a deleted session is gone also where another speaks for the span and names none.
    """
    members = members.unique(_MEMBER_KEY)
    places = places.filter(pl.col("span_id") != "").unique(_MEMBER_KEY)
    if members.is_empty() and places.is_empty():
        return Judged(_as_rows(places).drop("content_hash"), members, places, traces)
    known = members.join(places, on=_MEMBER_KEY, how="semi")
    fresh = members.join(places, on=_MEMBER_KEY, how="anti")
    # Which version speaks for a span is judged by what they say, ids included, so before any id is hidden.
    spans = span_set(pl.concat([fresh.with_columns(pl.lit(False).alias(IS_PLACE)), _as_rows(places)])).spans
    fresh, spans = _renamed(fresh, deleted), _renamed(spans, deleted)
    session = bound_sessions(spans, lineage(spans))
    speaking = spans.with_columns(session=hidden(spans, session)).filter(pl.col("session") != "")
    speaking = speaking.select(*_MEMBER_KEY, "session")
    of_span = speaking.select(*_SPAN_KEY, "session")
    # A span that stays and names a deleted session itself, less strongly than another does, says no less than they.
    naming = spans.filter(_is_deleted("session_id")).select(*_SPAN_KEY, names=pl.lit(True))
    gone = fresh.join(of_span, on=_SPAN_KEY, how="left", maintain_order="left")
    gone = gone.join(naming, on=_SPAN_KEY, how="left", maintain_order="left").with_columns(
        session=pl.coalesce(
            "session", pl.when(_is_deleted("session_id") & pl.col("names").is_null()).then("session_id")
        )
    )
    gone = gone.drop("names")
    gone = gone.filter(pl.col("session").is_not_null())
    left = _places_of(gone, speaking)
    stays = _beaten_for_good(fresh.join(gone, on=_MEMBER_KEY, how="anti"), spans)
    kept = stays.with_columns(pl.lit(False).alias(IS_PLACE))
    rows = pl.concat([kept, _as_rows(places), _claiming(left, gone)]).drop("content_hash")
    removed = pl.concat([known, members.join(gone, on=_MEMBER_KEY, how="semi")])
    return Judged(rows, removed, left, traces.join(stays, on=TRACE_KEY, how="anti"))


def marks(traces: pl.DataFrame) -> pl.DataFrame:
    """The marks of traces that lose spans. Shape: in, `tenant, trace_id`; out, `model.DELETED_SPANS`."""
    return typed(traces.select(TRACE_KEY), DELETED_SPANS)


def hidden(spans: pl.DataFrame, session: pl.Series) -> pl.Series:
    """The deleted session of each span, as `session_id` bears it in `Judged.rows`, and '' for a span that stays.

    Shape: `spans` with `IS_PLACE`, `session` what they are bound to. A place is hidden whatever it is bound to.
    """
    frame = pl.DataFrame({"session": session, "is_place": spans[IS_PLACE]})
    shown = ~pl.col("is_place") & ~_is_deleted("session")
    bound = pl.when(_is_deleted("session")).then("session").otherwise(pl.lit(_DELETED))
    return frame.select(pl.when(shown).then(pl.lit("")).otherwise(bound)).to_series()


def not_deleted(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows that bear the id of a session that is not deleted. Shape: any with `session_id`."""
    return rows.filter(~_is_deleted("session_id"))


def session_hash(tenant: str, session_id: str) -> str:
    """What stands for a session where its id must not."""
    return _hash(f"{tenant}\0{session_id}")


def _is_deleted(column: str) -> pl.Expr:
    return pl.col(column).str.starts_with(_DELETED)


def _renamed(rows: pl.DataFrame, deleted: pl.DataFrame) -> pl.DataFrame:
    """The rows, with the hash instead of the id where they name a deleted session."""
    among = rows.select(SESSION_KEY).unique().join(deleted.select(SESSION_KEY), on=SESSION_KEY, how="semi")
    hashes = [_DELETED + session_hash(*key) for key in among.iter_rows()]
    named = among.with_columns(hashed=pl.Series(hashes, dtype=pl.String))
    joined = rows.join(named, on=SESSION_KEY, how="left", maintain_order="left")
    return joined.with_columns(session_id=pl.coalesce("hashed", "session_id")).drop("hashed")


def _beaten_for_good(rows: pl.DataFrame, spans: pl.DataFrame) -> pl.DataFrame:
    """The rows, of which those that do not speak for their span end so early that no hidden id lets them win a tie."""
    end_ns = pl.when(_speaks(spans, rows)).then("end_ns").otherwise(pl.lit(_NEVER_NS, pl.Int64))
    return rows.with_columns(end_ns=end_ns)


def _speaks(spans: pl.DataFrame, rows: pl.DataFrame) -> pl.Series:
    """Whether each of the rows is the version that speaks for its span."""
    speaking = spans.select(*_MEMBER_KEY, speaks=pl.lit(True))
    joined = rows.select(_MEMBER_KEY).join(speaking, on=_MEMBER_KEY, how="left", maintain_order="left")
    return joined["speaks"].fill_null(False)


def _places_of(gone: pl.DataFrame, speaking: pl.DataFrame) -> pl.DataFrame:
    """Shape: `gone` as `model.STORED_SPANS` with the deleted `session`; `speaking`, versions that speak for a span."""
    beaten = ~_speaks(speaking, gone)
    texts = {name: [_hash(text) if text else "" for text in gone[name]] for name in ("scope", "response_id")}
    places = gone.with_columns(
        session_hash=pl.col("session").str.strip_prefix(_DELETED),
        names_session=pl.col("session_id") == pl.col("session"),
        is_beaten=beaten,
        **{name: pl.Series(values, dtype=pl.String) for name, values in texts.items()},
    )
    return typed(places, DELETED_SPANS)


def _as_rows(places: pl.DataFrame) -> pl.DataFrame:
    """Places as narrow rows that say nothing. Marks are none."""
    names = pl.col("names_session")
    rows = places.filter(pl.col("span_id") != "").with_columns(
        session_id=pl.when(names).then(pl.lit(_DELETED) + pl.col("session_hash")).otherwise(pl.lit("")),
        session_strength=pl.when(names).then("session_strength").otherwise(pl.lit(Strength.NONE, pl.UInt8)),
        end_ns=pl.when("is_beaten").then(pl.lit(_NEVER_NS, pl.Int64)).otherwise("end_ns"),
    )
    return typed(rows, STORED_SPANS).with_columns(pl.lit(True).alias(IS_PLACE))


def _claiming(places: pl.DataFrame, gone: pl.DataFrame) -> pl.DataFrame:
    """New places as rows that still claim for other sessions what their spans did: an earlier, smaller set may have
    written rows there, and what these say of the trace must go too.

    Shape: one place a row of `gone`.
    """
    rows = _as_rows(places)
    claims = ~pl.col("claims").str.starts_with(_DELETED)
    named = rows.with_columns(claims=gone["session_id"])
    return named.with_columns(session_id=pl.when(claims).then("claims").otherwise("session_id")).drop("claims")


def _hash(text: str) -> str:
    return blake2b(text.encode(), digest_size=16).hexdigest()
