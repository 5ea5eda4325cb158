"""The one way in which a benchmark ends badly: a sentence for the user, and exit status 1."""

from __future__ import annotations


class BenchmarkError(Exception):
    """The figures can't be trusted or can't be had. The message says what is wrong and what to do."""
