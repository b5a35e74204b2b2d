"""What a run of the pipeline says about its composite."""

from roadbed.apimachinery.gvk import Resource as Kind
from roadbed.engines.composition import verdicts
from roadbed.engines.composition.compose import Composed
from roadbed.engines.composition.functions.protocol import (
    Condition,
    Ready,
    Resource,
    Result,
    Severity,
    State,
)
from roadbed.engines.composition.pipeline import Outcome, Said

CONFIGMAPS = Kind("", "v1", "configmaps", "ConfigMap")


def outcome(ready=Ready.UNSPECIFIED, **members):
    return Outcome(State(Resource({}, ready=ready)), **members)


def composed(*names, is_ready=False):
    return [Composed(name, CONFIGMAPS, {}, is_ready, 0) for name in names]


def verdict(run, resources, refused=None):
    synced, ready = verdicts.verdict(run, resources, refused or {})
    return (synced.status, ready.status, ready.message or synced.message)


def test_it_is_ready_when_all_it_is_composed_of_is():
    assert verdict(outcome(), composed("a", is_ready=True)) == ("True", "True", "")
    assert verdict(outcome(), composed("b", "a")) == ("True", "False", "Unready resources: a, b")


def test_long_lists_are_counted():
    message = verdict(outcome(), composed("a", "b", "c", "d", "e"))[2]
    assert message == "Unready resources: a, b, c, and 2 more"
    assert verdict(outcome(), composed("a", "b", "c"))[2] == "Unready resources: a, b, and c"


def test_what_the_pipeline_says_of_the_composite_goes_first():
    assert verdict(outcome(Ready.TRUE), composed("a"))[1] == "True"
    assert verdict(outcome(Ready.FALSE), composed("a", is_ready=True))[1] == "False"


def test_a_refused_resource_makes_it_unsynced_with_the_reason():
    synced, _ = verdicts.verdict(outcome(), composed("a"), {"a": "cannot apply: no"})
    assert (synced.status, synced.reason) == ("False", "ReconcileError")
    assert synced.message == "Unsynced resources: a: cannot apply: no"


def test_functions_set_conditions_but_not_those_of_the_system():
    run = outcome(conditions=[Condition("Fast", "True", "Yes", "very"), Condition("Ready", "True", "Lie")])
    (condition,) = verdicts.custom(run)
    assert (condition.type, condition.status, condition.message) == ("Fast", "True", "very")


def test_conditions_that_a_failed_run_could_not_speak_of_become_unknown():
    known = [
        {"type": "Fast", "status": "True"},
        {"type": "Seen", "status": "True"},
        {"type": "Ready", "status": "True"},
    ]
    run = outcome(conditions=[Condition("Seen", "True", "Yes")])
    (condition,) = verdicts.unseen({"status": {"conditions": known}}, run)
    assert (condition.type, condition.status, condition.reason) == ("Fast", "Unknown", "FatalError")


def test_results_become_events_that_name_their_step():
    said = [
        Said("one", Result(Severity.NORMAL, "fine")),
        Said("two", Result(Severity.WARNING, "hm", reason="Odd")),
        Said("three", Result(Severity.UNSPECIFIED, "what")),
    ]
    assert verdicts.notes(outcome(said=said)) == [
        ("Normal", "ComposeResources", 'Pipeline step "one": fine'),
        ("Warning", "Odd", 'Pipeline step "two": hm'),
        (
            "Warning",
            "ComposeResources",
            'Pipeline step "three" returned a result of unknown severity (assuming warning): what',
        ),
    ]
