"""Kubernetes' own admission plug-ins that matter to stored objects: what they fill in, what they refuse.

One module per group of kinds; each plug-in keeps its name in its docstring. They read other objects of the cluster
and ask the authorizer; what needs nodes or running pods is not here. Quotas and limits are ``quota``.
"""

from .certificates import CertificateChecks
from .defaults import Defaults

__all__ = ["CertificateChecks", "Defaults"]
