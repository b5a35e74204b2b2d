"""Defaults of apps, batch and autoscaling. Pure.

Source: k8s.io/kubernetes/pkg/apis/{apps,batch}/v1/defaults.go and autoscaling/{v1,v2}/defaults.go.
"""

from __future__ import annotations

from typing import Any

from roadbed.apimachinery.defaulting import copy_json

from .filling import Rule, fill

_MOST = 2**31 - 1


def _deployment(value: dict[str, Any]) -> None:
    spec = value.setdefault("spec", {})
    fill(replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600)(spec)
    strategy = spec.setdefault("strategy", {})
    fill(type="RollingUpdate")(strategy)
    if strategy["type"] == "RollingUpdate":
        fill(rollingUpdate={})(strategy)
        fill(maxUnavailable="25%", maxSurge="25%")(strategy["rollingUpdate"])


def _daemon_set(value: dict[str, Any]) -> None:
    spec = value.setdefault("spec", {})
    fill(revisionHistoryLimit=10)(spec)
    strategy = spec.setdefault("updateStrategy", {})
    fill(type="RollingUpdate")(strategy)
    if strategy["type"] == "RollingUpdate":
        fill(rollingUpdate={})(strategy)
        fill(maxUnavailable=1, maxSurge=0)(strategy["rollingUpdate"])


def _stateful_set(value: dict[str, Any]) -> None:
    spec = value.setdefault("spec", {})
    fill(replicas=1, revisionHistoryLimit=10, podManagementPolicy="OrderedReady")(spec)
    strategy = spec.setdefault("updateStrategy", {})
    if not strategy.get("type"):
        fill(type="RollingUpdate", rollingUpdate={})(strategy)
    if strategy["type"] == "RollingUpdate" and strategy.get("rollingUpdate") is not None:
        fill(partition=0)(strategy["rollingUpdate"])
    fill(persistentVolumeClaimRetentionPolicy={})(spec)
    fill(whenDeleted="Retain", whenScaled="Retain")(spec["persistentVolumeClaimRetentionPolicy"])
    for claim in spec.get("volumeClaimTemplates") or ():
        # Templates are whole objects in Kubernetes, and say so.
        fill(apiVersion="v1", kind="PersistentVolumeClaim")(claim)


def _job(value: dict[str, Any]) -> None:
    spec = value.setdefault("spec", {})
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec["completions"] = 1
    retries = _MOST if spec.get("backoffLimitPerIndex") is not None else 6
    replaced = "Failed" if spec.get("podFailurePolicy") is not None else "TerminatingOrFailed"
    fill(
        parallelism=1,
        backoffLimit=retries,
        completionMode="NonIndexed",
        suspend=False,
        podReplacementPolicy=replaced,
        manualSelector=False,
    )(spec)
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels")
    metadata = value.setdefault("metadata", {})
    if labels and not metadata.get("labels"):
        metadata["labels"] = dict(labels)


def _cron_job(value: dict[str, Any]) -> None:
    fill(concurrencyPolicy="Allow", suspend=False, successfulJobsHistoryLimit=3, failedJobsHistoryLimit=1)(
        value.setdefault("spec", {})
    )


_DEFAULT_METRICS = [
    {
        "type": "Resource",
        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
    }
]
_SCALE_UP = {
    "stabilizationWindowSeconds": 0,
    "selectPolicy": "Max",
    "policies": [
        {"type": "Pods", "value": 4, "periodSeconds": 15},
        {"type": "Percent", "value": 100, "periodSeconds": 15},
    ],
}
_SCALE_DOWN = {"selectPolicy": "Max", "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}]}


def _autoscaler(value: dict[str, Any]) -> None:
    spec = value.setdefault("spec", {})
    fill(minReplicas=1)(spec)
    if not spec.get("metrics"):
        spec["metrics"] = copy_json(_DEFAULT_METRICS)
    behavior = spec.get("behavior")
    if behavior is not None:
        for name, rules in (("scaleUp", _SCALE_UP), ("scaleDown", _SCALE_DOWN)):
            given = {key: each for key, each in (behavior.get(name) or {}).items() if each is not None}
            behavior[name] = {**copy_json(rules), **given}


_METRICS = "autoscaling.alpha.kubernetes.io/metrics"


def _old_autoscaler(value: dict[str, Any]) -> None:
    spec = value.setdefault("spec", {})
    fill(minReplicas=1)(spec)
    has_others = bool((value["metadata"].get("annotations") or {}).get(_METRICS))
    if spec.get("targetCPUUtilizationPercentage") is None and not has_others:
        spec["targetCPUUtilizationPercentage"] = 80


WORKLOADS: dict[str, Rule] = {
    "apps.v1.Deployment": _deployment,
    "apps.v1.DaemonSet": _daemon_set,
    "apps.v1.StatefulSet": _stateful_set,
    "apps.v1.ReplicaSetSpec": fill(replicas=1),
    "batch.v1.Job": _job,
    "batch.v1.CronJob": _cron_job,
    "batch.v1.PodFailurePolicyOnPodConditionsPattern": fill(status="True"),
    "autoscaling.v1.HorizontalPodAutoscaler": _old_autoscaler,
    "autoscaling.v2.HorizontalPodAutoscaler": _autoscaler,
}
