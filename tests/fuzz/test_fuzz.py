"""A short run of every fuzz target; ``python -m tests.fuzz`` is the long one."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.fuzz.catalogue import ALL, SLOW, feed
from tests.fuzz.server import fuzz
from tests.fuzz.steps import tell

pytestmark = [pytest.mark.timeout(120), pytest.mark.acceptance]


@pytest.mark.parametrize("name", sorted(ALL))
def test_a_target_refuses_what_it_cannot_read_as_a_client_is_told(name):
    for content in itertools.islice(feed(name, 7), 60 if name in SLOW else 300):
        ALL[name](content)


async def test_no_request_makes_a_500(request):
    assert await fuzz(1_000, seed=7) > 50


async def test_a_story_of_requests_that_get_through_holds_to_its_end():
    """Beside "never a 500": what a write answers is read, an apply twice is once, pages are the list."""
    story = await tell(400, seed=7)
    written = sum(
        count for said, count in story.counts.items() if said in ("POST 201", "PATCH 200", "PUT 200")
    )
    assert written > 30


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(ALL))
def test_a_target_stands_a_longer_run(name):
    for content in itertools.islice(feed(name, 8), 300 if name in SLOW else 4_000):
        ALL[name](content)


@pytest.mark.slow
async def test_no_request_of_many_makes_a_500():
    assert await fuzz(10_000, seed=8) > 500


@pytest.mark.slow
async def test_longer_stories_hold_to_their_end():
    await tell(4_000, seed=8)
