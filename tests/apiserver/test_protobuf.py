"""Protobuf request bodies, as the stock kubectl sends them (``tools/record_kubectl.py`` recorded the files)."""

from __future__ import annotations

import base64
import contextlib
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadbed.apimachinery.errors import BadRequestError
from roadbed.apiserver import protobuf
from roadbed.apiserver.messages import message_class

RECORDINGS = Path(__file__).parent / "recordings"
NAMES = sorted(path.stem for path in RECORDINGS.glob("*.pb"))
META = "k8s.io.apimachinery.pkg.apis.meta.v1"


def recorded(name: str) -> dict[str, Any]:
    return protobuf.decode((RECORDINGS / f"{name}.pb").read_bytes())


def message(name: str) -> Any:
    return message_class(name)()


def wrap(api_version: str, kind: str, content: Any, **members: str) -> bytes:
    unknown = message(protobuf._UNKNOWN)
    unknown.typeMeta.apiVersion, unknown.typeMeta.kind = api_version, kind
    unknown.raw = content if isinstance(content, bytes) else content.SerializeToString()
    for member, value in members.items():
        setattr(unknown, member, value)
    return b"k8s\0" + unknown.SerializeToString()


@pytest.mark.parametrize("name", NAMES)
def test_every_recorded_body_names_its_kind(name: str) -> None:
    obj = recorded(name)
    assert list(obj)[:2] == ["apiVersion", "kind"]
    assert obj["kind"]


def test_configmap_has_text_and_base64_members_and_nothing_empty() -> None:
    assert recorded("configmap") == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "settings"},
        "data": {"size": "small"},
        "binaryData": {"logo": base64.b64encode(bytes(range(256))).decode()},
    }


def test_secret_values_are_base64() -> None:
    secret = recorded("secret")
    assert secret["data"] == {"password": base64.b64encode(b"s3cret").decode()}
    assert secret["type"] == "example.org/token"


def test_deployment_keeps_set_numbers_and_drops_unset_ones() -> None:
    spec = recorded("deployment")["spec"]
    assert spec["replicas"] == 2
    assert "minReadySeconds" not in spec
    assert spec["template"]["spec"]["containers"][0]["ports"] == [{"containerPort": 80}]


def test_int_or_string_is_the_bare_value() -> None:
    assert recorded("service")["spec"]["ports"][0]["targetPort"] == 8080
    value = message("k8s.io.apimachinery.pkg.util.intstr.IntOrString")
    value.type, value.strVal = 1, "25%"
    assert protobuf._int_or_string(value) == "25%"


def test_quantities_are_texts() -> None:
    assert recorded("quota")["spec"]["hard"] == {"cpu": "500m", "memory": "1Gi"}


def test_rules_and_subjects_come_whole() -> None:
    assert recorded("role")["rules"] == [
        {
            "verbs": ["get", "list"],
            "apiGroups": [""],
            "resources": ["configmaps", "secrets"],
            "resourceNames": ["settings"],
        }
    ]
    assert recorded("clusterrole")["rules"] == [{"verbs": ["get"], "nonResourceURLs": ["/healthz"]}]
    assert recorded("rolebinding")["subjects"][2] == {
        "kind": "ServiceAccount",
        "name": "builder",
        "namespace": "shop",
    }


def test_review_questions_come_whole() -> None:
    assert recorded("can-i")["spec"]["resourceAttributes"]["verb"] == "list"
    assert recorded("can-i-list")["spec"] == {"namespace": "shop"}
    assert recorded("token")["spec"] == {"expirationSeconds": 3600}


def test_delete_options_are_read_under_any_group_version() -> None:
    options = message(f"{META}.DeleteOptions")
    options.gracePeriodSeconds, options.propagationPolicy = 0, "Foreground"
    options.preconditions.uid = "u"
    assert protobuf.decode(wrap("apps/v1", "DeleteOptions", options)) == {
        "apiVersion": "apps/v1",
        "kind": "DeleteOptions",
        "gracePeriodSeconds": 0,
        "preconditions": {"uid": "u"},
        "propagationPolicy": "Foreground",
    }


def test_a_pointer_to_false_is_said_and_a_plain_false_is_not() -> None:
    content = message("k8s.io.api.core.v1.ConfigMap")
    content.immutable = False
    assert protobuf.decode(wrap("v1", "ConfigMap", content))["immutable"] is False
    binding = message("k8s.io.api.core.v1.PersistentVolumeClaimVolumeSource")
    binding.claimName, binding.readOnly = "c", False
    plan = protobuf._plan("k8s.io.api.core.v1.PersistentVolumeClaimVolumeSource")
    assert plan.to_json(binding) == {"claimName": "c"}


def test_times_are_rfc3339_and_the_zero_time_is_left_out() -> None:
    lease = message("k8s.io.api.coordination.v1.Lease")
    lease.metadata.name = "leader"
    lease.metadata.creationTimestamp.SetInParent()
    lease.spec.renewTime.seconds, lease.spec.renewTime.nanos = 1_700_000_000, 1_234_567
    lease.metadata.deletionTimestamp.seconds, lease.metadata.deletionTimestamp.nanos = 0, 0
    obj = protobuf.decode(wrap("coordination.k8s.io/v1", "Lease", lease))
    assert obj["spec"] == {"renewTime": "2023-11-14T22:13:20.001234Z"}
    assert obj["metadata"] == {"name": "leader", "deletionTimestamp": "1970-01-01T00:00:00Z"}


def test_managed_fields_are_embedded_json() -> None:
    content = message("k8s.io.api.core.v1.ConfigMap")
    entry = content.metadata.managedFields.add()
    entry.manager, entry.operation, entry.fieldsV1.Raw = "m", "Apply", b'{"f:data":{"f:a":{}}}'
    managed = protobuf.decode(wrap("v1", "ConfigMap", content))["metadata"]["managedFields"]
    assert managed == [{"manager": "m", "operation": "Apply", "fieldsV1": {"f:data": {"f:a": {}}}}]


def test_wrapped_lists_lose_their_wrapper() -> None:
    review = message("k8s.io.api.authorization.v1.SubjectAccessReview")
    review.spec.user = "ann"
    review.spec.extra["scopes"].items.append("read")
    obj = protobuf.decode(wrap("authorization.k8s.io/v1", "SubjectAccessReview", review))
    assert obj["spec"] == {"user": "ann", "extra": {"scopes": ["read"]}}


def test_inlined_members_stand_in_their_parent() -> None:
    volume = message("k8s.io.api.core.v1.Volume")
    volume.name, volume.volumeSource.emptyDir.medium = "v", "Memory"
    assert protobuf._plan("k8s.io.api.core.v1.Volume").to_json(volume) == {
        "name": "v",
        "emptyDir": {"medium": "Memory"},
    }


def test_crd_schemas_have_their_json_names_and_unions() -> None:
    crd = message("k8s.io.apiextensions_apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition")
    version = crd.spec.versions.add()
    version.name, version.served, version.storage = "v1", True, False
    root = version.schema.openAPIV3Schema
    root.type = "object"
    size = root.properties["size"]
    size.xKubernetesIntOrString, size.minimum = True, 1.0
    size.default.raw = b"3"
    size.enum.add().raw = b'"a"'
    size.enum.add().raw = b"1.5"
    root.properties["tags"].items.schema.type = "string"
    root.properties["free"].additionalProperties.allows = True
    root.properties["typed"].additionalProperties.schema.type = "string"
    obj = protobuf.decode(wrap("apiextensions.k8s.io/v1", "CustomResourceDefinition", crd))
    assert obj["spec"]["versions"] == [
        {
            "name": "v1",
            "served": True,
            "storage": False,
            "schema": {
                "openAPIV3Schema": {
                    "type": "object",
                    "properties": {
                        "free": {"additionalProperties": True},
                        "size": {
                            "x-kubernetes-int-or-string": True,
                            "minimum": 1,
                            "default": 3,
                            "enum": ["a", 1.5],
                        },
                        "tags": {"items": {"type": "string"}},
                        "typed": {"additionalProperties": {"type": "string"}},
                    },
                }
            },
        }
    ]


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0s"),
        (1, "1ns"),
        (1_500, "1.5µs"),
        (20_000_000, "20ms"),
        (1_500_000_000, "1.5s"),
        (3_600_000_000_000, "1h0m0s"),
        (-90_000_000_000, "-1m30s"),
    ],
)
def test_durations_print_as_go_prints_them(nanoseconds: int, text: str) -> None:
    value = message(f"{META}.Duration")
    value.duration = nanoseconds
    assert protobuf._duration(value) == text


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "does not start with the prefix"),
        (b"{}", "does not start with the prefix"),
        (b"k8s\0\xff", "damaged"),
        (b"k8s\0", "cannot read apiVersion"),
        (wrap("v1", "ConfigMap", b"\xff\xff"), "damaged"),
        (wrap("example.org/v1", "Widget", b""), "only built-in kinds"),
        (wrap("v1", "ConfigMap", b"", contentType="application/json"), "content type"),
        (wrap("v1", "ConfigMap", b"", contentEncoding="gzip"), "encoding"),
    ],
)
def test_damaged_and_foreign_bodies_are_refused_in_words(body: bytes, said: str) -> None:
    with pytest.raises(BadRequestError) as refused:
        protobuf.decode(body)
    assert said in refused.value.message


def test_text_that_is_not_utf8_is_refused() -> None:
    body = (RECORDINGS / "configmap.pb").read_bytes()
    with pytest.raises(BadRequestError):
        protobuf.decode(body.replace(b"settings", b"setting\xff"))


def test_bad_embedded_json_is_refused() -> None:
    content = message("k8s.io.api.core.v1.ConfigMap")
    content.metadata.managedFields.add().fieldsV1.Raw = b"{"
    with pytest.raises(BadRequestError):
        protobuf.decode(wrap("v1", "ConfigMap", content))


def test_a_schema_nested_without_end_is_refused() -> None:
    root = message("k8s.io.apiextensions_apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition")
    inner = root.spec.versions.add().schema.openAPIV3Schema
    for _ in range(90):
        inner = getattr(inner, "not")
        inner.type = "object"
    with pytest.raises(BadRequestError):
        # The library itself writes no deeper than it reads, so one more level is put around by hand.
        deep = wrap("apiextensions.k8s.io/v1", "CustomResourceDefinition", nested(inner, 200))
        protobuf.decode(deep)


def nested(inner: Any, levels: int) -> bytes:
    number = inner.DESCRIPTOR.fields_by_name["not"].number
    content = b""
    for _ in range(levels):
        content = tagged(number, content)
    path = ("spec", "versions", "schema", "openAPIV3Schema")
    descriptor = message_class(
        "k8s.io.apiextensions_apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition"
    ).DESCRIPTOR
    numbers = []
    for name in path:
        field = descriptor.fields_by_name[name]
        numbers.append(field.number)
        descriptor = field.message_type
    for each in reversed(numbers):
        content = tagged(each, content)
    return content


def tagged(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


@given(name=st.sampled_from(NAMES), data=st.data())
def test_changed_bytes_give_an_object_or_a_bad_request(name: str, data: st.DataObject) -> None:
    body = bytearray((RECORDINGS / f"{name}.pb").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(4, len(body) - 1))] = data.draw(st.integers(0, 255))
    only_bad_request(bytes(body[: data.draw(st.integers(4, len(body)))]))


@given(
    content=st.binary(max_size=80),
    kind=st.sampled_from(["ConfigMap", "Secret", "Event", "Pod", "DeleteOptions", "List"]),
)
def test_any_bytes_give_an_object_or_a_bad_request(content: bytes, kind: str) -> None:
    only_bad_request(b"k8s\0" + content)
    only_bad_request(wrap("v1", kind, content))


def only_bad_request(body: bytes) -> None:
    with contextlib.suppress(BadRequestError):
        orjson.dumps(protobuf.decode(body))
