"""Defaults of storage, scheduling, access, admission, flow control and devices. Pure.

Source: k8s.io/kubernetes/pkg/apis/{storage,scheduling,rbac,admissionregistration,flowcontrol,resource}/v1/defaults.go.
"""

from __future__ import annotations

from typing import Any

from .filling import Rule, fill, fill_zeros

_RBAC = "rbac.authorization.k8s.io"


def _binding(value: dict[str, Any]) -> None:
    fill(apiGroup=_RBAC)(value.setdefault("roleRef", {}))


def _subject(value: dict[str, Any]) -> None:
    if value.get("kind") in ("User", "Group"):
        fill(apiGroup=_RBAC)(value)


def _driver(value: dict[str, Any]) -> None:
    fill(
        attachRequired=True,
        podInfoOnMount=False,
        storageCapacity=False,
        fsGroupPolicy="ReadWriteOnceWithFSType",
        volumeLifecycleModes=["Persistent"],
        requiresRepublish=False,
        seLinuxMount=False,
    )(value.setdefault("spec", {}))


def _devices(value: dict[str, Any]) -> None:
    fill(allocationMode="ExactCount")(value)
    if value["allocationMode"] == "ExactCount" and not value.get("count"):
        value["count"] = 1


_WEBHOOK: dict[str, Any] = {
    "failurePolicy": "Fail",
    "matchPolicy": "Equivalent",
    "namespaceSelector": {},
    "objectSelector": {},
    "timeoutSeconds": 10,
}
_MATCHED = fill(matchPolicy="Equivalent", namespaceSelector={}, objectSelector={})
_ADMISSION: dict[str, Rule] = {
    "admissionregistration.v1.ValidatingWebhook": fill(**_WEBHOOK),
    "admissionregistration.v1.MutatingWebhook": fill(**_WEBHOOK, reinvocationPolicy="Never"),
    "admissionregistration.v1.RuleWithOperations": fill(scope="*"),
    "admissionregistration.v1.NamedRuleWithOperations": fill(scope="*"),
    "admissionregistration.v1.ServiceReference": fill(port=443),
    "admissionregistration.v1.ValidatingAdmissionPolicySpec": fill(failurePolicy="Fail"),
    "admissionregistration.v1.MatchResources": _MATCHED,
    "admissionregistration.v1beta1.MutatingAdmissionPolicySpec": fill(failurePolicy="Fail"),
    "admissionregistration.v1beta1.NamedRuleWithOperations": fill(scope="*"),
    "admissionregistration.v1beta1.MatchResources": _MATCHED,
}
OTHERS: dict[str, Rule] = {
    **_ADMISSION,
    "rbac.v1.RoleBinding": _binding,
    "rbac.v1.ClusterRoleBinding": _binding,
    "rbac.v1.Subject": _subject,
    "storage.v1.StorageClass": fill(reclaimPolicy="Delete", volumeBindingMode="Immediate"),
    "storage.v1.CSIDriver": _driver,
    "scheduling.v1.PriorityClass": fill(preemptionPolicy="PreemptLowerPriority"),
    "flowcontrol.v1.FlowSchemaSpec": fill_zeros(matchingPrecedence=1000),
    "flowcontrol.v1.ExemptPriorityLevelConfiguration": fill(nominalConcurrencyShares=0, lendablePercent=0),
    "flowcontrol.v1.LimitedPriorityLevelConfiguration": fill(nominalConcurrencyShares=30, lendablePercent=0),
    "flowcontrol.v1.QueuingConfiguration": fill_zeros(handSize=8, queues=64, queueLengthLimit=50),
    "resource.v1.ExactDeviceRequest": _devices,
    "resource.v1.DeviceSubRequest": _devices,
    "kube-aggregator.pkg.apis.apiregistration.v1.ServiceReference": fill(port=443),
}
