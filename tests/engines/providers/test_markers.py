"""The annotations a managed object is steered by."""

from datetime import UTC, datetime, timedelta

import pytest

from roadbed.apimachinery.timestamps import format_micro_time
from roadbed.controller import Request
from roadbed.engines.providers import markers
from roadbed.engines.providers.pacing import Pacing
from roadbed.engines.providers.plugin import helps, matters
from roadbed.engines.providers.waiting import Waiting

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
    earlier, later = format_micro_time(NOW), format_micro_time(NOW + timedelta(microseconds=1))
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


def managed(*, generation=1, finalizers=(), name="", seen="", synced="True", labels=None):
    return {
        "metadata": {
            "generation": generation,
            "finalizers": list(finalizers),
            "labels": labels or {},
            "annotations": {"crossplane.io/external-name": name} if name else {},
        },
        "status": {
            "atProvider": {"id": seen} if seen else {},
            "conditions": [{"type": "Synced", "status": synced}],
        },
    }


def test_a_change_of_status_is_no_reason_to_look_at_the_object_itself():
    assert not matters(managed(), managed(synced="False", seen="vpc-1"))
    assert matters(managed(), managed(generation=2))
    assert matters(managed(finalizers=["a"]), managed())
    assert matters(managed(), managed(name="vpc-1"))
    assert matters(None, managed())


def test_who_waits_is_woken_by_what_can_be_referred_to():
    assert not helps(managed(), managed(synced="False", generation=2, finalizers=["a"]))
    assert helps(managed(), managed(name="vpc-1"))
    assert helps(managed(), managed(seen="vpc-1"))
    assert helps(managed(), managed(labels={"a": "b"}))
    assert helps(managed(), None)


def test_waking_takes_everybody_who_waits_and_nobody_else():
    waiting = Waiting()
    vpc, subnet = ("ec2", "VPC"), ("ec2", "Subnet")
    waiting.add([vpc, subnet], Request("a", "one"))
    waiting.add([vpc], Request("a", "two"))
    waiting.discard([vpc], Request("a", "two"))
    assert waiting.take(vpc) == {Request("a", "one")}
    assert waiting.take(vpc) == set()
    assert waiting.take(subnet) == {Request("a", "one")}
