"""`python -m deploy.image`: carry out the Dockerfile without Docker, then run what it made as Kubernetes would.

That is: as its user, without capabilities, on a read-only root, with the chart's configuration, a volume and a /tmp. A
span goes in and its session comes out; SIGTERM ends it in order. The base image is this machine's own system instead,
so what the base lacks is not found here. Needs root on Linux; nothing outside of a mount namespace changes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any, Final

import yaml

from deploy.image.building import Root, build, mount
from deploy.image.dockerfile import DOCKERFILE, ROOT, stages

_INSIDE: Final = "--inside"
_TIMEOUT_S: Final = 180
_RENDERED: Final = ROOT / "tests" / "kubernetes" / "rendered" / "all-in-one.yaml"
_ANSWERS: Final = ROOT / "deploy" / "helm" / "otel-sessions" / "files" / "answers.py"
_SPAN: Final = {
    "traceId": "0af7651916cd43dd8448eb211c80319c",
    "spanId": "b7ad6b7169203331",
    "name": "chat",
    "startTimeUnixNano": str(time.time_ns()),
    "endTimeUnixNano": str(time.time_ns() + 1_000_000),
    "attributes": [{"key": "session.id", "value": {"stringValue": "image-check"}}],
}


def main() -> int:
    """Exit status: 0 when everything held; otherwise what did not is on stderr."""
    if len(sys.argv) == 3 and sys.argv[1] == _INSIDE:
        mount("-t", "tmpfs", "tmpfs", sys.argv[2])  # an overlay can't be upon another, as a container's /tmp is
        check(build(Path(sys.argv[2]), stages(DOCKERFILE.read_text())))
        print("image: built, and runs restricted on a read-only root")
        return 0
    if os.geteuid() != 0:
        print("image: needs root: overlays are mounted, in a namespace of their own", file=sys.stderr)
        return 1
    mounted = tempfile.mkdtemp(prefix="otel-sessions-image-")
    try:
        command = [
            "unshare",
            "--mount",
            "--propagation",
            "private",
            sys.executable,
            "-m",
            "deploy.image",
            _INSIDE,
            mounted,
        ]
        return subprocess.run(command, check=False, cwd=ROOT).returncode  # noqa: S603 (our own command)
    finally:
        # Its mounts ended with the namespace. Never remove a tree here: /dev and /proc are bound into it.
        os.rmdir(mounted)


def check(root: Root) -> None:
    """Errors: `AssertionError`, `CalledProcessError`."""
    volume, tmp, conf = (root.path / name for name in ("var/lib/otel-sessions", "tmp", "conf"))
    conf.mkdir()
    (conf / "config.yaml").write_text(_config())
    mount("-o", "remount,ro", str(root.path))
    mount("-t", "tmpfs", "-o", "uid=10001,gid=10001,mode=0750", "tmpfs", str(volume))
    mount("-t", "tmpfs", "-o", "mode=1777", "tmpfs", str(tmp))
    print(_output(root, "/opt/otel-sessions/bin/otel-sessions", "--version").strip())
    assert not (root.path / "opt/otel-sessions/bin/pip").exists(), "the image has an installer"
    refused = subprocess.run(root.command("touch", "/etc/x"), capture_output=True, check=False, env=root.environment)  # noqa: S603
    assert b"Read-only file system" in refused.stderr, refused.stderr
    assert _output(root, "id", "-u").strip() == "10001"
    _run(root)


def _run(root: Root) -> None:
    command = root.command("/opt/otel-sessions/bin/otel-sessions", "run", "--config", "/conf/config.yaml")
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=root.environment)  # noqa: S603
    assert process.stderr is not None
    try:
        ports: dict[str, Any] = {}
        for line in process.stderr:
            print(line, end="", flush=True)
            # The engine writes lines of its own, about the machine.
            if line.startswith("{") and (entry := json.loads(line))["event"] == "started":
                ports = entry
                break
        assert ports, f"it ended with {process.wait(_TIMEOUT_S)}"
        _get(f"http://127.0.0.1:{ports['health_check_port']}/ready")
        export, api = (
            f"http://127.0.0.1:{ports['http_port']}/v1/traces",
            f"http://127.0.0.1:{ports['sessions_api_port']}",
        )
        body = {"resourceSpans": [{"scopeSpans": [{"spans": [_SPAN]}]}]}
        _get(export, json.dumps(body).encode())
        deadline_s = time.monotonic() + _TIMEOUT_S
        while b'"image-check"' not in _get(f"{api}/v1/sessions?limit=1"):
            assert time.monotonic() < deadline_s, "the span's session never came"
            time.sleep(0.1)
        answers = [sys.executable, str(_ANSWERS), export, f"{api}/v1/sessions?limit=1"]
        subprocess.run(answers, check=True)  # noqa: S603 (what helm test runs)
        process.terminate()
        rest = process.stderr.read()
        assert process.wait(_TIMEOUT_S) == 0, rest
        assert '"stopped"' in rest, rest
    finally:
        process.kill()
        process.wait()


def _config() -> str:
    """The chart's, on free ports of loopback."""
    (found,) = [item for item in yaml.safe_load_all(_RENDERED.read_text()) if item and item["kind"] == "ConfigMap"]
    text: str = found["data"]["config.yaml"]
    for port in (4317, 4318, 3000, 8123, 8888, 13133):
        assert f"0.0.0.0:{port}" in text
        text = text.replace(f"0.0.0.0:{port}", "127.0.0.1:0")
    return text


def _output(root: Root, *arguments: str) -> str:
    command = root.command(*arguments)
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=root.environment).stdout  # noqa: S603


def _get(url: str, body: bytes | None = None) -> bytes:
    request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json"})  # noqa: S310 (loopback)
    with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310 (loopback)
        answer: bytes = response.read()
        return answer


if __name__ == "__main__":
    sys.exit(main())
