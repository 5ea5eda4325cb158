"""The demo: `make demo`. Starts the processor, plays sample conversations into it, shows and checks the sessions.

Stays up until Ctrl-C. With DEMO_EXIT=1 in the environment it takes free ports and ends by itself, with status 0 only if
every total is right.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path

from check import UNBOUND, wait_for_totals
from failure import DemoError
from play import Player, read_metric
from processor_process import COMMAND, STORE, Processor
from scenario import CONVERSATIONS

DIRECTORY = Path("data/demo")
SHOWN = "refund-1042"

_SQL = "SELECT user_id, count() AS sessions, sum(total_cost) AS cost FROM otel.sessions GROUP BY user_id"


def main() -> int:
    """Run the demo; gives the exit status."""
    ends_by_itself = os.environ.get("DEMO_EXIT", "") not in ("", "0")
    with ExitStack() as stack:
        directory = DIRECTORY
        if ends_by_itself:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="otel-sessions-demo-"))) / "run"
        _say("Starting the processor: queue and database in this one process ...")
        processor = stack.enter_context(Processor(directory.absolute(), free_ports=ends_by_itself))
        _play(processor)
        wrong = wait_for_totals(processor)
        _show(processor)
        for difference in wrong:
            _say(f"WRONG  {difference}")
        if not wrong:
            _say("Every total is right: spans, tokens and costs count once, whatever the order they came in.")
        if not ends_by_itself:
            with suppress(KeyboardInterrupt):
                _say_what_next(processor, directory)
                processor.wait()
    _say("Stopped.")
    return 1 if wrong else 0


def _play(processor: Processor) -> None:
    _say("Playing conversations through four exporter processes (gRPC, gRPC with gzip, HTTP, JSON) ...")
    with Player.started(processor) as player:
        for conversation in CONVERSATIONS:
            _say(f"  {conversation.session or '(no session)':15} {conversation.about}")
            player.play(conversation)


def _show(processor: Processor) -> None:
    for arguments in (["list"], ["traces", SHOWN]):
        _say(f"\n$ otel-sessions sessions {' '.join(arguments)}")
        command = [COMMAND, "sessions", *arguments, "--url", processor.url("sessions_api")]
        subprocess.run(command, check=True, stderr=subprocess.STDOUT)  # noqa: S603 (our own command)
    count = read_metric(processor, UNBOUND)
    _say(f"\n{count:.0f} spans belong to no session. They are kept, and bound when an id arrives ({UNBOUND}).")


def _say_what_next(processor: Processor, directory: Path) -> None:
    api, grpc = processor.url("sessions_api"), processor.url("grpc")
    _say(
        f"""
The processor is still running. Try:
  your own exporter   export OTEL_EXPORTER_OTLP_ENDPOINT={grpc}
                      (over HTTP: {processor.url("http")})
  one session         otel-sessions sessions show {SHOWN}
  REST                curl '{api}/v1/sessions?sort_by=total_cost'
  metrics             curl {processor.url("metrics")}/metrics
SQL, after Ctrl-C (the embedded store belongs to one process at a time):
  .venv/bin/python -c "import chdb; print(chdb.connect('{directory / STORE}').query('{_SQL}', 'Pretty'))"

Ctrl-C ends it.""",
    )


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        sys.exit(main())
    except DemoError as error:
        sys.exit(f"demo: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
