"""What a person sees of a span's input and output: a little text, redacted before anything is stored. Pure, vectorized.

Frameworks write inputs as JSON of their own making. The first text in it that reads like content is shown; where there
is none, the JSON itself. Only spans at the top of their trace and model calls are looked at: they are who a session's
first input and last output come from.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from processor.conventions.pick import Entries
from processor.conventions.rules import Keys
from processor.decode.columns import Bools
from processor.errors import ConfigError

_READ_CHARS: Final = 2_048  # of a value are looked at: enough for the messages that come first
_KEYS: Final = "content|text|prompt|query|question|input|output|q|message|answer|result"
_USER: Final = r'"role"\s*:\s*"user".*?"(?:content|text)"\s*:\s*"((?:[^"\\]|\\.)+)'
_CONTENT: Final = rf'"(?:{_KEYS})"\s*:\s*"((?:[^"\\]|\\.)+)'
_FIRST_TEXT: Final = r'^\[?\s*"((?:[^"\\]|\\.)+)'
_IS_JSON: Final = r'^\s*[\[{"]'
_NO_ARGUMENTS: Final = r'^\s*(\{\s*"args"\s*:\s*\[[\s{},]*\]\s*,\s*"kwargs"\s*:\s*\{\s*\}\s*\}|[\[{]\s*[\]}])\s*$'
_UNESCAPED: Final = ((r"\n", "\n"), (r"\t", " "), (r"\"", '"'), (r"\\", "\\"))


@dataclass(frozen=True, slots=True)
class PreviewConfig:
    """What is kept of inputs and outputs in the session tables; `otel_traces` has them whole either way."""

    enabled: bool = field(default=True, metadata={"help": "Whether sessions show a first input and a last output."})
    chars_max: int = field(default=120, metadata={"help": "Characters of a preview.", "min": 1, "max": 4096})
    redact: tuple[str, ...] = field(
        default=(),
        metadata={"help": "Regular expressions (RE2) of what is replaced by [redacted] in previews."},
    )

    def __post_init__(self) -> None:
        for number, pattern in enumerate(self.redact):
            try:
                pc.replace_substring_regex(pa.array([""]), pattern, "")
            except pa.ArrowInvalid as error:
                raise ConfigError(f"redact[{number}]: {pattern!r} is no regular expression of RE2: {error}") from error


REDACTED: Final = "[redacted]"


def previews(entries: Entries, keys: Keys, wanted: Bools, config: PreviewConfig) -> pa.StringArray:
    """The preview of each wanted span, '' for the others. Shape: `wanted` has one entry a span."""
    present = tuple(key for key in keys if entries.has(key.name))
    if not config.enabled or not present or not wanted.any():
        return pa.repeat("", entries.owners)
    found = entries.text(present, _READ_CHARS).value
    places = np.flatnonzero(wanted & pc.not_equal(found, "").to_numpy(zero_copy_only=False))
    if not len(places):
        return pa.repeat("", entries.owners)
    text = _readable(found.take(pa.array(places)))
    for pattern in config.redact:
        text = pc.replace_substring_regex(text, pattern, REDACTED)
    text = pc.utf8_slice_codeunits(pc.utf8_trim_whitespace(text), 0, config.chars_max)
    place = np.full(entries.owners, -1, np.int64)
    place[places] = np.arange(len(places))
    return pc.fill_null(text.take(pa.array(place, mask=place < 0)), "")


def _readable(text: Any) -> Any:
    """The first content in a JSON text, and other texts as they are. A call's arguments alone say nothing."""
    frame = pl.DataFrame({"text": pl.Series(text, dtype=pl.String)})
    if not frame["text"].str.contains(_IS_JSON).any():
        return text
    found = frame.select(_CONTENT_OR_TEXT.alias("text")).to_series()
    return found.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(pa.string())


def _said() -> pl.Expr:
    said = pl.coalesce([_TEXT.str.extract(f"(?s){pattern}", 1) for pattern in (_USER, _FIRST_TEXT, _CONTENT)])
    for escaped, plain in _UNESCAPED:
        said = said.str.replace_all(escaped, plain, literal=True)
    return said


_TEXT: Final = pl.col("text")
_CONTENT_OR_TEXT: Final = (
    pl.when(~_TEXT.str.contains(_IS_JSON))
    .then(_TEXT)
    .when(_TEXT.str.contains(_NO_ARGUMENTS))
    .then(pl.lit(""))
    .otherwise(pl.coalesce(_said(), _TEXT))
)
