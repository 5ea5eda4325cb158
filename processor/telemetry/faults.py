"""An unexpected error, for the log, where its message may quote what a client sent: its type, and its place."""

from __future__ import annotations

import traceback
from typing import Final

_FRAMES_MAX: Final = 20


def places(error: BaseException) -> list[str]:
    """`file:line in function`, the place of the error last; of a cause, its type and places before them."""
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    before = [*places(cause), f"{type(cause).__name__}, then"] if cause is not None else []
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES_MAX:]
    return [*before, *(f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in frames)]
