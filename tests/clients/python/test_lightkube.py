"""lightkube: typed and generic objects, apply, watches, definitions."""

import httpx
import lightkube
import pytest
from lightkube.core.exceptions import ApiError
from lightkube.generic_resource import create_namespaced_resource
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.apiextensions_v1 import CustomResourceDefinition
from lightkube.resources.core_v1 import ConfigMap, Namespace, Secret
from lightkube.types import CascadeType, PatchType


@pytest.fixture
def api(kubeconfig, namespace):
    made = lightkube.Client(
        config=lightkube.KubeConfig.from_file(kubeconfig), namespace=namespace, field_manager="light"
    )
    made.create(Namespace(metadata=ObjectMeta(name=namespace)))
    yield made
    made.delete(Namespace, namespace, cascade=CascadeType.BACKGROUND)
    made.close()


def test_objects_are_made_patched_listed_and_deleted(api):
    api.create(ConfigMap(metadata=ObjectMeta(name="one", labels={"a": "b"}), data={"x": "1"}))
    api.patch(ConfigMap, "one", {"data": {"x": None, "y": "2"}}, patch_type=PatchType.MERGE)
    (found,) = api.list(ConfigMap, labels={"a": "b"})
    assert found.data == {"y": "2"}
    found.data = {"z": "3"}
    assert api.replace(found).data == {"z": "3"}
    with pytest.raises(ApiError) as refused:
        api.create(ConfigMap(metadata=ObjectMeta(name="one")))
    assert (refused.value.status.code, refused.value.status.reason) == (409, "AlreadyExists")
    api.delete(ConfigMap, "one")
    with pytest.raises(ApiError) as gone:
        api.get(ConfigMap, "one")
    assert gone.value.status.reason == "NotFound"


def test_apply_keeps_what_others_own(api):
    api.create(Secret(metadata=ObjectMeta(name="word"), stringData={"theirs": "1"}), field_manager="other")
    applied = api.apply(
        Secret(apiVersion="v1", kind="Secret", metadata=ObjectMeta(name="word"), data={"ours": "Mg=="})
    )
    assert applied.data == {"theirs": "MQ==", "ours": "Mg=="}
    assert {each.manager for each in applied.metadata.managedFields} == {"light", "other"}


def test_a_watch_and_a_kind_of_ones_own(api, definition):
    api.create(CustomResourceDefinition.from_dict(definition))
    api.wait(CustomResourceDefinition, definition["metadata"]["name"], for_conditions=["Established"])
    kettles = create_namespaced_resource(definition["spec"]["group"], "v1", "Kettle", "kettles")
    made = api.create(kettles(metadata=ObjectMeta(name="red"), spec={}))
    assert made.spec == {"litres": 1}
    for kind, seen in api.watch(kettles, resource_version="0", server_timeout=5):
        assert (kind, seen.metadata.name) == ("ADDED", "red")
        break
    api.delete(CustomResourceDefinition, definition["metadata"]["name"])


def test_a_stranger_is_refused(kubeconfig):
    config = lightkube.KubeConfig.from_file(kubeconfig)
    context = config.get()
    with httpx.Client(verify=False) as stranger:
        answer = stranger.get(f"{context.cluster.server}/api/v1/secrets")
    assert answer.status_code == 403
    assert answer.json()["reason"] == "Forbidden"
