"""Builds the Go programs of this folder and runs them: client-go against our server, the operator's suite on envtest.

Building takes minutes the first time and seconds afterwards; Go keeps what it built. ``ROADBED_GO_TESTS`` names a folder
that holds the programs built already (``clients.test``, ``operator.test``).
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
BUILD_S = 900

pytestmark = [pytest.mark.timeout(BUILD_S), pytest.mark.slow]


@pytest.fixture(scope="module")
def programs(request, tmp_path_factory):
    """The folder with the built programs."""
    given = os.environ.get("ROADBED_GO_TESTS")
    if given:
        return Path(given)
    go = request.getfixturevalue("go")
    folder = tmp_path_factory.mktemp("go-tests")
    for name, package in (("clients", "."), ("operator", "./operator")):
        done = subprocess.run(
            [go, "test", "-c", "-o", str(folder / f"{name}.test"), package],
            cwd=HERE,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    return folder


def run(program, folder, **environment):
    """Run a test program to its end; gives what it said."""
    done = subprocess.run(
        [str(program), "-test.v"],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-6000:]}\n{done.stderr[-2000:]}"
    return done.stdout


def test_client_go_and_the_definitions_clientset(programs, kubeconfig):
    said = run(programs / "clients.test", HERE, KUBECONFIG=str(kubeconfig))
    assert said.count("--- PASS") == 12


def test_a_third_partys_operator_suite_starts_us_by_envtest(programs, tmp_path):
    subprocess.run([sys.executable, "-m", "roadbed", "envtest-assets", str(tmp_path)], check=True)
    said = run(programs / "operator.test", HERE / "operator", KUBEBUILDER_ASSETS=str(tmp_path))
    assert said.count("--- PASS") == 5
