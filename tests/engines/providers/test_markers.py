"""The annotations a managed object is steered by."""

from datetime import UTC, datetime, timedelta

import pytest

from roadbed.controller import Request
from roadbed.engines.providers import markers
from roadbed.engines.providers.pacing import Pacing

NOW = datetime(2030, 5, 1, 12, 0, 0, 250, tzinfo=UTC)


def annotated(**named):
    return {
        "metadata": {"annotations": {f"crossplane.io/{k.replace('_', '-')}": v for k, v in named.items()}}
    }


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("1h30m", 5400),
        ("1.5m", 90),
        ("250ms", 0.25),
        ("", None),
        ("30", None),
        ("5d", None),
        ("1m x", None),
    ],
)
def test_durations_are_read_as_go_writes_them(text, seconds):
    assert markers.duration_s(text) == seconds


def test_a_creation_is_pending_until_it_succeeded_or_failed_later():
    earlier, later = markers.stamp(NOW), markers.stamp(NOW + timedelta(microseconds=1))
    assert markers.pending_since(annotated(external_create_pending=earlier)) == NOW
    assert (
        markers.pending_since(annotated(external_create_pending=earlier, external_create_failed=later))
        is None
    )
    assert (
        markers.pending_since(annotated(external_create_pending=earlier, external_create_succeeded=later))
        is None
    )
    again = annotated(external_create_pending=later, external_create_failed=earlier)
    assert markers.pending_since(again) == NOW + timedelta(microseconds=1)


def test_the_whole_seconds_that_crossplane_writes_are_read_too():
    obj = annotated(external_create_pending="2030-05-01T12:00:00Z")
    assert markers.pending_since(obj) == NOW.replace(microsecond=0)


def test_an_unreadable_time_counts_as_never():
    assert markers.pending_since(annotated(external_create_pending="yesterday")) is None


def test_the_poll_interval_is_the_objects_own_within_a_bound():
    pacing = Pacing(rand=lambda: 0.5)
    request = Request("a", "b")
    assert pacing.steady_s(request, annotated()) == 60
    assert pacing.steady_s(request, annotated(poll_interval="5s")) == 5
    assert pacing.steady_s(request, annotated(poll_interval="1ms")) == 1
    assert pacing.steady_s(request, annotated(poll_interval="often")) == 60


def test_polls_of_many_objects_spread_out():
    pacing = Pacing()
    delays = {pacing.steady_s(Request("a", str(n)), annotated()) for n in range(50)}
    assert min(delays) >= 54
    assert max(delays) <= 66
    assert len(delays) > 10


def test_failures_are_retried_ever_more_slowly_and_forgotten_on_success():
    pacing = Pacing(rand=lambda: 0.5)
    request = Request("a", "b")
    assert [pacing.retry_s(request) for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    pacing.steady_s(request, annotated())
    assert pacing.retry_s(request) == 1


def test_the_clouds_own_wish_is_a_lower_bound():
    assert Pacing(rand=lambda: 0.5).retry_s(Request("a", "b"), at_least_s=30) == 30
