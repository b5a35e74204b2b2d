"""The defaults of the Go types, by type: what Kubernetes' ``SetDefaults_*`` functions put in where nothing stands.

Only functions that change one struct of a named type in place may live here, one module per group of types.
A rule finds empties left out already, and is called before the rules of what is below. Plain ``+default``
markers are in the schemas.

Source: k8s.io/kubernetes/pkg/apis/*/v*/defaults.go.
"""

from .filling import Rule
from .network import NETWORK
from .others import OTHERS
from .pods import PODS
from .workloads import WORKLOADS

__all__ = ["RULES", "Rule"]

RULES: dict[str, Rule] = PODS | WORKLOADS | NETWORK | OTHERS
"""By type name without ``io.k8s.api.``: ``apps.v1.Deployment``."""
