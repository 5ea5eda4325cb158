"""A process with the chart's own configuration starts, answers as `helm test` expects, and stops."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from deploy.helm.chart import CHART
from tests.integration.process import Running, call
from tests.kubernetes.objects import Workload, workloads

(ALL_IN_ONE,) = [item for item in workloads("StatefulSet") if item.rendering == "all-in-one"]


def asked(export: str, sessions: str) -> subprocess.CompletedProcess[str]:
    """What the test pod runs, and says."""
    program = (CHART / "files" / "answers.py").read_text()
    return subprocess.run(
        [sys.executable, "-c", program, export, sessions], capture_output=True, text=True, check=False
    )


def on_free_ports(workload: Workload) -> str:
    """Its configuration, on loopback and with its store where tests may write."""
    text = re.sub(r"0\.0\.0\.0:\d+", "127.0.0.1:0", workload.config_text)
    return text.replace("/var/lib/otel-sessions/store", "${env:TEST_DATA}")


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One process for all of them."""
    with Running(tmp_path_factory.mktemp("pod"), on_free_ports(ALL_IN_ONE)) as running:
        yield running


def test_a_release_that_runs_answers(process: Running) -> None:
    """An export, and a question."""
    done = asked(f"{process.url('http')}/v1/traces", f"{process.url('sessions_api')}/v1/sessions?limit=1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(": 200") == 2


def test_a_pod_that_runs_passes_its_probes(process: Running) -> None:
    """Each has its path on the health extension's port."""
    for probe in ("startup", "liveness", "readiness"):
        path = ALL_IN_ONE.container[f"{probe}Probe"]["httpGet"]["path"]
        assert httpx.get(f"{process.url('health_check')}{path}").status_code == 200


def test_the_job_creates_what_others_check(tmp_path: Path) -> None:
    """With its own file; the embedded store stands for a server."""
    (job,) = [item for item in workloads("Job") if item.rendering == "distributed"]
    file = tmp_path / "config.yaml"
    file.write_text(job.config_text)
    store = {"CLICKHOUSE_URL": f"chdb://{tmp_path / 'store'}"}
    command = [argument.replace("/conf/config.yaml", str(file)) for argument in job.container["args"]]
    created, checked = call(*command, **store), call("schema", "check", "--config", str(file), **store)
    assert created.returncode == 0, created.stderr
    assert checked.returncode == 0, checked.stderr


def test_silence_and_errors_are_no_answers(process: Running) -> None:
    """The test fails and says which URL."""
    sessions = f"{process.url('sessions_api')}/v1/sessions?limit=1"
    for export, said in (("http://127.0.0.1:1/v1/traces", "refused"), (f"{process.url('http')}/v1/nothing", "404")):
        done = asked(export, sessions)
        assert done.returncode == 1
        assert said in done.stdout
        assert export in done.stdout


def test_it_stops_in_order(process: Running) -> None:
    """On the signal that the image names."""
    code, said = process.stop()
    assert code == 0
    assert said[-1]["event"] == "stopped"
