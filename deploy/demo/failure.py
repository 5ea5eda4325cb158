"""What stops the demo: one sentence for the person who started it."""

from __future__ import annotations


class DemoError(Exception):
    """The message says what is wrong and what to do."""
