"""Webhooks: asking programs outside over HTTPS, and admission by those that configurations name.

What lives here knows addresses, certificates, timeouts and AdmissionReviews. The caller is also conversion's
(``apiserver.crd``). Nothing here knows CEL (that is ``policies``) or stores anything.
"""

from .caller import Caller, WebhookCallError
from .target import Target, address_causes, bundle_causes, config_causes

__all__ = ["Caller", "Target", "WebhookCallError", "address_causes", "bundle_causes", "config_causes"]
