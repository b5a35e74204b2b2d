"""What is said when the system has no file descriptors left, and that as many are taken as there may be."""

from __future__ import annotations

import logging
import os
import resource
import subprocess
import sys

import pytest

from roadbed.apiserver.descriptors import Scarcity


def test_no_descriptors_left_is_said_once_and_so_is_their_return(
    caplog: pytest.LogCaptureFixture,
) -> None:
    scarcity = Scarcity()
    caplog.set_level(logging.INFO, "roadbed.apiserver.descriptors")
    most = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.open(os.devnull, os.O_RDONLY)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, most[1]))
    try:
        scarcity.look(7)
        scarcity.look(7)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, most)
    assert [(each.levelname, each.connections) for each in caplog.records] == [("WARNING", 7)]  # type: ignore[attr-defined]
    assert "ulimit -n" in caplog.text
    scarcity.look(3)
    scarcity.look(3)
    assert [each.levelname for each in caplog.records] == ["WARNING", "INFO"]


@pytest.mark.acceptance
@pytest.mark.timeout(40)
def test_the_limit_is_raised_to_what_may_be_had() -> None:
    program = (
        "import resource; from roadbed.apiserver.descriptors import raise_limit; kind = resource.RLIMIT_NOFILE;"
        "hard = resource.getrlimit(kind)[1]; resource.setrlimit(kind, (100, hard)); raise_limit();"
        "assert resource.getrlimit(kind) == (hard, hard)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)
