"""function-auto-ready, built in: desired resources become ready when what is observed of them is.

Called by the pipeline, usually as its last step. It never overrides a function that ran before it. Kinds
that have no Ready condition are judged by their own fields; everything else by the condition.

Source: https://github.com/crossplane/function-auto-ready (documented behaviour). Its alpha feature, health
checks in CEL, is refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from roadbed.apimachinery.request import Object

from .protocol import Ready, Resource, ResponseMeta, RunFunctionRequest, RunFunctionResponse, State, fatal
from .readiness import condition_status

_UNITS_S = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")
_REFUSED = ("celHealthCheckCustomization", "celHealthCheckCustomizationFrom")


class AutoReady:
    """The function. It has no state at all."""

    async def run(self, request: RunFunctionRequest) -> RunFunctionResponse:
        """Mark what is observed to be ready and has no readiness yet."""
        given = request.input or {}
        for name in _REFUSED:
            if given.get(name):
                return fatal(
                    request, f"cannot get Function input: {name}: health checks in CEL are not supported"
                )
        try:
            ttl_s = parse_duration_s(str(given.get("ttl") or "0s"))
        except ValueError as error:
            return fatal(request, f"cannot set ttl: {error}")
        observed = request.observed.resources
        resources: dict[str, Resource] = {}
        for name, desired in request.desired.resources.items():
            seen = observed.get(name)
            if seen is not None and desired.ready is Ready.UNSPECIFIED and is_healthy(seen.resource):
                resources[name] = replace(desired, ready=Ready.TRUE)
            else:
                resources[name] = desired
        return RunFunctionResponse(
            desired=State(request.desired.composite, resources),
            meta=ResponseMeta(request.meta.tag, ttl_s),
            context=request.context,
        )


def is_healthy(obj: Object) -> bool:
    """Say whether an object is up, by its kind's own signs or by its Ready condition."""
    check = _CHECKS.get((str(obj.get("apiVersion", "")), str(obj.get("kind", ""))))
    if check is not None and check(obj):
        return True
    return condition_status(obj, "Ready") == "True"


def parse_duration_s(text: str) -> float:
    """Read a Go duration such as ``1m30s`` as seconds.

    Raises:
        ValueError: it is not one.
    """
    if text in ("0", "+0", "-0"):
        return 0.0
    sign, rest = (-1.0, text[1:]) if text.startswith("-") else (1.0, text.removeprefix("+"))
    parts = _DURATION.findall(rest)
    if not parts or "".join(number + unit for number, unit in parts) != rest:
        raise ValueError(f'time: invalid duration "{text}"')
    return sign * sum(float(number) * _UNITS_S[unit] for number, unit in parts)


def _section(obj: Object, name: str) -> dict[str, Any]:
    found = obj.get(name)
    return found if isinstance(found, dict) else {}


def _number(section: dict[str, Any], name: str) -> int | None:
    value = section.get(name)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return int(value) if is_number and value is not None else None


def _replicas(obj: Object) -> int:
    wanted = _number(_section(obj, "spec"), "replicas")
    return 1 if wanted is None else wanted


def _exists(_obj: Object) -> bool:
    return True


def _deployment(obj: Object) -> bool:
    status, wanted = _section(obj, "status"), _replicas(obj)
    return (
        _number(status, "updatedReplicas") == wanted
        and _number(status, "availableReplicas") == wanted
        and condition_status(obj, "Available") == "True"
    )


def _daemon_set(obj: Object) -> bool:
    status = _section(obj, "status")
    wanted = _number(status, "desiredNumberScheduled")
    names = ("numberReady", "updatedNumberScheduled", "numberAvailable")
    return wanted is not None and all(_number(status, name) == wanted for name in names)


def _replica_set(obj: Object) -> bool:
    status = _section(obj, "status")
    generation = _number(_section(obj, "metadata"), "generation") or 0
    return (
        (_number(status, "observedGeneration") or 0) >= generation
        and condition_status(obj, "ReplicaFailure") != "True"
        and (_number(status, "availableReplicas") or 0) >= _replicas(obj)
    )


def _stateful_set(obj: Object) -> bool:
    status, wanted = _section(obj, "status"), _replicas(obj)
    return (
        bool(status.get("updateRevision"))
        and status.get("currentRevision") == status.get("updateRevision")
        and _number(status, "readyReplicas") == wanted
        and _number(status, "currentReplicas") == wanted
    )


def _job(obj: Object) -> bool:
    stopped = any(condition_status(obj, kind) == "True" for kind in ("Failed", "Suspended"))
    return not stopped and condition_status(obj, "Complete") == "True"


def _cron_job(obj: Object) -> bool:
    if _section(obj, "spec").get("suspend") is True:
        return True
    status = _section(obj, "status")
    scheduled, succeeded = status.get("lastScheduleTime"), status.get("lastSuccessfulTime")
    if not scheduled:
        return False
    # RFC 3339 in UTC, as Kubernetes writes it, sorts as text.
    return bool(status.get("active")) or bool(succeeded and str(succeeded) >= str(scheduled))


def _pod(obj: Object) -> bool:
    phase = _section(obj, "status").get("phase")
    if phase == "Succeeded":
        return True
    always = _section(obj, "spec").get("restartPolicy", "Always") == "Always"
    return phase == "Running" and always and condition_status(obj, "Ready") == "True"


def _load_balanced(obj: Object) -> bool:
    return bool(_section(_section(obj, "status"), "loadBalancer").get("ingress"))


def _service(obj: Object) -> bool:
    return _section(obj, "spec").get("type") != "LoadBalancer" or _load_balanced(obj)


def _volume_claim(obj: Object) -> bool:
    return bool(_section(obj, "status").get("phase") == "Bound")


def _autoscaler(obj: Object) -> bool:
    failures = ("FailedGetScale", "FailedUpdateScale", "FailedGetResourceMetric", "InvalidSelector")
    if any(condition_status(obj, kind) == "True" for kind in failures):
        return False
    return any(condition_status(obj, kind) == "True" for kind in ("ScalingActive", "ScalingLimited"))


_CHECKS: dict[tuple[str, str], Callable[[Object], bool]] = {
    ("v1", "ConfigMap"): _exists,
    ("v1", "Namespace"): _exists,
    ("v1", "Secret"): _exists,
    ("v1", "ServiceAccount"): _exists,
    ("v1", "Pod"): _pod,
    ("v1", "Service"): _service,
    ("v1", "PersistentVolumeClaim"): _volume_claim,
    ("apps/v1", "Deployment"): _deployment,
    ("apps/v1", "DaemonSet"): _daemon_set,
    ("apps/v1", "ReplicaSet"): _replica_set,
    ("apps/v1", "StatefulSet"): _stateful_set,
    ("autoscaling/v2", "HorizontalPodAutoscaler"): _autoscaler,
    ("batch/v1", "CronJob"): _cron_job,
    ("batch/v1", "Job"): _job,
    ("networking.k8s.io/v1", "Ingress"): _load_balanced,
}
