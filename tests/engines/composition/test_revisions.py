"""Revisions follow what a Composition holds."""

from roadbed.engines.composition.revisions import composition_hash, latest, plan


def composition(number=1, **metadata):
    return {
        "apiVersion": "apiextensions.crossplane.io/v1",
        "kind": "Composition",
        "metadata": {"name": "app", "uid": "u-1", "labels": {"tier": "gold"}, **metadata},
        "spec": {"pipeline": [{"step": f"s{number}"}]},
    }


def first(number=1):
    return plan(composition(number), []).create


def test_the_first_revision_is_named_by_its_hash_and_labelled():
    digest = composition_hash(composition())
    made = first()
    assert made["metadata"]["name"] == f"app-{digest[:7]}"
    assert made["metadata"]["labels"] == {
        "tier": "gold",
        "crossplane.io/composition-name": "app",
        "crossplane.io/composition-hash": digest[:63],
    }
    assert made["spec"] == {"pipeline": [{"step": "s1"}], "revision": 1}
    assert made["metadata"]["ownerReferences"][0]["controller"] is True


def test_an_unchanged_composition_needs_nothing():
    found = plan(composition(), [first()])
    assert found.create is None
    assert found.update == ()


def test_a_change_makes_the_next_revision():
    assert plan(composition(2), [first()]).create["spec"]["revision"] == 2


def test_going_back_renumbers_the_old_revision():
    old, new = first(1), plan(composition(2), [first(1)]).create
    found = plan(composition(1), [old, new])
    assert found.create is None
    (update,) = found.update
    assert update["metadata"]["name"] == old["metadata"]["name"]
    assert update["spec"]["revision"] == 3


def test_a_revision_that_lost_its_owner_is_adopted():
    orphan = first()
    del orphan["metadata"]["ownerReferences"]
    (update,) = plan(composition(), [orphan]).update
    assert update["metadata"]["ownerReferences"][0]["uid"] == "u-1"


def test_the_latest_is_the_greatest_number_that_the_composition_controls():
    stranger = first()
    stranger["metadata"]["ownerReferences"][0]["uid"] = "someone"
    stranger["spec"]["revision"] = 9
    assert latest(composition(), [first(), stranger])["spec"]["revision"] == 1
    assert latest(composition(), [stranger]) is None


def test_what_kubectl_writes_down_for_itself_makes_no_revision():
    noisy = composition(annotations={"kubectl.kubernetes.io/last-applied-configuration": "{}"})
    assert composition_hash(noisy) == composition_hash(composition())
    assert composition_hash(composition(annotations={"a": "b"})) != composition_hash(composition())
