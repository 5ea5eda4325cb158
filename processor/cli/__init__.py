"""The command `otel-sessions`.

Must never import the processor at module level: `sessions list` starts in a tenth of the time that `run` takes.
Errors a user can meet go to stderr as one sentence; `exits` has the exit codes.
"""

from __future__ import annotations

from processor.cli.commands import main

__all__ = ["main"]
