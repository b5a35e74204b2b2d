"""The API server alone, in a process of its own, for client programs that know nothing of it."""

import os
import shutil
from pathlib import Path

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.acceptance)
            item.add_marker(pytest.mark.timeout(120))


@pytest.fixture(scope="session")
def kubeconfig(tmp_path_factory, api_server):
    """The administrator's kubeconfig of a server that runs the core controllers."""
    with api_server(tmp_path_factory.mktemp("apiserver") / "kubeconfig") as path:
        yield path


@pytest.fixture(scope="session")
def go():
    """The Go command."""
    found = shutil.which("go")
    if found is None:
        if os.environ.get("ROADBED_NEEDS_GO") == "true":
            pytest.fail("go is missing, and ROADBED_NEEDS_GO says that it has to be here")
        pytest.skip("the programs are written in Go, and there is none here")
    return found
