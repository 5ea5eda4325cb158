"""How a convention reads a value that is more than one thing: a JSON text, as one of its fields.

`Attributes.text` has key-value lists as JSON too, so one reader serves both. Texts in, texts out ('' where the text
does not say it), for a column at once and as one expression; what the texts mean is `coerce`'s business.

Source: attributes.yaml, `form`; Langfuse's usage shapes: langfuse-py 5.0.4 openai.py _parse_usage, langfuse@62751446
repositories/observations_converters.ts L463-469.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, Final

import polars as pl
import pyarrow as pa

from processor.conventions.coerce import TOKENS_MAX

_JSON: Final = "json:"
_REPR: Final = "repr:"
_LANGFUSE_USAGE: Final = "langfuse_usage:"
_LANGFUSE_COST: Final = "langfuse_cost"
_TEXT: Final = pl.col("text")
_NUMBER: Final = r"[0-9][0-9.eE+-]*"
_IS_OBJECT: Final = r"^\s*\{"


def read_form(form: str, text: pa.StringArray) -> pa.StringArray:
    """What `form` takes out of each text."""
    frame = pl.DataFrame({"text": pl.Series(text, dtype=pl.String)})
    found = frame.select(_expression(form).fill_null("").alias("text")).to_series()
    result: Any = found.to_arrow(compat_level=pl.CompatLevel.oldest())
    return result.cast(pa.string())


@functools.cache
def _expression(form: str) -> pl.Expr:
    if form.startswith(_JSON):
        return _first_of(form.removeprefix(_JSON).split("|"))
    if form.startswith(_REPR):
        return _TEXT.str.extract(rf"'{form.removeprefix(_REPR)}': ([0-9]+)", 1)
    if form.startswith(_LANGFUSE_USAGE):
        return _langfuse_usage(form.removeprefix(_LANGFUSE_USAGE))
    assert form == _LANGFUSE_COST, f"{form!r} is no form"
    return _langfuse_cost()


def _first_of(paths: Sequence[str]) -> pl.Expr:
    """The first of the paths that a JSON object has. A path goes through objects, its steps joined by dots.

    A text that does not have the last step's name anywhere is not parsed: looking for it takes a tenth of the time.
    What stands there must be a value, not a list or an object.
    """
    is_object = _TEXT.str.contains(_IS_OBJECT)
    found = []
    for path in paths:
        named = _TEXT.str.contains(f'"{path.rpartition(".")[2]}"', literal=True)
        value = pl.when(named & is_object).then(_TEXT).str.json_path_match(_json_path(path))
        found.append(pl.when(~value.str.contains(r"^[\[{]")).then(value))
    return pl.coalesce(found)


def _json_path(path: str) -> str:
    return "$" + "".join(f"['{step}']" for step in path.split("."))


_OPENAI: Final = {
    "input": "prompt_tokens",
    "output": "completion_tokens",
    "cache_read": "prompt_tokens_details.cached_tokens",
    "reasoning": "completion_tokens_details.reasoning_tokens",
}
_RESPONSES: Final = {
    "input": "input_tokens",
    "output": "output_tokens",
    "cache_read": "input_tokens_details.cached_tokens",
    "reasoning": "output_tokens_details.reasoning_tokens",
}
_DISJOINT: Final = {
    "input": r"[^\"\\]*input[^\"\\]*",
    "output": r"[^\"\\]*output[^\"\\]*",
    "cache_read": "input_cached_tokens|cache_read_input_tokens|input_cache_read",
    "cache_write": r"input_cache_creation[^\"\\]*|cache_creation_input_tokens|input_cache_write",
    "reasoning": r"[^\"\\]*reasoning[^\"\\]*",
}


def _langfuse_usage(part: str) -> pl.Expr:
    """A part of Langfuse's usage. Its wrapper passes OpenAI's own dicts on, whose counts include their details; all
    other keys are disjoint: input is the sum of the keys with `input` in them, output likewise.
    """
    openai = _TEXT.str.contains('"(?:prompt_tokens|completion_tokens)"')
    responses = _TEXT.str.contains('"input_tokens_details"')
    shapes = [(openai, _OPENAI), (responses, _RESPONSES)]
    nothing = pl.lit(None, pl.String)
    of_shape = [(shape, _first_of([paths[part]]) if part in paths else nothing) for shape, paths in shapes]
    total = pl.when(_is_json()).then(pl.coalesce([_counted(key) for key in _DISJOINT[part].split("|")]))
    return pl.when(of_shape[0][0]).then(of_shape[0][1]).when(of_shape[1][0]).then(of_shape[1][1]).otherwise(total)


def _counted(key: str) -> pl.Expr:
    """The sum of the counts whose key matches; null where there is none."""
    numbers = _numbers(key).cast(pl.Float64, strict=False)
    counts = pl.when((numbers == numbers.floor()) & numbers.is_between(0, TOKENS_MAX)).then(numbers.cast(pl.Int64))
    found = _matches(key).list.eval(counts.drop_nulls())
    return pl.when(found.list.len() > 0).then(found.list.sum().cast(pl.String))


def _is_json() -> pl.Expr:
    return _TEXT.str.json_path_match("$").is_not_null()


def _langfuse_cost() -> pl.Expr:
    """The total, else the sum of the parts: of decimal numbers as they are written, so exactly."""
    any_key = r"[^\"\\]*"
    parts = _matches(any_key).list.eval(_numbers(any_key).cast(pl.Decimal(38, 18), strict=False).drop_nulls())
    summed = pl.when(_is_json() & (parts.list.len() > 0)).then(parts.list.sum().cast(pl.String))
    return pl.coalesce(_first_of(["total"]), summed)


def _matches(key: str) -> pl.Expr:
    """The `"key": number` pairs of a flat JSON object whose key matches."""
    return _TEXT.str.extract_all(rf'"{key}"\s*:\s*"?{_NUMBER}')


def _numbers(key: str) -> pl.Expr:
    """The number of each of such pairs. For `list.eval`."""
    return pl.element().str.extract(rf'"{key}"\s*:\s*"?({_NUMBER})$', 1)
