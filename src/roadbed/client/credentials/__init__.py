"""What a kubeconfig says about reaching a server: who it is, who we are, and how both are proved.

Only what turns kubeconfig files into a TLS context and a header lives here; requests are made by ``client.http``.
"""

from .kubeconfigs import Target, read_kubeconfigs
from .proofs import Credentials, Proof, credentials_for
from .tls import tls_context

__all__ = ["Credentials", "Proof", "Target", "credentials_for", "read_kubeconfigs", "tls_context"]
