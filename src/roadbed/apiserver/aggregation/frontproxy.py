"""How other servers learn whom to believe: the ConfigMap that every server built on Kubernetes' library reads.

``Access`` has it written at start. It names the CA of clients, and whose certificate may say in headers who asks: that
of this server alone, by its name, as the same CA signs other clients, too.

Source: k8s.io/kubernetes/pkg/controlplane/controller/clusterauthenticationtrust.
"""

from __future__ import annotations

from typing import Final

from roadbed.apimachinery.request import Object

NAME: Final = "front-proxy-client"
"""The name that is reserved for this server; nobody else may get a certificate for it."""


def configuration(ca_pem: str) -> Object:
    """Give the ConfigMap; ``ca_pem`` signs clients and this server's own certificate as one."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "extension-apiserver-authentication", "namespace": "kube-system"},
        "data": {
            "client-ca-file": ca_pem,
            "requestheader-allowed-names": f'["{NAME}"]',
            "requestheader-client-ca-file": ca_pem,
            "requestheader-extra-headers-prefix": '["X-Remote-Extra-"]',
            "requestheader-group-headers": '["X-Remote-Group"]',
            "requestheader-uid-headers": '["X-Remote-Uid"]',
            "requestheader-username-headers": '["X-Remote-User"]',
        },
    }
