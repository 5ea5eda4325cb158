"""`python -m deploy.kafka`: fetch Apache Kafka, run one broker, print its address, stop it at Ctrl-C.

Topics are gone afterwards: it is there for trying things out.
"""

from __future__ import annotations

import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType

from deploy.kafka.broker import Broker
from deploy.kafka.failure import BrokerError


def main() -> int:
    """Exit status: 0 after Ctrl-C or SIGTERM, 1 when there can be no broker."""
    signal.signal(signal.SIGTERM, _leave)  # else the directory would stay behind
    try:
        with tempfile.TemporaryDirectory(prefix="otel-sessions-kafka-") as directory:
            broker = Broker(Path(directory) / "broker")
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
