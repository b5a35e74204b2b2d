"""The stages of admission in Kubernetes' order, made from the parts of one server.

Called once, by ``ApiServer``. Each stage reads its configuration from the objects of the cluster, so nothing has to
be told when they change.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence

from .admitters import CertificateChecks, Defaults
from .authz import Rbac
from .context import Core
from .escalation import EscalationGuard
from .local import LocalTransport
from .matching import CONFIGURATION_GROUP, Cluster
from .policies import mutating as mutating_policies
from .policies import validating as validating_policies
from .policies.binding import Policies
from .policies.evaluation import Evaluation
from .policies.mutating import MutatingPolicies
from .policies.typechecking import TypeChecks
from .policies.validating import ValidatingPolicies
from .ports import Authorizer
from .quota import Quotas
from .quota.limits import Limits
from .webhooks import Caller
from .webhooks.hooks import Hooks
from .webhooks.mutating import MutatingWebhooks
from .webhooks.reviews import Reviewing
from .webhooks.validating import ValidatingWebhooks

_CONFIGURATION = (
    ("", "v1", "limitranges"),
    ("", "v1", "resourcequotas"),
    (CONFIGURATION_GROUP, "v1", "mutatingwebhookconfigurations"),
    (CONFIGURATION_GROUP, "v1", "validatingwebhookconfigurations"),
    (CONFIGURATION_GROUP, "v1", "validatingadmissionpolicies"),
    (CONFIGURATION_GROUP, "v1", "validatingadmissionpolicybindings"),
    (CONFIGURATION_GROUP, "v1beta1", "mutatingadmissionpolicies"),
    (CONFIGURATION_GROUP, "v1beta1", "mutatingadmissionpolicybindings"),
)
Keeper = Callable[[LocalTransport], Coroutine[None, None, None]]


def intercept(core: Core, caller: Caller, authorizer: Authorizer) -> Sequence[Keeper]:
    """Put every built-in stage into the server's admission chain; gives what has to run beside it.

    ``authorizer`` is asked what expressions and checks ask; the server's own counts requests only.
    """
    cluster = Cluster(core.registry)
    evaluation = Evaluation(cluster, authorizer, core.beside)
    reviewing = Reviewing(caller, cluster)

    def hooks(plural: str) -> Hooks:
        return Hooks(core.registry, core.hub, plural, cluster)

    validating = Policies(
        core.registry, core.hub, cluster, ("v1", "validating"), validating_policies.read_body
    )
    mutating = Policies(
        core.registry, core.hub, cluster, ("v1beta1", "mutating"), mutating_policies.read_body
    )
    quotas = Quotas(core.registry, core.hub)
    limits = Limits(core.registry, core.hub)
    core.admission.chain(
        mutators=[
            ("LimitRanger", limits),
            ("Defaults", Defaults(core.registry)),
            ("MutatingAdmissionPolicy", MutatingPolicies(mutating, evaluation, cluster)),
            (
                "MutatingAdmissionWebhook",
                MutatingWebhooks(hooks("mutatingwebhookconfigurations"), reviewing, evaluation),
            ),
        ],
        validators=[
            *([("EscalationGuard", EscalationGuard(authorizer))] if isinstance(authorizer, Rbac) else ()),
            ("LimitRanger", limits),
            ("CertificateChecks", CertificateChecks(authorizer)),
            ("ValidatingAdmissionPolicy", ValidatingPolicies(validating, evaluation)),
            (
                "ValidatingAdmissionWebhook",
                ValidatingWebhooks(hooks("validatingwebhookconfigurations"), reviewing, evaluation),
            ),
            ("ResourceQuota", quotas),
        ],
        kinds=core.registry,
    )
    for group, version, plural in _CONFIGURATION:
        served = core.registry.find(group, version, plural)
        if served is not None:
            core.hub.observe(served.home, lambda _: core.admission.forget())
    return (quotas.run, TypeChecks(core.registry, core.hub).run)
