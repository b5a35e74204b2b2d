"""What makes an object of a built-in kind invalid, in Kubernetes' words: beyond what its schema says.

Only pure functions from an object (and what it was) to causes may live here, one module per group of kinds;
``JUDGES`` names the function of each kind. The common mistakes of each kind are judged, not every corner.

Source: k8s.io/kubernetes/pkg/apis/*/validation/validation.go.
"""

from __future__ import annotations

from collections.abc import Callable

from roadbed.apimachinery.errors import Cause
from roadbed.apimachinery.request import Object
from roadbed.apiserver.policies import judging as policies
from roadbed.apiserver.webhooks import judging as webhooks

from . import (
    access,
    addresses,
    autoscalers,
    endpoints,
    flow,
    network,
    others,
    pods,
    quotas,
    registrations,
    services,
    workloads,
)

__all__ = ["JUDGES", "enumerated", "services"]

_RBAC = "rbac.authorization.k8s.io"
_ADMISSION = "admissionregistration.k8s.io"
JUDGES: dict[tuple[str, str], Callable[[Object, Object | None], list[Cause]]] = {
    ("", "pods"): pods.judge,
    ("", "podtemplates"): pods.pod_template,
    ("", "replicationcontrollers"): workloads.controller,
    ("", "services"): services.judge,
    ("", "endpoints"): endpoints.endpoints,
    ("", "resourcequotas"): quotas.quota,
    ("", "limitranges"): quotas.limit_range,
    ("", "persistentvolumes"): others.volume,
    ("", "persistentvolumeclaims"): others.claim,
    ("apps", "deployments"): workloads.deployment,
    ("apps", "replicasets"): workloads.replica_set,
    ("apps", "statefulsets"): workloads.stateful_set,
    ("apps", "daemonsets"): workloads.daemon_set,
    ("batch", "jobs"): workloads.job,
    ("batch", "cronjobs"): workloads.cron_job,
    ("autoscaling", "horizontalpodautoscalers"): autoscalers.autoscaler,
    ("policy", "poddisruptionbudgets"): workloads.disruption_budget,
    ("networking.k8s.io", "ingresses"): network.ingress,
    ("networking.k8s.io", "ingressclasses"): network.ingress_class,
    ("networking.k8s.io", "networkpolicies"): network.network_policy,
    ("networking.k8s.io", "ipaddresses"): addresses.ip_address,
    ("networking.k8s.io", "servicecidrs"): addresses.service_cidr,
    ("node.k8s.io", "runtimeclasses"): addresses.runtime_class,
    ("discovery.k8s.io", "endpointslices"): endpoints.endpoint_slice,
    ("resource.k8s.io", "resourceclaims"): others.settled,
    ("resource.k8s.io", "resourceclaimtemplates"): others.settled,
    ("storage.k8s.io", "csistoragecapacities"): others.capacity,
    ("storage.k8s.io", "volumeattachments"): others.attachment,
    ("storage.k8s.io", "storageclasses"): others.storage_class,
    ("storage.k8s.io", "volumeattributesclasses"): others.attributes_class,
    ("scheduling.k8s.io", "priorityclasses"): others.priority_class,
    ("apiregistration.k8s.io", "apiservices"): registrations.api_service,
    ("certificates.k8s.io", "certificatesigningrequests"): others.certificate_request,
    ("flowcontrol.apiserver.k8s.io", "flowschemas"): flow.flow_schema,
    ("flowcontrol.apiserver.k8s.io", "prioritylevelconfigurations"): flow.priority_level,
    (_RBAC, "roles"): access.role,
    (_RBAC, "clusterroles"): access.role,
    (_RBAC, "rolebindings"): access.binding,
    (_RBAC, "clusterrolebindings"): access.binding,
    **{(_ADMISSION, plural): judge for plural, judge in webhooks.JUDGES.items()},
    **{(_ADMISSION, plural): judge for plural, judge in policies.JUDGES.items()},
}
"""By group and plural."""
