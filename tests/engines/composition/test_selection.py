"""Which Composition and revision a composite uses, and what it is told."""

import pytest

from roadbed.engines.composition import selection
from roadbed.engines.composition.selection import SelectionError

APP = {"apiVersion": "example.org/v1", "kind": "App", "metadata": {"name": "orders"}}
TYPE = {"apiVersion": "example.org/v1", "kind": "App"}


def composition(name, labels=None, type_ref=None):
    return {
        "metadata": {"name": name, "uid": name, "labels": labels or {}},
        "spec": {"compositeTypeRef": type_ref or TYPE},
    }


def revision(number, valid="True", labels=None, owner="a", type_ref=None):
    return {
        "metadata": {
            "name": f"{owner}-{number}",
            "labels": labels or {},
            "ownerReferences": [{"uid": owner, "controller": True}],
        },
        "spec": {"revision": number, "compositeTypeRef": type_ref or TYPE},
        "status": {"conditions": [{"type": "ValidPipeline", "status": valid, "message": "no such function"}]},
    }


def definition(**spec):
    return {"spec": spec}


def choose(own=None, candidates=(), **spec):
    return selection.composition(APP, own or {}, definition(**spec), candidates)


def test_the_reference_wins_over_the_default():
    assert choose({"compositionRef": {"name": "b"}}, defaultCompositionRef={"name": "d"}).name == "b"


def test_the_enforced_one_wins_over_all():
    choice = choose({"compositionRef": {"name": "b"}}, enforcedCompositionRef={"name": "e"})
    assert (choice.name, choice.note) == ("e", "Enforced composition has been selected")


def test_the_default_is_taken_without_reference_and_selector():
    assert choose(defaultCompositionRef={"name": "d"}).name == "d"
    selector = {"compositionSelector": {"matchLabels": {"x": "1"}}}
    assert choose(selector, [composition("a", {"x": "1"})], defaultCompositionRef={"name": "d"}).name == "a"


def test_among_several_the_first_by_name_is_taken_and_said():
    """Crossplane's choice is random: nobody could tell why two composites differ."""
    choice = choose(candidates=[composition("b"), composition("a"), composition("c")])
    assert choice.name == "a"
    assert choice.note.startswith("3 Compositions match (a, b, c); took a, the first by name.")


def test_compositions_of_other_kinds_do_not_count():
    other = composition("a", type_ref={"apiVersion": "example.org/v1", "kind": "Other"})
    with pytest.raises(SelectionError, match="no compatible Compositions found: create a Composition"):
        choose(candidates=[other])


def test_the_newest_revision_is_taken():
    found = selection.revision(APP, {}, composition("a"), [revision(1), revision(3), revision(2)])
    assert found["spec"]["revision"] == 3


def test_manual_updates_stay_on_the_revision():
    own = {"compositionUpdatePolicy": "Manual", "compositionRevisionRef": {"name": "a-1"}}
    assert selection.revision(APP, own, composition("a"), [revision(1), revision(2)])["spec"]["revision"] == 1


def test_a_manual_revision_that_is_gone_is_named():
    own = {"compositionUpdatePolicy": "Manual", "compositionRevisionRef": {"name": "a-9"}}
    with pytest.raises(SelectionError, match='cannot get CompositionRevision "a-9"'):
        selection.revision(APP, own, composition("a"), [revision(1)])


def test_a_revision_selector_narrows_automatic_updates():
    own = {
        "compositionUpdatePolicy": "Automatic",
        "compositionRevisionSelector": {"matchLabels": {"channel": "stable"}},
    }
    candidates = [revision(1, labels={"channel": "stable"}), revision(2)]
    assert selection.revision(APP, own, composition("a"), candidates)["spec"]["revision"] == 1


def test_an_invalid_pipeline_is_refused_with_its_reason():
    with pytest.raises(SelectionError, match="does not have a valid function pipeline: no such function"):
        selection.revision(APP, {}, composition("a"), [revision(1, valid="False")])


def test_a_revision_for_another_kind_is_refused():
    other = revision(1, type_ref={"apiVersion": "example.org/v1", "kind": "Other"})
    with pytest.raises(SelectionError, match=r"composes example\.org/v1 Other, this is example\.org/v1 App"):
        selection.revision(APP, {}, composition("a"), [other])


def test_a_composition_that_does_not_exist_is_named():
    with pytest.raises(SelectionError, match='cannot get Composition "zzz"'):
        selection.revision(APP, {"compositionRef": {"name": "zzz"}}, None, [])
