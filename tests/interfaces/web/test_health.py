"""Whether an object is well: read from its conditions, in words, never guessed."""

import pytest

from roadbed.interfaces.web.health import health_of, worst


def obj(*conditions, **meta):
    written = []
    for text in conditions:
        kind, status, reason, message = [*text.split(" ", 3), "", ""][:4]
        written.append({"type": kind, "status": status, "reason": reason, "message": message})
    return {"metadata": meta, "status": {"conditions": written} if written else {}}


@pytest.mark.parametrize(
    ("conditions", "state", "sentence"),
    [
        (["Synced True ReconcileSuccess", "Ready True Available"], "healthy", "Ready."),
        (["Synced True ReconcileSuccess", "Ready False Creating"], "progressing", "Being created."),
        (
            ["Synced True ReconcileSuccess", "Ready False Unavailable the disk is full"],
            "degraded",
            "the disk is full",
        ),
        (
            ["Synced False ReconcileError no credentials", "Ready True Available"],
            "degraded",
            "no credentials",
        ),
        (["Synced False ReconcilePaused", "Ready True Available"], "suspended", "Paused"),
        (["Synced True ReconcileSuccess"], "progressing", "not ready yet"),
        (["Ready Unknown Waiting"], "progressing", "Waiting"),
        (["Established True WatchingCompositeResource", "Offered True x"], "healthy", "Established"),
        (["Established False Terminating going away"], "degraded", "going away"),
        (["Installed True x", "Healthy True x"], "healthy", "healthy"),
        (["Installed True x", "Healthy False UnhealthyPackage no such image"], "degraded", "no such image"),
        (["Responsive False WatchCircuitOpen", "Ready True Available"], "degraded", "Responsive"),
        (["NamesAccepted True x", "Established True x"], "healthy", "Established"),
        (["Progressing False Stuck by something"], "progressing", "by something"),
    ],
)
def test_conditions_are_read_as_their_writers_mean_them(conditions, state, sentence):
    found = health_of(obj(*conditions))
    assert (found.state, sentence in found.sentence) == (state, True), found


def test_a_reference_that_is_not_ready_yet_is_waiting_not_failure():
    text = "Synced False ReconcileError cannot resolve references: x: referenced field was empty (referenced resource may not yet be ready)"
    found = health_of(obj(text, "Ready False Creating"))
    assert found.state == "progressing"
    assert found.sentence.startswith("Waiting for what it refers to")


def test_the_pause_annotation_counts_before_its_condition_does():
    found = health_of(obj("Synced True ReconcileSuccess", annotations={"crossplane.io/paused": "true"}))
    assert found.state == "suspended"


def test_leaving_says_what_holds_it_and_what_is_stuck():
    leaving = {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["a/b"]}
    found = health_of(obj("Ready True Available", **leaving))
    assert (found.state, "waiting for a/b" in found.sentence) == ("progressing", True)
    stuck = health_of(obj("Synced False ReconcileError the bucket is not empty", **leaving))
    assert (stuck.state, stuck.sentence) == ("degraded", "Deletion is stuck: the bucket is not empty")


def test_what_has_no_conditions_is_in_place_unless_a_controller_should_have_written_some():
    assert health_of({}, is_reconciled=False).state == "healthy"
    assert health_of({}, is_reconciled=True).state == "progressing"
    assert health_of({"status": {"phase": "Active"}}).state == "healthy"
    assert health_of({"status": {"phase": "Terminating"}}).state == "progressing"


@pytest.mark.parametrize("status", [None, [], "text", {"conditions": "x"}, {"conditions": ["x", None]}])
def test_a_status_of_any_shape_breaks_nothing(status):
    assert health_of({"status": status}).state in ("healthy", "progressing")


def test_the_worst_is_what_a_reader_sees_first():
    several = [health_of(obj("Ready True Available")), health_of(obj("Synced False ReconcileError x"))]
    assert worst(several).state == "degraded"
    assert worst([]) is None
