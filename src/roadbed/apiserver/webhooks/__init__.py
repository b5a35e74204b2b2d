"""Asking programs outside, over HTTPS: the caller of admission and conversion webhooks.

What lives here knows addresses, certificates and timeouts, and asks with JSON. What is asked and what an answer
means is admission's (``apiserver.policies``, ``apiserver.interception``) or conversion's (``apiserver.crd``).
"""

from .caller import Caller, WebhookCallError
from .target import Target, config_causes

__all__ = ["Caller", "Target", "WebhookCallError", "config_causes"]
