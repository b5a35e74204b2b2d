"""A short run of every fuzz target; ``python -m tests.fuzz`` is the long one."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.fuzz.mutation import mutations
from tests.fuzz.server import fuzz
from tests.fuzz.targets import TARGETS

pytestmark = [pytest.mark.timeout(120), pytest.mark.acceptance]


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_a_target_refuses_what_it_cannot_read_as_a_client_is_told(name):
    for content in itertools.islice(mutations(TARGETS[name].seeds, 7), 300):
        TARGETS[name](content)


async def test_no_request_makes_a_500(request):
    assert await fuzz(1_000, seed=7) > 50


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(TARGETS))
def test_a_target_stands_a_longer_run(name):
    for content in itertools.islice(mutations(TARGETS[name].seeds, 8), 4_000):
        TARGETS[name](content)


@pytest.mark.slow
async def test_no_request_of_many_makes_a_500():
    assert await fuzz(10_000, seed=8) > 500
