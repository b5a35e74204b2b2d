"""The managed reconciler, step by step, on a real control plane and a cloud in memory."""

import asyncio

import pytest

from roadbed.apis.aws import SUBNET, VPC
from roadbed.apis.core import SECRETS
from roadbed.engines.providers import external
from roadbed.engines.providers.managed import FINALIZER, INCOMPLETE
from roadbed.engines.providers.plugin import matters

pytestmark = pytest.mark.asyncio(loop_scope="session")

CIDR = {"forProvider": {"cidrBlock": "10.0.0.0/16"}}


async def test_a_new_object_gets_an_external_resource_and_becomes_ready(lab):
    await lab.create("new", spec=CIDR)
    await lab.look("new")
    obj = await lab.get("new")
    assert obj["metadata"]["finalizers"] == [FINALIZER]
    assert obj["metadata"]["annotations"]["crossplane.io/external-name"] == "made-0"
    assert await lab.condition("new", "Ready") == ("False", "Creating", "")
    assert await lab.condition("new", "Synced") == ("True", "ReconcileSuccess", "")
    result = await lab.look("new")
    assert await lab.condition("new", "Ready") == ("True", "Available", "")
    assert result.requeue_after_s == 60
    assert (await lab.get("new"))["status"]["atProvider"] == {"id": "made-0"}
    assert (await lab.get("new"))["status"]["observedGeneration"] == obj["metadata"]["generation"]
    assert await lab.events("new") == ["CreatedExternalResource"]


async def test_the_intent_is_stored_before_the_cloud_is_asked(lab):
    await lab.create("intent")
    seen = {}

    async def read():
        seen.update(await lab.get("intent"))

    original = lab.cloud.create

    async def create(managed):
        await read()
        return await original(managed)

    lab.cloud.create = create
    await lab.look("intent")
    assert FINALIZER in seen["metadata"]["finalizers"]
    assert "crossplane.io/external-create-pending" in seen["metadata"]["annotations"]


async def test_a_settled_object_costs_no_writes(lab):
    await lab.create("settled")
    await lab.look("settled", 2)
    before = (await lab.get("settled"))["metadata"]["resourceVersion"]
    await lab.look("settled", 3)
    assert (await lab.get("settled"))["metadata"]["resourceVersion"] == before


async def test_drift_is_mended(lab):
    await lab.create("drift", spec=CIDR)
    await lab.look("drift", 2)
    lab.cloud.resources["made-0"]["cidrBlock"] = "192.168.0.0/16"
    await lab.look("drift")
    assert lab.cloud.resources["made-0"]["cidrBlock"] == "10.0.0.0/16"
    assert "UpdatedExternalResource" in await lab.events("drift")


async def test_drift_is_left_alone_where_updating_is_not_allowed(lab):
    await lab.create("frozen", spec={**CIDR, "managementPolicies": ["Observe", "Create", "Delete"]})
    await lab.look("frozen", 2)
    lab.cloud.resources["made-0"]["cidrBlock"] = "192.168.0.0/16"
    await lab.look("frozen")
    assert "update" not in lab.cloud.calls
    assert (await lab.condition("frozen", "Synced"))[0] == "True"


async def test_a_resource_deleted_behind_our_back_is_made_again(lab):
    await lab.create("phoenix")
    await lab.look("phoenix", 2)
    lab.cloud.resources.clear()
    await lab.look("phoenix", 2)
    obj = await lab.get("phoenix")
    assert obj["metadata"]["annotations"]["crossplane.io/external-name"] == "made-1"
    assert set(lab.cloud.resources) == {"made-1"}
    assert (await lab.condition("phoenix", "Ready"))[0] == "True"


async def test_a_second_creation_that_failed_is_tried_again_without_the_first_ones_grace(lab):
    await lab.create("twice")
    await lab.look("twice", 2)
    lab.cloud.resources.clear()
    lab.clock.advance(1)
    lab.cloud.fail["create"] = external.ExternalError("not now")
    await lab.look("twice")
    assert await lab.condition("twice", "Ready") == ("False", "Creating", "")
    lab.cloud.fail.clear()
    await lab.look("twice", 2)
    assert set(lab.cloud.resources) == {"made-1"}
    assert (await lab.condition("twice", "Ready"))[0] == "True"


async def test_a_cloud_that_denies_what_it_just_made_is_given_time(lab):
    await lab.create("eventual")
    await lab.look("eventual")
    lab.cloud.hidden = True
    await lab.look("eventual", 3)
    assert lab.cloud.calls.count("create") == 1
    lab.clock.advance(31)
    lab.cloud.hidden = False
    await lab.look("eventual")
    assert (await lab.condition("eventual", "Ready"))[0] == "True"


async def test_deletion_keeps_the_object_until_the_resource_is_gone(lab):
    await lab.create("leaving")
    await lab.look("leaving", 2)
    await lab.delete("leaving")
    original = lab.cloud.delete

    async def slowly(managed):
        lab.cloud.calls.append("delete")

    lab.cloud.delete = slowly
    await lab.look("leaving", 2)
    assert (await lab.get("leaving"))["metadata"]["finalizers"] == [FINALIZER]
    assert await lab.condition("leaving", "Ready") == ("False", "Deleting", "")
    lab.cloud.delete = original
    await lab.look("leaving", 2)
    assert await lab.find("leaving") is None
    assert not lab.cloud.resources


async def test_a_failed_deletion_keeps_the_object_and_says_why(lab):
    await lab.create("stuck")
    await lab.look("stuck", 2)
    await lab.delete("stuck")
    lab.cloud.fail["delete"] = external.InUseError("two subnets are in it")
    await lab.look("stuck")
    assert await lab.condition("stuck", "Synced") == (
        "False",
        "ReconcileError",
        "delete failed: two subnets are in it",
    )
    assert FINALIZER in (await lab.get("stuck"))["metadata"]["finalizers"]
    lab.cloud.fail.clear()
    await lab.look("stuck", 2)
    assert await lab.find("stuck") is None


async def test_deletion_waits_for_other_finalizers(lab):
    await lab.create("shared", finalizers=["example.org/mine"])
    await lab.look("shared", 2)
    await lab.delete("shared")
    await lab.look("shared")
    assert set(lab.cloud.resources) == {"made-0"}
    await lab.patch("shared", {"metadata": {"finalizers": [FINALIZER]}})
    await lab.look("shared", 2)
    assert await lab.find("shared") is None


async def test_an_object_that_may_not_delete_leaves_its_resource(lab):
    await lab.create("orphan", spec={"managementPolicies": ["Observe", "Create", "Update"]})
    await lab.look("orphan", 2)
    await lab.delete("orphan")
    await lab.look("orphan")
    assert await lab.find("orphan") is None
    assert set(lab.cloud.resources) == {"made-0"}


async def test_the_legacy_deletion_policy_orphans(make_lab):
    lab = make_lab(external.ManagedKind(VPC.resource(legacy=True), legacy=True))
    await lab.create("legacy-orphan", spec={"deletionPolicy": "Orphan"})
    await lab.look("legacy-orphan", 2)
    await lab.delete("legacy-orphan")
    await lab.look("legacy-orphan")
    assert await lab.find("legacy-orphan") is None
    assert set(lab.cloud.resources) == {"made-0"}


async def test_an_observed_resource_is_only_looked_at(lab):
    lab.cloud.resources["theirs"] = {"cidrBlock": "10.9.0.0/16"}
    lab.cloud.late = {"instanceTenancy": "default"}
    name = {"crossplane.io/external-name": "theirs"}
    await lab.create("watched", spec={**CIDR, "managementPolicies": ["Observe"]}, annotations=name)
    await lab.look("watched")
    assert (await lab.get("watched"))["status"]["atProvider"] == {"id": "theirs"}
    assert "instanceTenancy" not in (await lab.get("watched"))["spec"]["forProvider"]
    assert {"create", "update"}.isdisjoint(lab.cloud.calls)


async def test_observing_what_does_not_exist_is_an_error_that_is_polled(lab):
    await lab.create("absent", spec={"managementPolicies": ["Observe"]})
    result = await lab.look("absent")
    assert await lab.condition("absent", "Synced") == (
        "False",
        "ReconcileError",
        "observe failed: external resource does not exist",
    )
    assert result.requeue_after_s == 60


async def test_an_illegal_policy_is_refused_until_edited(lab):
    await lab.create("illegal", spec={"managementPolicies": ["Create", "Update"]})
    result = await lab.look("illegal")
    assert result.requeue_after_s is None
    assert "not supported" in (await lab.condition("illegal", "Synced"))[2]
    assert lab.cloud.calls == []


@pytest.mark.parametrize(
    ("name", "spec", "annotations"),
    [
        ("paused-by-annotation", {}, {"crossplane.io/paused": "true"}),
        ("paused-by-policy", {"managementPolicies": []}, {}),
    ],
)
async def test_a_paused_object_is_not_touched(lab, name, spec, annotations):
    await lab.create(name, spec=spec, annotations=annotations)
    await lab.look(name, 2)
    assert (await lab.condition(name, "Synced"))[1] == "ReconcilePaused"
    assert lab.cloud.calls == []
    assert await lab.events(name) == ["ReconciliationPaused"]


async def test_late_initialisation_fills_only_what_was_left_open(lab):
    lab.cloud.late = {"cidrBlock": "10.8.0.0/16", "instanceTenancy": "default", "enableDnsSupport": True}
    await lab.create("late", spec={**CIDR, "initProvider": {"enableDnsSupport": False}})
    await lab.look("late", 2)
    given = (await lab.get("late"))["spec"]["forProvider"]
    assert given["cidrBlock"] == "10.0.0.0/16"
    assert given["instanceTenancy"] == "default"
    assert "enableDnsSupport" not in given


async def test_late_initialisation_can_be_forbidden(lab):
    lab.cloud.late = {"instanceTenancy": "default"}
    policies = ["Observe", "Create", "Update", "Delete"]
    await lab.create("strict", spec={"managementPolicies": policies})
    await lab.look("strict", 2)
    assert "instanceTenancy" not in (await lab.get("strict"))["spec"]["forProvider"]


async def test_connection_details_go_to_the_secret_and_nowhere_else(lab):
    lab.cloud.connection = {"password": "hunter2", "port": "5432"}
    await lab.create("connected", spec={"writeConnectionSecretToRef": {"name": "connected-out"}})
    await lab.look("connected", 2)
    secret = await lab.plane.client.get(SECRETS, "connected-out", "default")
    assert secret["type"] == "connection.crossplane.io/v1alpha1"
    assert set(secret["data"]) == {"key", "password", "port"}
    assert secret["metadata"]["ownerReferences"][0]["name"] == "connected"
    assert "hunter2" not in str(await lab.get("connected"))


async def test_a_secret_of_someone_else_is_not_overwritten(lab):
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "theirs", "namespace": "default"}}
    await lab.plane.create({**body, "stringData": {"a": "b"}})
    await lab.create("greedy", spec={"writeConnectionSecretToRef": {"name": "theirs"}})
    lab.cloud.connection = {"a": "c"}
    await lab.look("greedy", 2)
    assert (
        "refusing to modify uncontrolled Secret default/theirs"
        in (await lab.condition("greedy", "Synced"))[2]
    )
    assert (await lab.plane.client.get(SECRETS, "theirs", "default"))["data"] == {"a": "Yg=="}


@pytest.mark.parametrize("call", ["connect", "observe", "create", "update"])
async def test_trouble_is_a_condition_and_an_event_and_is_retried(lab, call):
    name = f"trouble-{call}"
    await lab.create(name, spec=CIDR)
    if call == "update":
        await lab.look(name, 2)
        lab.cloud.resources["made-0"]["cidrBlock"] = "other"
    lab.cloud.fail[call] = external.ThrottledError("slow down", retry_after_s=17)
    result = await lab.look(name)
    assert await lab.condition(name, "Synced") == ("False", "ReconcileError", f"{call} failed: slow down")
    assert result.requeue_after_s == 17
    reasons = {
        "connect": "CannotConnectToProvider",
        "observe": "CannotObserveExternalResource",
        "create": "CannotCreateExternalResource",
        "update": "CannotUpdateExternalResource",
    }
    assert reasons[call] in await lab.events(name)
    lab.cloud.fail.clear()
    await lab.look(name, 2)
    assert (await lab.condition(name, "Synced"))[0] == "True"
    assert len(lab.cloud.resources) == 1


async def test_what_only_an_edit_can_mend_is_asked_for_at_the_poll_only(lab):
    await lab.create("fixed", spec=CIDR)
    await lab.look("fixed", 2)
    lab.cloud.resources["made-0"]["cidrBlock"] = "other"
    lab.cloud.fail["update"] = external.ReplacementNeededError("cannot change cidrBlock; set it back")
    result = await lab.look("fixed")
    assert result.requeue_after_s == 60
    assert (await lab.condition("fixed", "Ready"))[0] == "True"
    assert "set it back" in (await lab.condition("fixed", "Synced"))[2]


class Killed(BaseException):
    """What SIGKILL would do: nothing after it runs."""


async def test_a_crash_after_creating_makes_no_second_resource(lab):
    await lab.create("crashed")
    lab.cloud.fail["created"] = Killed()
    with pytest.raises(Killed):
        await lab.look("crashed")
    lab.cloud.fail.clear()
    lab.restarted()
    await lab.look("crashed", 2)
    assert set(lab.cloud.resources) == {"made-0"}
    assert (await lab.get("crashed"))["metadata"]["annotations"]["crossplane.io/external-name"] == "made-0"
    assert (await lab.condition("crashed", "Ready"))[0] == "True"


async def test_a_crash_before_creating_waits_until_the_cloud_is_certain(lab):
    await lab.create("early")
    lab.cloud.fail["create"] = Killed()
    with pytest.raises(Killed):
        await lab.look("early")
    lab.cloud.fail.clear()
    lab.restarted()
    await lab.look("early", 2)
    assert not lab.cloud.resources
    assert (await lab.condition("early", "Ready"))[1] == "Creating"
    lab.clock.advance(31)
    await lab.look("early", 2)
    assert len(lab.cloud.resources) == 1
    assert (await lab.condition("early", "Ready"))[0] == "True"


async def test_an_attempt_that_fails_does_not_ask_for_the_next_one_by_its_own_writes(lab):
    """Else a cloud that throttles, or is down, is asked a hundred times a second."""
    lab.cloud.fail["create"] = external.ThrottledError("slow down", retry_after_s=30)
    await lab.create("throttled-creation")
    await lab.look("throttled-creation")
    before = await lab.get("throttled-creation")
    lab.clock.advance(60)
    result = await lab.look("throttled-creation")
    after = await lab.get("throttled-creation")
    assert after["metadata"]["resourceVersion"] != before["metadata"]["resourceVersion"]
    assert not matters(before, after)
    assert result.requeue_after_s >= 30
    freed = await lab.patch(
        "throttled-creation", {"metadata": {"annotations": {"crossplane.io/external-create-pending": None}}}
    )
    assert matters(after, freed)


async def test_a_crash_that_nobody_can_resolve_stops_in_crossplanes_words(lab):
    lab.cloud.can_recover = False
    await lab.create("unknowable")
    lab.cloud.fail["created"] = Killed()
    with pytest.raises(Killed):
        await lab.look("unknowable")
    lab.cloud.fail.clear()
    lab.restarted()
    result = await lab.look("unknowable")
    assert result.requeue_after_s == 60
    assert await lab.condition("unknowable", "Synced") == ("False", "ReconcileError", INCOMPLETE)
    assert lab.cloud.calls.count("create") == 1
    # Removing the annotation is the person's word that it is safe to go on.
    await lab.patch(
        "unknowable", {"metadata": {"annotations": {"crossplane.io/external-create-pending": None}}}
    )
    await lab.look("unknowable", 2)
    assert lab.cloud.calls.count("create") == 2


async def test_a_deterministic_kind_simply_creates_again(make_lab):
    lab = make_lab(external.ManagedKind(VPC.resource(legacy=False), deterministic=True))
    lab.cloud.can_recover = False
    await lab.create("again")
    lab.cloud.fail["create"] = Killed()
    with pytest.raises(Killed):
        await lab.look("again")
    lab.cloud.fail.clear()
    lab.restarted()
    await lab.look("again", 2)
    assert (await lab.condition("again", "Ready"))[0] == "True"


async def test_a_lost_answer_counts_as_interrupted(lab):
    await lab.create("lost")
    lab.cloud.fail["created"] = external.UnknownOutcomeError("the connection broke")
    await lab.look("lost")
    lab.cloud.fail.clear()
    await lab.look("lost", 2)
    assert set(lab.cloud.resources) == {"made-0"}


async def test_a_cancelled_creation_is_found_again(lab):
    await lab.create("cancelled")
    started = asyncio.Event()
    original = lab.cloud.create

    async def hanging(managed):
        await original(managed)
        started.set()
        await asyncio.Event().wait()

    lab.cloud.create = hanging
    task = asyncio.create_task(lab.look("cancelled"))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    lab.cloud.create = original
    lab.restarted()
    await lab.look("cancelled", 2)
    assert set(lab.cloud.resources) == {"made-0"}


async def test_an_edit_while_we_look_is_a_conflict_and_nothing_is_created(lab):
    await lab.create("raced")
    original = lab.cloud.observe

    async def observe(managed):
        await lab.patch("raced", {"metadata": {"labels": {"by": "someone"}}})
        return await original(managed)

    lab.cloud.observe = observe
    with pytest.raises(Exception, match="modified"):
        await lab.look("raced")
    assert "create" not in lab.cloud.calls


async def test_what_the_provider_can_not_do_is_said_before_anything_is_asked(make_lab):
    fault = "spec.forProvider.cidrBlock: not supported; remove it"
    lab = make_lab(external.ManagedKind(VPC.resource(legacy=False), fault=lambda _: fault))
    await lab.create("undoable")
    result = await lab.look("undoable")
    assert await lab.condition("undoable", "Synced") == ("False", "ReconcileError", fault)
    assert await lab.events("undoable") == ["CannotInitializeManagedResource"]
    assert lab.cloud.calls == []
    assert result.requeue_after_s == 60


async def test_a_requested_look_is_acknowledged_once(lab):
    await lab.create("asked", annotations={"crossplane.io/reconcile-requested-at": "one"})
    await lab.look("asked", 3)
    assert (await lab.get("asked"))["status"]["lastHandledReconcileAt"] == "one"
    assert (await lab.events("asked")).count("ReconcileRequestHandled") == 1


async def test_something_on_its_way_is_looked_at_ever_more_rarely(lab):
    lab.cloud.readiness = "Creating"
    await lab.create("slow")
    delays = [(await lab.look("slow")).requeue_after_s for _ in range(12)]
    assert delays == sorted(delays)
    assert delays[0] == 0.05
    assert delays[-1] == 15
    assert await lab.condition("slow", "Ready") == ("False", "Creating", "not yet")


TO_VPC = external.Reference("vpcId", "vpcIdRef", "vpcIdSelector", VPC.resource(legacy=False).gvk)
KEY = external.Reference(
    "outpostArn", "outpostArnRef", "outpostArnSelector", external.GVK("kms.example.org", "v1", "Key")
)


@pytest.fixture
def subnets(make_lab):
    return make_lab(external.ManagedKind(SUBNET.resource(legacy=False), references=(TO_VPC,)))


async def test_a_reference_is_resolved_once_its_target_has_a_name(lab, subnets):
    await lab.create("net-a")
    await subnets.create("in-a", spec={"forProvider": {"vpcIdRef": {"name": "net-a"}}})
    await subnets.look("in-a")
    synced = await subnets.condition("in-a", "Synced")
    assert synced[0] == "False"
    assert "VPC default/net-a: referenced field was empty" in synced[2]
    assert "connect" not in subnets.cloud.calls
    await lab.look("net-a")
    await subnets.look("in-a", 2)
    assert (await subnets.get("in-a"))["spec"]["forProvider"]["vpcId"] == "made-0"
    assert (await subnets.condition("in-a", "Ready"))[0] == "True"


async def test_a_selector_fills_reference_and_value(lab, subnets):
    await lab.create("net-b", labels={"net": "b"})
    await lab.look("net-b")
    selector = {"vpcIdSelector": {"matchLabels": {"net": "b"}}}
    await subnets.create("in-b", spec={"forProvider": selector})
    await subnets.look("in-b")
    given = (await subnets.get("in-b"))["spec"]["forProvider"]
    assert given["vpcIdRef"] == {"name": "net-b", "namespace": "default"}
    assert given["vpcId"] == "made-0"


async def test_a_selector_may_require_the_same_controller(lab, subnets):
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "controller": True}
    await lab.create("net-c", labels={"net": "c"}, ownerReferences=[{**owner, "uid": "one"}])
    await lab.create("net-d", labels={"net": "c"}, ownerReferences=[{**owner, "uid": "two"}])
    await lab.look("net-c")
    await lab.look("net-d")
    selector = {"matchControllerRef": True, "matchLabels": {"net": "c"}}
    await subnets.create(
        "in-d", spec={"forProvider": {"vpcIdSelector": selector}}, ownerReferences=[{**owner, "uid": "two"}]
    )
    await subnets.look("in-d")
    assert (await subnets.get("in-d"))["spec"]["forProvider"]["vpcId"] == "made-1"


async def test_an_optional_reference_may_lead_nowhere(subnets):
    reference = {"name": "nowhere", "policy": {"resolution": "Optional"}}
    await subnets.create("optional", spec={"forProvider": {"vpcIdRef": reference}})
    await subnets.look("optional", 2)
    assert (await subnets.condition("optional", "Ready"))[0] == "True"


async def test_a_missing_target_is_named(subnets):
    await subnets.create("lonely", spec={"forProvider": {"vpcIdRef": {"name": "nowhere"}}})
    await subnets.look("lonely")
    message = (await subnets.condition("lonely", "Synced"))[2]
    assert message.startswith(
        "cannot resolve references: spec.forProvider.vpcIdRef: cannot get referenced resource"
    )
    assert "VPC default/nowhere" in message
    assert "CannotResolveResourceReferences" in await subnets.events("lonely")


async def test_a_reference_that_always_resolves_follows_its_target(lab, subnets):
    await lab.create("net-e")
    await lab.look("net-e", 2)
    reference = {"name": "net-e", "policy": {"resolve": "Always"}}
    await subnets.create("in-e", spec={"forProvider": {"vpcIdRef": reference}})
    await subnets.look("in-e", 2)
    lab.cloud.resources.clear()
    await lab.look("net-e", 2)
    await subnets.look("in-e")
    assert (await subnets.get("in-e"))["spec"]["forProvider"]["vpcId"] == "made-1"


async def test_a_value_that_is_set_wins_over_a_reference(subnets):
    await subnets.create("set", spec={"forProvider": {"vpcId": "vpc-1", "vpcIdRef": {"name": "nowhere"}}})
    await subnets.look("set", 2)
    assert (await subnets.get("set"))["spec"]["forProvider"]["vpcId"] == "vpc-1"
    assert (await subnets.condition("set", "Ready"))[0] == "True"


async def test_a_kind_that_is_not_served_is_named_with_the_way_around(make_lab):
    lab = make_lab(external.ManagedKind(VPC.resource(legacy=False), references=(KEY,)))
    obj = {"spec": {"forProvider": {"outpostArnRef": {"name": "k"}}}, "metadata": {"namespace": "default"}}
    from roadbed.engines.providers.references import UnresolvedError, resolve

    with pytest.raises(UnresolvedError, match=r"kind Key of kms\.example\.org/v1 is not served.*set spec"):
        await resolve(lab.plane.client, obj, [KEY])
