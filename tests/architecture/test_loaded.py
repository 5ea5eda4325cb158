"""What a process loads: a receiver or a worker of a cluster needs no web framework, and no engine in itself."""

from __future__ import annotations

import subprocess
import sys

HEAVY = {"fastapi", "pydantic", "chdb", "genai_prices"}


def test_what_only_some_roles_need_is_loaded_by_those_that_serve_it() -> None:
    """The API brings FastAPI, an embedded store and the SQL interface chDB, cost the price table."""
    loaded = "import sys, processor.process; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    modules = set(ran.stdout.split())
    assert "processor.worker.worker" in modules
    assert not modules & HEAVY
