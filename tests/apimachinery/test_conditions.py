"""Conditions keep the time of their last change; times and ages read as kubectl prints them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from roadbed.apimachinery.conditions import (
    Condition,
    find_condition,
    is_true,
    with_conditions,
    without_condition,
)
from roadbed.apimachinery.timestamps import (
    format_micro_time,
    format_time,
    human_duration,
    is_timestamp,
    parse_time,
)

EARLY = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
LATE = EARLY + timedelta(hours=1)


def test_the_transition_time_changes_only_with_the_status():
    first = with_conditions([], [Condition("Ready", "False", "Creating")], EARLY)
    same = with_conditions(first, [Condition("Ready", "False", "Waiting", "for disks", 2)], LATE)
    assert same == [
        {
            "type": "Ready",
            "status": "False",
            "reason": "Waiting",
            "message": "for disks",
            "lastTransitionTime": "2024-05-06T07:08:09Z",
            "observedGeneration": 2,
        }
    ]
    done = with_conditions(same, [Condition("Ready", "True", "Available")], LATE)
    assert done[0]["lastTransitionTime"] == "2024-05-06T08:08:09Z"
    assert "message" not in done[0]


def test_other_conditions_and_their_order_stay():
    present = [{"type": "A", "status": "True"}, {"type": "B", "status": "True"}]
    changed = with_conditions(present, [Condition("B", "False", "R"), Condition("C", "True", "R")], EARLY)
    assert [each["type"] for each in changed] == ["A", "B", "C"]
    assert changed[0] == present[0]
    assert present[1]["status"] == "True"
    assert [each["type"] for each in without_condition(changed, "B")] == ["A", "C"]


def test_conditions_are_found_on_objects():
    obj = {
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }
    assert is_true(obj, "Ready")
    assert find_condition(obj, "Synced") is None
    assert not is_true({}, "Ready")


def test_times_are_written_in_utc():
    moment = datetime(2024, 5, 6, 9, 8, 9, 123456, tzinfo=timezone(timedelta(hours=2)))
    assert format_time(moment) == "2024-05-06T07:08:09Z"
    assert format_micro_time(moment) == "2024-05-06T07:08:09.123456Z"
    assert parse_time("2024-05-06T09:08:09.1234567+02:00") == moment
    assert parse_time(format_micro_time(moment)) == moment


@pytest.mark.parametrize("text", ["2024-05-06", "2024-05-06T07:08:09", "2024-13-06T07:08:09Z", "now", ""])
def test_other_texts_are_no_times(text):
    assert not is_timestamp(text)
    with pytest.raises(ValueError):
        parse_time(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-10, "<invalid>"),
        (-1, "0s"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (192, "3m12s"),
        (600, "10m"),
        (3600 * 3 - 1, "179m"),
        (3600 * 3, "3h"),
        (3600 * 3 + 60, "3h1m"),
        (3600 * 47, "47h"),
        (3600 * 53, "2d5h"),
        (3600 * 24 * 8, "8d"),
        (3600 * 24 * 365 * 2, "2y"),
        (3600 * 24 * (365 * 3 + 120), "3y120d"),
        (3600 * 24 * 365 * 9, "9y"),
    ],
)
def test_ages_read_as_kubectl_prints_them(seconds, text):
    assert human_duration(seconds) == text
