"""What the writer of a valid built-in object is warned of, in Kubernetes' words: what is deprecated, ignored or ambiguous.

Only pure functions from an object (and what it was) to texts may live here, one module per group of kinds;
``CAUTIONS`` names the function of each kind. ``facts`` imports this with the first write of such a kind, and asks
after every write that is valid; a write of a subresource is not asked about.

Source: WarningsOnCreate and WarningsOnUpdate in k8s.io/kubernetes/pkg/registry/*/*/strategy.go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from roadbed.apimachinery.request import Object

from . import network, nodes, storage, workloads

__all__ = ["CAUTIONS"]

Caution = Callable[[Object, Object | None], Iterable[str]]
CAUTIONS: dict[tuple[str, str], Caution] = {
    ("", "pods"): workloads.pod,
    ("", "podtemplates"): workloads.pod_template,
    ("", "replicationcontrollers"): workloads.controller,
    ("apps", "deployments"): workloads.deployment,
    ("apps", "replicasets"): workloads.replica_set,
    ("apps", "statefulsets"): workloads.stateful_set,
    ("apps", "daemonsets"): workloads.daemon_set,
    ("batch", "jobs"): workloads.job,
    ("batch", "cronjobs"): workloads.cron_job,
    ("", "services"): network.service,
    ("", "endpoints"): network.endpoints,
    ("discovery.k8s.io", "endpointslices"): network.endpoint_slice,
    ("networking.k8s.io", "ingresses"): network.ingress,
    ("networking.k8s.io", "networkpolicies"): network.network_policy,
    ("", "nodes"): nodes.node,
    ("node.k8s.io", "runtimeclasses"): nodes.runtime_class,
    ("resource.k8s.io", "resourceslices"): nodes.resource_slice,
    ("", "serviceaccounts"): nodes.account,
    ("", "resourcequotas"): nodes.quota,
    ("", "persistentvolumes"): storage.volume,
    ("", "persistentvolumeclaims"): storage.claim,
    ("storage.k8s.io", "storageclasses"): storage.storage_class,
    ("storage.k8s.io", "csistoragecapacities"): storage.capacity,
    ("storage.k8s.io", "csidrivers"): storage.driver,
}
"""By group and plural."""
