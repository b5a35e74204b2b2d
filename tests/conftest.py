"""What tests of every room share: how properties run, and an API server in a process of its own."""

import subprocess
import sys
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, settings

# Properties are bounded by examples, never by a clock that other work slows down.
settings.register_profile("roadbed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("roadbed")

STOP_TIMEOUT_S = 20


@contextmanager
def _api_server(path):
    command = [sys.executable, "-m", "roadbed", "apiserver", "--secure-port=0", "--controllers"]
    process = subprocess.Popen(
        [*command, f"--write-kubeconfig={path}"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    with process.stdout as output:
        try:
            said = output.readline()
            assert "is ready at https://" in said, said + output.read()
            yield path
        except BaseException:
            process.kill()
            process.wait()
            raise
        process.terminate()
        assert process.wait(STOP_TIMEOUT_S) == 0, output.read()


@pytest.fixture(scope="session")
def api_server():
    """Run `roadbed apiserver` with controllers while a block runs; the path is where its kubeconfig is written."""
    return _api_server
