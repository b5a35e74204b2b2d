"""An operator on kopf: handlers, its own progress and finalizers, events, and peering between two of them."""

import os
import subprocess
import sys
import time
from pathlib import Path

import lightkube
import pytest
import yaml
from lightkube.core.exceptions import ApiError
from lightkube.generic_resource import create_namespaced_resource
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.apiextensions_v1 import CustomResourceDefinition
from lightkube.resources.core_v1 import ConfigMap, Event, Namespace
from lightkube.types import PatchType

OPERATOR = Path(__file__).with_name("kettle_operator.py")
PEERING = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: kopfpeerings.kopf.dev}
spec:
  group: kopf.dev
  scope: Namespaced
  names: {kind: KopfPeering, plural: kopfpeerings, singular: kopfpeering}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            status: {type: object, x-kubernetes-preserve-unknown-fields: true}
"""


def eventually(ask, within_s=15):
    end = time.monotonic() + within_s
    while not (answer := ask()):
        assert time.monotonic() < end, f"not within {within_s} s: last answer {answer!r}"
        time.sleep(0.05)
    return answer


@pytest.fixture
def api(kubeconfig, namespace):
    made = lightkube.Client(config=lightkube.KubeConfig.from_file(kubeconfig), namespace=namespace)
    made.create(Namespace(metadata=ObjectMeta(name=namespace)))
    yield made
    made.delete(Namespace, namespace)
    made.close()


@pytest.fixture
def operate(kubeconfig, namespace, definition, tmp_path):
    running = []

    def start(*options):
        log = (tmp_path / f"operator-{len(running)}.log").open("w")
        command = [sys.executable, "-m", "kopf", "run", str(OPERATOR), "--namespace", namespace, *options]
        environment = {**os.environ, "KUBECONFIG": str(kubeconfig), "GROUP": definition["spec"]["group"]}
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
        running.append((process, log))
        return Path(log.name)

    def stop():
        while running:
            process, log = running.pop()
            process.terminate()
            process.wait(20)
            log.close()

    start.stop = stop
    yield start
    stop()


def test_an_operator_without_peers(api, operate, definition):
    api.create(CustomResourceDefinition.from_dict(definition))
    kettles = create_namespaced_resource(definition["spec"]["group"], "v1", "Kettle", "kettles")
    operate("--standalone")
    api.create(kettles(metadata=ObjectMeta(name="red"), spec={"litres": 2}))
    red = eventually(lambda: (found := api.get(kettles, "red")).status and found)
    assert red.status["filled"] == {"filled": 2, "name": "red"}
    assert red.metadata.finalizers == ["example.org/kettle"]
    api.patch(kettles, "red", {"spec": {"litres": 3}}, patch_type=PatchType.MERGE)
    eventually(lambda: api.get(kettles, "red").status.get("refilled") == "2 to 3")
    api.create(kettles(metadata=ObjectMeta(name="heavy"), spec={"litres": 5}))
    eventually(lambda: [each for each in api.list(Event) if each.reason == "Heavy"])
    api.create(ConfigMap(metadata=ObjectMeta(name="note", annotations={"kettle": "red"})))
    eventually(lambda: (api.get(ConfigMap, "note").metadata.labels or {}).get("noticed") == "yes")
    api.delete(kettles, "red")
    eventually(lambda: _is_gone(api, kettles, "red"))
    api.delete(kettles, "heavy")
    eventually(lambda: _is_gone(api, kettles, "heavy"))
    api.delete(CustomResourceDefinition, definition["metadata"]["name"])


def test_the_peer_of_higher_priority_works_alone(api, operate, definition):
    api.create(CustomResourceDefinition.from_dict(definition))
    kettles = create_namespaced_resource(definition["spec"]["group"], "v1", "Kettle", "kettles")
    api.create(CustomResourceDefinition.from_dict(yaml.safe_load(PEERING)))
    api.wait(CustomResourceDefinition, "kopfpeerings.kopf.dev", for_conditions=["Established"])
    peerings = create_namespaced_resource("kopf.dev", "v1", "KopfPeering", "kopfpeerings")
    api.create(peerings(metadata=ObjectMeta(name="kettles")))
    second = operate("--peering", "kettles", "--priority", "1")
    eventually(lambda: len(api.get(peerings, "kettles").status or {}) == 1)
    operate("--peering", "kettles", "--priority", "10")
    eventually(lambda: len(api.get(peerings, "kettles").status or {}) == 2)
    eventually(lambda: "Pausing operations in favour of" in second.read_text())
    api.create(kettles(metadata=ObjectMeta(name="red"), spec={"litres": 2}))
    eventually(lambda: api.get(kettles, "red").status)
    assert "'filled' succeeded" not in second.read_text()
    api.delete(kettles, "red")
    eventually(lambda: _is_gone(api, kettles, "red"))
    operate.stop()  # an operator whose peering's definition goes fails, and then may not hear that it is to end
    api.delete(CustomResourceDefinition, "kopfpeerings.kopf.dev")
    api.delete(CustomResourceDefinition, definition["metadata"]["name"])


def _is_gone(api, kind, name):
    try:
        api.get(kind, name)
    except ApiError as error:
        return error.status.code == 404
    return False
