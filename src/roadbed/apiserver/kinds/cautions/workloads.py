"""What is said about pods and what makes them: only where their template changed, as nobody reads it otherwise. Pure.

Source: the strategies of these kinds in k8s.io/kubernetes/pkg/registry, and pkg/api/job/warnings.go.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from roadbed.apimachinery.names import dns_label_errors
from roadbed.apimachinery.request import Object
from roadbed.apiserver.kinds.judging.findings import items, part

from . import pods, storage

_POD_NAMES: Final = "this is used in Pod names and hostnames"
_POD_NAME: Final = "this is used in the Pod's hostname"
_HISTORY: Final = "spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended"
_ZONE: Final = (
    "cannot use TZ or CRON_TZ in spec.spec.schedule, use timeZone instead, see "
    "https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details"
)
_INDEXES: Final = (
    "In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, Kubernetes might "
    "not be able to track completedIndexes when a big number of indexes fail"
)
_MANY_COMPLETIONS, _MUCH_PARALLELISM = 100_000, 10_000


def pod(obj: Object, old: Object | None) -> Iterator[str]:
    """Warn about a new pod."""
    if old is None:
        yield from _named(obj, _POD_NAME)
        yield from pods.pod_of(obj, "")


def pod_template(obj: Object, old: Object | None) -> Iterator[str]:
    """Warn about a PodTemplate."""
    if old is None or obj.get("template") != old.get("template"):
        yield from pods.pod_of(part(obj, "template"), "template")


def controller(obj: Object, old: Object | None) -> Iterator[str]:
    """Warn about a ReplicationController; of a changed one, as Kubernetes, about what it was."""
    if old is None:
        yield from _named(obj, _POD_NAMES)
    if _is_new(obj, old):
        yield from pods.pod_of(part(obj if old is None else old, "spec", "template"), "spec.template")


def deployment(obj: Object, old: Object | None) -> Iterator[str]:
    """Warn about a Deployment, whose annotations are part of what it wants."""
    if old is None:
        yield from _named(obj, _POD_NAMES)
    if _is_new(obj, old) or _annotations(obj) != _annotations(old):
        yield from _template(obj)


def replica_set(obj: Object, old: Object | None) -> Iterator[str]:
    """Warn about a ReplicaSet."""
    if old is None:
        yield from _named(obj, _POD_NAMES)
    if _is_new(obj, old):
        yield from _template(obj)


def stateful_set(obj: Object, old: Object | None) -> Iterator[str]:
    """Warn about a StatefulSet and its claims."""
    if _is_new(obj, old):
        yield from _template(obj)
    for at, each in items(part(obj, "spec"), "volumeClaimTemplates", "spec"):
        yield from storage.claim_spec(part(each, "spec"), f"{at}.spec" if old is None else f"{at}.Spec")
    if (part(obj, "spec").get("revisionHistoryLimit") or 0) < 0:
        yield _HISTORY


def daemon_set(obj: Object, old: Object | None) -> Iterator[str]:
    """Warn about a DaemonSet."""
    if old is None or part(obj, "spec").get("template") != part(old, "spec").get("template"):
        yield from _template(obj)


def job(obj: Object, old: Object | None) -> Iterator[str]:
    """Warn about a Job."""
    if old is None:
        yield from _named(obj, _POD_NAMES)
    if _is_new(obj, old):
        yield from _job_spec(part(obj, "spec"), "spec")


def cron_job(obj: Object, old: Object | None) -> Iterator[str]:
    """Warn about a CronJob, and of a changed one that has its time zone in its schedule."""
    if old is None:
        yield from _named(obj, _POD_NAMES)
    if _is_new(obj, old):
        yield from _job_spec(part(obj, "spec", "jobTemplate", "spec"), "spec.jobTemplate.spec")
    if old is not None and "TZ" in str(part(obj, "spec").get("schedule")):
        yield _ZONE


def _job_spec(spec: dict[str, Any], path: str) -> Iterator[str]:
    if (
        spec.get("completionMode") == "Indexed"
        and (spec.get("completions") or 0) > _MANY_COMPLETIONS
        and (spec.get("parallelism") or 0) > _MUCH_PARALLELISM
    ):
        yield f"{path}: {_INDEXES}"
    yield from pods.pod_of(part(spec, "template"), f"{path}.template")


def _is_new(obj: Object, old: Object | None) -> bool:
    return old is None or obj.get("spec") != old.get("spec")


def _annotations(obj: Object | None) -> dict[str, str]:
    return {} if obj is None else obj["metadata"].get("annotations") or {}


def _template(obj: Object) -> Iterator[str]:
    return pods.pod_of(part(obj, "spec", "template"), "spec.template")


def _named(obj: Object, where: str) -> Iterator[str]:
    errors = dns_label_errors(str(obj["metadata"].get("name") or ""))
    if errors:
        yield (
            f"metadata.name: {where}, which can result in surprising behavior; a DNS label is recommended: "
            f"[{' '.join(errors)}]"
        )
