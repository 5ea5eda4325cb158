"""What a command ends with, and the errors that carry it.

Must import nothing that is slow: `main` needs these before it knows which command runs.
"""

from __future__ import annotations

from typing import Final

from processor.errors import OtelSessionsError

REFUSED: Final = 1
USAGE: Final = 2
UNREACHABLE: Final = 3
DIFFERENT: Final = 4
INTERRUPTED: Final = 130  # 128 + SIGINT, as shells have it

EPILOG: Final = (
    "Exit codes: 0 done; 1 refused, or nothing of that name; 2 called wrongly; 3 no answer from the process; "
    "4 an audit found differences; "
    "130 Ctrl-C. A pipe that is closed early (`| head`) is no failure."
)
"""What `--help` says of them."""


class ApiError(OtelSessionsError):
    """The process refused, or there is no such thing; the message says what to do."""

    exit_code = REFUSED


class NotFound(ApiError):
    """There is nothing of this name."""


class Unreachable(ApiError):
    """The process did not answer, not now, or not to the end."""

    exit_code = UNREACHABLE
