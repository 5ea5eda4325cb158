"""The command `otel-sessions`.

Must never import the processor at module level: `sessions list` starts in a tenth of the time that `run` takes.
Errors a user can meet go to stderr as one sentence; exit codes are 0, 1 (it failed) and 2 (called wrongly).
"""

from __future__ import annotations

from processor.cli.commands import main

__all__ = ["main"]
