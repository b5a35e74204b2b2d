"""What makes workloads invalid: apps, batch, autoscalers, disruption budgets. Pure.

Source: k8s.io/kubernetes/pkg/apis/{apps,batch,autoscaling,policy}/validation/validation.go.
"""

from __future__ import annotations

import re
import zoneinfo
from typing import Any

from roadbed.apimachinery.causes import forbidden, invalid_value, not_supported, required
from roadbed.apimachinery.errors import Cause
from roadbed.apimachinery.labels import Selector
from roadbed.apimachinery.names import dns_label_errors
from roadbed.apimachinery.request import Object

from . import pods
from .findings import (
    invalid_struct,
    label_selector,
    needed,
    not_negative,
    part,
    selected,
    unchanged,
    unsupported_struct,
)

_SET_CHANGES = (
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
)
_SET_FIXED = (
    "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
    "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
)


def _strategy(found: dict[str, Any]) -> dict[str, Any]:
    """Give a strategy as Kubernetes prints its own type."""
    return {"Type": found.get("type", ""), "RollingUpdate": found.get("rollingUpdate")}


def _template(spec: dict[str, Any], kind: str) -> list[Cause]:
    found = part(spec, "template")
    causes = pods.template(found, "spec.template")
    restarts = part(found, "spec").get("restartPolicy")
    if restarts != "Always":
        causes.append(not_supported("spec.template.spec.restartPolicy", restarts, ("Always",)))
    if part(found, "spec").get("activeDeadlineSeconds") is not None:
        text = f"activeDeadlineSeconds in {kind} is not Supported"
        causes.append(forbidden("spec.template.spec.activeDeadlineSeconds", text))
    return causes


def deployment(obj: Object, old: Object | None) -> list[Cause]:
    """Judge a Deployment."""
    spec = part(obj, "spec")
    causes = not_negative(spec, "spec", "replicas")
    own, is_read = selected(spec, part(spec, "template"), "deployment")
    causes += [*own, *(_template(spec, "ReplicaSet") if is_read else ())]
    strategy = part(spec, "strategy")
    if strategy.get("type") == "Recreate":
        if strategy.get("rollingUpdate") is not None:
            text = "may not be specified when strategy `type` is 'Recreate'"
            causes.append(forbidden("spec.strategy.rollingUpdate", text))
    elif strategy.get("type") == "RollingUpdate":
        causes += _rolling(part(strategy, "rollingUpdate"))
    else:
        causes.append(unsupported_struct("spec.strategy", _strategy(strategy), ("Recreate", "RollingUpdate")))
    causes += not_negative(spec, "spec", "minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds")
    deadline = spec.get("progressDeadlineSeconds")
    if isinstance(deadline, int) and deadline <= int(spec.get("minReadySeconds") or 0):
        text = "must be greater than minReadySeconds"
        causes.append(invalid_value("spec.progressDeadlineSeconds", deadline, text))
    return [*causes, *unchanged(obj, old, "spec.selector")]


_PERCENT = re.compile(r"[0-9]+%")


def share(value: Any, path: str) -> list[Cause]:
    """Judge a number that may be a percentage."""
    if isinstance(value, str) and not _PERCENT.fullmatch(value):
        text = "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', "
        text += "regex used for validation is '[0-9]+%')"
        return [invalid_value(path, value, text)]
    if isinstance(value, int) and value < 0:
        return [invalid_value(path, value, "must be greater than or equal to 0")]
    return []


def _all_at_most(value: Any, path: str) -> list[Cause]:
    if isinstance(value, str) and _PERCENT.fullmatch(value) and int(value[:-1]) > 100:
        return [invalid_value(path, value, "must not be greater than 100%")]
    return []


def _rolling(found: dict[str, Any]) -> list[Cause]:
    path = "spec.strategy.rollingUpdate"
    unavailable, surge = found.get("maxUnavailable"), found.get("maxSurge")
    causes = [*share(unavailable, f"{path}.maxUnavailable"), *share(surge, f"{path}.maxSurge")]
    if unavailable in (0, "0%") and surge in (0, "0%"):
        text = "may not be 0 when `maxSurge` is 0"
        causes.append(invalid_value(f"{path}.maxUnavailable", unavailable, text))
    return [*causes, *_all_at_most(unavailable, f"{path}.maxUnavailable")]


def replica_set(obj: Object, old: Object | None) -> list[Cause]:
    """Judge a ReplicaSet."""
    spec = part(obj, "spec")
    causes = not_negative(spec, "spec", "replicas", "minReadySeconds")
    own, is_read = selected(spec, part(spec, "template"), "deployment")
    causes += [*own, *(_template(spec, "ReplicaSet") if is_read else ())]
    return [*unchanged(obj, old, "spec.selector"), *causes]


def controller(obj: Object, old: Object | None) -> list[Cause]:
    """Judge a ReplicationController."""
    del old
    spec = part(obj, "spec")
    causes = not_negative(spec, "spec", "minReadySeconds")
    causes += needed(spec, "spec", "selector")
    causes += not_negative(spec, "spec", "replicas")
    if spec.get("template") is None:
        return [*causes, required("spec.template")]
    labels = part(spec, "template", "metadata").get("labels") or {}
    if any(labels.get(key) != value for key, value in (spec.get("selector") or {}).items()):
        text = "`selector` does not match template `labels`"
        causes.append(invalid_value("spec.template.metadata.labels", labels, text))
    return [*causes, *_template(spec, "ReplicationController")]


def stateful_set(obj: Object, old: Object | None) -> list[Cause]:
    """Judge a StatefulSet."""
    spec = part(obj, "spec")
    causes: list[Cause] = []
    if spec.get("podManagementPolicy") not in ("OrderedReady", "Parallel"):
        text = "must be 'OrderedReady' or 'Parallel'"
        causes.append(invalid_value("spec.podManagementPolicy", spec.get("podManagementPolicy"), text))
    strategy = part(spec, "updateStrategy")
    if strategy.get("type") not in ("RollingUpdate", "OnDelete"):
        text = "must be 'RollingUpdate' or 'OnDelete'"
        causes.append(invalid_struct("spec.updateStrategy", _strategy(strategy), text))
    causes += not_negative(spec, "spec", "replicas", "minReadySeconds")
    own, is_read = selected(spec, part(spec, "template"), "statefulset", detail="")
    found = {**part(spec, "template")}
    claims = [
        {"name": part(each, "metadata").get("name"), "persistentVolumeClaim": {"claimName": "its-own"}}
        for each in spec.get("volumeClaimTemplates") or ()
    ]
    if claims:
        inner = part(found, "spec")
        found["spec"] = {**inner, "volumes": [*claims, *(inner.get("volumes") or ())]}
    causes += [*own, *(_template({**spec, "template": found}, "StatefulSet") if is_read else ())]
    if old is not None:
        before = part(old, "spec")
        if any(spec.get(each) != before.get(each) for each in {*spec, *before} - {*_SET_CHANGES}):
            causes.append(forbidden("spec", _SET_FIXED))
    return causes


def daemon_set(obj: Object, old: Object | None) -> list[Cause]:
    """Judge a DaemonSet."""
    spec = part(obj, "spec")
    own, _ = selected(spec, part(spec, "template"), "daemonset")
    own = [
        cause
        for cause in own
        if cause.reason != "FieldValueRequired" and "invalid label" not in cause.message
    ]
    causes = [*unchanged(obj, old, "spec.selector"), *own, *_template(spec, "DaemonSet")]
    causes += not_negative(spec, "spec", "minReadySeconds")
    strategy = part(spec, "updateStrategy")
    if strategy.get("type") not in ("RollingUpdate", "OnDelete"):
        known = ("RollingUpdate", "OnDelete")
        causes.append(unsupported_struct("spec.updateStrategy", _strategy(strategy), known))
    return [*causes, *not_negative(spec, "spec", "revisionHistoryLimit")]


_JOB_NUMBERS = (
    "parallelism",
    "completions",
    "activeDeadlineSeconds",
    "backoffLimit",
    "ttlSecondsAfterFinished",
    "backoffLimitPerIndex",
)


def _job_spec(spec: dict[str, Any], path: str) -> list[Cause]:
    causes = not_negative(spec, path, *_JOB_NUMBERS)
    mode = spec.get("completionMode")
    if mode not in (None, "NonIndexed", "Indexed"):
        causes.append(not_supported(f"{path}.completionMode", mode, ("NonIndexed", "Indexed")))
    if mode == "Indexed" and spec.get("completions") is None:
        causes.append(required(f"{path}.completions", "when completion mode is Indexed"))
    at = f"{path}.template.spec.restartPolicy"
    causes += pods.template(part(spec, "template"), f"{path}.template")
    restarts = part(spec, "template", "spec").get("restartPolicy")
    if restarts == "Always":
        causes.append(required(at, 'valid values: "OnFailure", "Never"'))
    elif restarts not in ("OnFailure", "Never"):
        causes.append(not_supported(at, restarts, ("OnFailure", "Never")))
    elif spec.get("podFailurePolicy") is not None and restarts != "Never":
        text = 'only "Never" is supported when podFailurePolicy is specified'
        causes.append(invalid_value(at, restarts, text))
    return causes


def _job_selector(spec: dict[str, Any]) -> list[Cause]:
    chosen, labels = spec.get("selector"), part(spec, "template", "metadata").get("labels")
    causes = label_selector(chosen, "spec.selector") if chosen is not None else [required("spec.selector")]
    if chosen is not None and causes:
        return causes
    if chosen is None or not Selector.of(chosen).matches(labels or {}):
        text = "`selector` does not match template `labels`"
        causes.append(invalid_value("spec.template.metadata.labels", labels, text))
    return causes


def job(obj: Object, old: Object | None) -> list[Cause]:
    """Judge a Job."""
    spec = part(obj, "spec")
    causes = [*_job_spec(spec, "spec"), *_job_selector(spec)]
    if old is None:
        return [*causes, *_indexed_names(obj)]
    if spec.get("completionMode") != "Indexed" or part(old, "spec").get("completions") is None:
        causes += unchanged(obj, old, "spec.completions")
    causes += unchanged(obj, old, "spec.selector")
    causes += unchanged(obj, old, "spec.template")
    for member in (
        "completionMode",
        "podFailurePolicy",
        "backoffLimitPerIndex",
        "managedBy",
        "successPolicy",
    ):
        causes += unchanged(obj, old, f"spec.{member}")
    return causes


def _indexed_names(obj: Object) -> list[Cause]:
    """Refuse a name of which the last pod of an indexed job could have none."""
    spec, name = part(obj, "spec"), str(obj["metadata"].get("name") or "")
    completions = spec.get("completions") or 0
    if spec.get("completionMode") != "Indexed" or completions <= 0:
        return []
    last = f"{name}-{completions - 1}"
    text = f"will not able to create pod with invalid DNS label: {last}"
    return [invalid_value("metadata.name", name, text)] if dns_label_errors(last) else []


_MACROS = frozenset(("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"))
_FIELD = re.compile(r"[0-9A-Za-z*?/,\-]+")


def _schedule(text: str) -> str:
    """Say what is wrong with a schedule; the empty string where nothing is."""
    if text in _MACROS or text.startswith("@every "):
        return ""
    if text.startswith("@"):
        return f"unrecognized descriptor: {text}"
    fields = text.split()
    if len(fields) != 5:
        return f"expected exactly 5 fields, found {len(fields)}: [{' '.join(fields)}]"
    wrong = next((each for each in fields if not _FIELD.fullmatch(each)), None)
    return "" if wrong is None else f"failed to parse int from {wrong}"


def cron_job(obj: Object, old: Object | None) -> list[Cause]:
    """Judge a CronJob."""
    del old
    spec = part(obj, "spec")
    schedule = str(spec.get("schedule") or "")
    causes = [] if schedule else [required("spec.schedule")]
    problem = _schedule(schedule) if schedule else ""
    if problem:
        causes.append(invalid_value("spec.schedule", schedule, problem))
    zone = spec.get("timeZone")
    if zone is not None:
        causes += _zone(str(zone))
    causes += not_negative(spec, "spec", "startingDeadlineSeconds")
    policy = spec.get("concurrencyPolicy")
    if policy not in ("Allow", "Forbid", "Replace"):
        causes.append(not_supported("spec.concurrencyPolicy", policy, ("Allow", "Forbid", "Replace")))
    causes += _job_spec(part(spec, "jobTemplate", "spec"), "spec.jobTemplate.spec")
    return [*causes, *not_negative(spec, "spec", "successfulJobsHistoryLimit", "failedJobsHistoryLimit")]


def _zone(name: str) -> list[Cause]:
    if not name:
        return [invalid_value("spec.timeZone", name, "timeZone must be nil or non-empty string")]
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return [invalid_value("spec.timeZone", name, f"unknown time zone {name}")]
    return []


def disruption_budget(obj: Object, old: Object | None) -> list[Cause]:
    """Judge a PodDisruptionBudget."""
    del old
    spec = part(obj, "spec")
    least, most = spec.get("minAvailable"), spec.get("maxUnavailable")
    causes = label_selector(spec.get("selector"), "spec.selector")
    if least is not None and most is not None:
        shown = {
            "MinAvailable": least,
            "Selector": spec.get("selector"),
            "MaxUnavailable": most,
            "UnhealthyPodEvictionPolicy": spec.get("unhealthyPodEvictionPolicy"),
        }
        causes.append(invalid_struct("spec", shown, "minAvailable and maxUnavailable cannot be both set"))
    for member, value in (("minAvailable", least), ("maxUnavailable", most)):
        causes += [*share(value, f"spec.{member}"), *_all_at_most(value, f"spec.{member}")]
    return causes
