"""Whose turn it is: echoes are not news, and nothing else is ever missed."""

from roadbed.apimachinery.gvk import Resource
from roadbed.controller import Request
from roadbed.engines.composition.functions.protocol import ResourceSelector
from roadbed.engines.composition.tracking import BURST, Bucket, Tracker

APPS = Resource("example.org", "v1", "apps", "App")
ORDERS = Request("shop", "orders")


def app(revision="1"):
    meta = {"namespace": "shop", "name": "orders", "uid": "app", "resourceVersion": revision}
    return {"kind": "App", "metadata": meta}


def settings(revision="1", owner="orders", kind="App", group="example.org"):
    reference = {"apiVersion": f"{group}/v1", "kind": kind, "name": owner, "uid": "app", "controller": True}
    meta = {"namespace": "shop", "name": "s", "uid": "s", "resourceVersion": revision}
    return {"kind": "ConfigMap", "metadata": {**meta, "ownerReferences": [reference]}}


def test_an_echo_of_our_own_write_is_not_news():
    tracker = Tracker(APPS)
    tracker.begin(ORDERS).wrote(settings("7"))
    assert tracker.finish(ORDERS) is False
    assert tracker.composed_news(settings("6"), settings("7")) is False
    assert tracker.composed_news(settings("7"), settings("8")) is True


def test_an_echo_that_comes_before_its_answer_is_not_news():
    tracker = Tracker(APPS)
    state = tracker.begin(ORDERS)
    assert tracker.composite_news(app("1"), app("2")) is False
    state.wrote(app("2"))
    assert tracker.finish(ORDERS) is False


def test_a_strangers_write_between_two_of_ours_is_news():
    """The reconcile that was running had read the composite before it."""
    tracker = Tracker(APPS)
    state = tracker.begin(ORDERS)
    for revision in ("2", "3", "4"):
        assert tracker.composite_news(app("1"), app(revision)) is False
    state.wrote(app("2"))
    state.wrote(app("4"))
    assert tracker.finish(ORDERS) is True


def test_a_deletion_is_always_news():
    tracker = Tracker(APPS)
    state = tracker.begin(ORDERS)
    state.wrote(settings("7"))
    assert tracker.composed_news(settings("7"), None) is False
    assert tracker.finish(ORDERS) is True
    assert tracker.composed_news(settings("7"), None) is True


def test_only_objects_that_this_kind_controls_are_mapped():
    tracker = Tracker(APPS)
    assert list(tracker.composed_requests(settings())) == [ORDERS]
    assert list(tracker.composed_requests(settings(kind="Other"))) == []
    assert list(tracker.composed_requests(settings(group="example.com"))) == []


def test_what_functions_require_wakes_those_who_require_it():
    tracker = Tracker(APPS)
    configs = Resource("", "v1", "configmaps", "ConfigMap")
    selector = ResourceSelector("v1", "ConfigMap", match_labels={"a": "b"})
    tracker.begin(ORDERS)
    assert tracker.require(ORDERS, ((configs, selector),)) == [configs]
    labelled = {"metadata": {"name": "x", "labels": {"a": "b"}}}
    assert list(tracker.required_requests(configs, labelled)) == [ORDERS]
    assert list(tracker.required_requests(configs, {"metadata": {"name": "x"}})) == []
    tracker.forget(ORDERS)
    assert list(tracker.required_requests(configs, labelled)) == []


def test_looks_are_spaced_after_a_burst_and_never_refused_for_good():
    bucket = Bucket()
    waits = [bucket.take(1.0) for _ in range(int(BURST) + 1)]
    assert waits[:-1] == [0.0] * int(BURST)
    assert waits[-1] == 1.0
    assert bucket.is_open
    assert bucket.take(2.0) == 0.0
    assert bucket.is_open
    assert bucket.take(20.0) == 0.0
    assert not bucket.is_open


def test_the_most_frequent_cause_is_named():
    tracker = Tracker(APPS)
    state = tracker.state(ORDERS)
    for revision in range(3):
        tracker.composed_news(None, settings(str(revision)))
    tracker.composite_news(None, app())
    assert state.trigger() == "ConfigMap/s (shop)"


def test_a_new_revision_wakes_those_who_use_its_composition_or_none_yet():
    tracker = Tracker(APPS)
    requests = {name: Request("shop", name) for name in ("user", "other", "undecided", "pinned")}
    tracker.state(requests["user"]).composition = "a"
    tracker.state(requests["other"]).composition = "b"
    tracker.state(requests["undecided"])
    pinned = tracker.state(requests["pinned"])
    pinned.composition, pinned.pinned = "a", "a-1"
    assert {request.name for request in tracker.users_of("a", "a-2")} == {"user", "undecided"}
    assert {request.name for request in tracker.users_of("a", "a-1")} == {"user", "undecided", "pinned"}
