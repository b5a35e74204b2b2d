"""The official Python client: typed and dynamic objects, watches, patches, definitions."""

import threading

import pytest
from kubernetes import client, config, dynamic, utils, watch
from kubernetes.client.exceptions import ApiException

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def api(kubeconfig):
    with config.new_client_from_config(str(kubeconfig)) as made:
        yield made


@pytest.fixture
def core(api, namespace):
    core = client.CoreV1Api(api)
    core.create_namespace({"metadata": {"name": namespace}})
    yield core
    core.delete_namespace(namespace)


def test_typed_objects_live_a_whole_life(api, core, namespace):
    apps = client.AppsV1Api(api)
    labels = {"app": "web"}
    body = client.V1Deployment(
        metadata=client.V1ObjectMeta(name="web"),
        spec=client.V1DeploymentSpec(
            selector=client.V1LabelSelector(match_labels=labels),
            template=client.V1PodTemplateSpec(
                metadata=client.V1ObjectMeta(labels=labels),
                spec=client.V1PodSpec(containers=[client.V1Container(name="web", image="example.org/web:1")]),
            ),
        ),
    )
    made = apps.create_namespaced_deployment(namespace, body)
    assert made.spec.replicas == 1
    assert made.spec.strategy.rolling_update.max_surge == "25%"
    changed = apps.patch_namespaced_deployment("web", namespace, {"spec": {"replicas": 3}})
    assert (changed.spec.replicas, changed.metadata.generation) == (3, 2)
    made.metadata.labels = {"late": "yes"}
    with pytest.raises(ApiException) as refused:
        apps.replace_namespaced_deployment("web", namespace, made)
    assert refused.value.status == 409
    apps.delete_namespaced_deployment("web", namespace)
    assert apps.list_namespaced_deployment(namespace).items == []


def test_a_watch_gives_what_happens(core, namespace):
    start = core.list_namespaced_config_map(namespace).metadata.resource_version

    def work():
        core.create_namespaced_config_map(namespace, {"metadata": {"name": "one"}})
        core.patch_namespaced_config_map("one", namespace, {"data": {"a": "1"}})
        core.delete_namespaced_config_map("one", namespace)

    worker = threading.Thread(target=work)
    worker.start()
    seen = []
    following = watch.Watch()
    for event in following.stream(
        core.list_namespaced_config_map,
        namespace,
        resource_version=start,
        field_selector="metadata.name=one",  # a new namespace also gets kube-root-ca.crt, sooner or later
        timeout_seconds=10,
    ):
        seen.append((event["type"], event["object"].metadata.name))
        if event["type"] == "DELETED":
            following.stop()
    worker.join()
    assert seen == [("ADDED", "one"), ("MODIFIED", "one"), ("DELETED", "one")]


def test_definitions_and_dynamic_objects(api, core, namespace, definition):
    utils.create_from_dict(api, definition)
    kinds = dynamic.DynamicClient(api)
    group = definition["spec"]["group"]
    kettles = kinds.resources.get(api_version=f"{group}/v1", kind="Kettle")
    made = kettles.create(
        {"apiVersion": f"{group}/v1", "kind": "Kettle", "metadata": {"name": "red"}, "spec": {}},
        namespace=namespace,
    )
    assert made.spec.litres == 1
    with pytest.raises(dynamic.exceptions.UnprocessibleEntityError):
        kettles.patch(
            name="red",
            namespace=namespace,
            body={"spec": {"litres": 9}},
            content_type="application/merge-patch+json",
        )
    applied = kettles.server_side_apply(
        name="red",
        namespace=namespace,
        field_manager="python",
        force_conflicts=True,
        body={
            "apiVersion": f"{group}/v1",
            "kind": "Kettle",
            "metadata": {"name": "red"},
            "spec": {"litres": 2},
        },
    )
    assert applied.spec.litres == 2
    custom = client.CustomObjectsApi(api)
    (found,) = custom.list_namespaced_custom_object(group, "v1", namespace, "kettles")["items"]
    assert found["metadata"]["managedFields"][0]["manager"] == "python"
    client.ApiextensionsV1Api(api).delete_custom_resource_definition(definition["metadata"]["name"])
