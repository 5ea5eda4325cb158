"""`python -m deploy.kafka [PORT]`: fetch Apache Kafka, run one broker, print its address, stop it at Ctrl-C.

On port 9092 by default, 0 is any. Topics are gone afterwards: it is there for trying things out.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType
from typing import Final

from deploy.kafka.broker import Broker, is_free
from deploy.kafka.failure import BrokerError

PORT: Final = 9092


def main() -> int:
    """Exit status: 0 after Ctrl-C or SIGTERM, 1 when there can be no broker."""
    parser = argparse.ArgumentParser(prog="python -m deploy.kafka", description="Run one Kafka broker until Ctrl-C.")
    parser.add_argument("port", nargs="?", type=int, default=PORT, help=f"on loopback, {PORT} by default, 0 is any")
    port = parser.parse_args().port
    if port and not is_free(port):
        print(f"kafka: port {port} is in use; name another: python -m deploy.kafka PORT", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, _leave)  # else the directory would stay behind
    try:
        with tempfile.TemporaryDirectory(prefix="otel-sessions-kafka-") as directory:
            broker = Broker(Path(directory) / "broker", port=port)
            broker.start()
            try:
                print(broker.bootstrap, flush=True)
                signal.pause()
            finally:
                broker.stop()
    except BrokerError as error:
        print(f"kafka: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    return 0


def _leave(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
