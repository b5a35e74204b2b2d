"""Cells of pods and of what makes pods: apps, batch, autoscaling, disruption budgets. Pure."""

from __future__ import annotations

from datetime import datetime

from roadbed.apimachinery.request import Object
from roadbed.apiserver.columns import Cell

from .autoscaling import AUTOSCALER
from .cells import (
    NONE,
    UNSET,
    age,
    at,
    containers,
    count,
    labels,
    name,
    number,
    of,
    path,
    seconds_between,
    selector_at,
    since,
)
from .pods import POD

_TEMPLATE = containers("spec", "template")
_JOB_ORDER = (
    ("Complete", "Complete"),
    ("Failed", "Failed"),
    ("", "Terminating"),
    ("Suspended", "Suspended"),
    ("FailureTarget", "FailureTarget"),
    ("SuccessCriteriaMet", "SuccessCriteriaMet"),
)


def _ready(ready: str) -> Cell:
    return of(
        lambda obj: f"{at(obj, 'status', ready, otherwise=0)}/{at(obj, 'spec', 'replicas', otherwise=0)}"
    )


def _job_status(job: Object) -> str:
    holds = {
        each.get("type")
        for each in at(job, "status", "conditions", otherwise=())
        if each.get("status") == "True"
    }
    for condition, shown in _JOB_ORDER:
        if condition in holds or (not condition and job["metadata"].get("deletionTimestamp")):
            return shown
    return "Running"


def _completions(job: Object) -> str:
    done = at(job, "status", "succeeded", otherwise=0)
    wanted = at(job, "spec", "completions")
    if wanted is not None:
        return f"{done}/{wanted}"
    parallelism = at(job, "spec", "parallelism", otherwise=0)
    return f"{done}/1 of {parallelism}" if parallelism > 1 else f"{done}/1"


def _duration(job: Object, now: datetime) -> str:
    started, ended = at(job, "status", "startTime"), at(job, "status", "completionTime")
    return seconds_between(started, ended or now) if started else ""


def _suspended(job: Object) -> str:
    found = at(job, "spec", "suspend")
    return UNSET if found is None else str(bool(found))


def _owner(obj: Object) -> str:
    for each in obj["metadata"].get("ownerReferences") or ():
        if each.get("controller"):
            group = str(each.get("apiVersion", "")).rpartition("/")[0]
            kind = str(each.get("kind", "")).lower()
            return f"{kind}.{group}/{each.get('name')}" if group else f"{kind}/{each.get('name')}"
    return NONE


def _set(kind_selector: Cell) -> tuple[Cell, ...]:
    desired = number("spec", "replicas")
    counts = (desired, number("status", "replicas"), number("status", "readyReplicas"))
    return (name, *counts, age, *_TEMPLATE, kind_selector)


def _bound(member: str) -> Cell:
    return of(lambda obj: str(at(obj, "spec", member, otherwise="N/A")))


def _labels_at(*names: str) -> Cell:
    return of(lambda obj: labels(at(obj, *names)))


_DAEMONS = (
    "desiredNumberScheduled",
    "currentNumberScheduled",
    "numberReady",
    "updatedNumberScheduled",
    "numberAvailable",
)
_JOB_TEMPLATE = ("spec", "jobTemplate", "spec")
_SELECTOR: Cell = selector_at("spec", "selector")
WORKLOADS: dict[tuple[str, str], tuple[Cell, ...]] = {
    ("", "pods"): POD,
    ("", "podtemplates"): (name, *containers("template"), _labels_at("template", "metadata", "labels")),
    ("", "replicationcontrollers"): _set(_labels_at("spec", "selector")),
    ("apps", "replicasets"): _set(_SELECTOR),
    ("apps", "deployments"): (
        name,
        _ready("readyReplicas"),
        number("status", "updatedReplicas"),
        number("status", "availableReplicas"),
        age,
        *_TEMPLATE,
        _SELECTOR,
    ),
    ("apps", "statefulsets"): (name, _ready("readyReplicas"), age, *_TEMPLATE),
    ("apps", "daemonsets"): (
        name,
        *(number("status", each) for each in _DAEMONS),
        _labels_at("spec", "template", "spec", "nodeSelector"),
        age,
        *_TEMPLATE,
        _SELECTOR,
    ),
    ("apps", "controllerrevisions"): (name, of(_owner), number("revision"), age),
    ("batch", "jobs"): (name, of(_job_status), of(_completions), _duration, age, *_TEMPLATE, _SELECTOR),
    ("batch", "cronjobs"): (
        name,
        path("spec", "schedule"),
        path("spec", "timeZone", otherwise=NONE),
        of(_suspended),
        count("status", "active"),
        since("status", "lastScheduleTime"),
        age,
        *containers(*_JOB_TEMPLATE, "template"),
        selector_at(*_JOB_TEMPLATE, "selector"),
    ),
    ("autoscaling", "horizontalpodautoscalers"): AUTOSCALER,
    ("policy", "poddisruptionbudgets"): (
        name,
        _bound("minAvailable"),
        _bound("maxUnavailable"),
        number("status", "disruptionsAllowed"),
        age,
    ),
}
