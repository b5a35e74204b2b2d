"""CertificateApproval, CertificateSigning and CertificateSubjectRestriction: who may move a signing request on.

One validator. Approving and signing take a right on the request's signer, beside the right to write the subresource.

Source: k8s.io/kubernetes/plugin/pkg/admission/certificates.
"""

from __future__ import annotations

import base64
import binascii

from cryptography import x509
from cryptography.x509.oid import NameOID

from roadbed.apimachinery.admission import AdmissionRequest
from roadbed.apimachinery.causes import go_quote
from roadbed.apimachinery.errors import ForbiddenError
from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.request import Object
from roadbed.apiserver.matching import refusal
from roadbed.apiserver.ports import Attributes, Authorizer

GROUP = "certificates.k8s.io"
CLIENT_SIGNER = "kubernetes.io/kube-apiserver-client"


class CertificateChecks:
    """The validator."""

    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer = authorizer

    def sees(self, resource: Resource) -> bool:
        """Say whether it is signing requests."""
        return resource.group == GROUP and resource.plural == "certificatesigningrequests"

    async def validate(self, request: AdmissionRequest) -> None:
        """Return when the writer may.

        Raises:
            ForbiddenError: the writer lacks the right on the signer, or the request asks for system:masters.
        """
        obj, old = request.object, request.old
        if request.operation == "CREATE" and not request.subresource and obj is not None:
            _check_subject(request, obj)
        if request.operation != "UPDATE" or obj is None or old is None:
            return
        signer = str((old.get("spec") or {}).get("signerName") or "")
        if request.subresource == "approval":
            self._check(request, "approve", signer)
        elif request.subresource == "status":
            was, becomes = old.get("status") or {}, obj.get("status") or {}
            if any(was.get(name) != becomes.get(name) for name in ("certificate", "conditions")):
                self._check(request, "sign", signer)

    def _check(self, request: AdmissionRequest, verb: str, signer: str) -> None:
        domain = signer.partition("/")[0]
        for name in (signer, f"{domain}/*"):
            try:
                self._authorizer.check(
                    request.user, Attributes(verb, group=GROUP, resource="signers", name=name)
                )
            except ForbiddenError:
                continue
            return
        raise refusal(request, f"user not permitted to {verb} requests with signerName {go_quote(signer)}")


def _check_subject(request: AdmissionRequest, obj: Object) -> None:
    spec = obj.get("spec") or {}
    if spec.get("signerName") != CLIENT_SIGNER:
        return
    try:
        asked = x509.load_pem_x509_csr(base64.b64decode(str(spec.get("request") or "")))
    except (ValueError, binascii.Error) as error:
        raise refusal(request, f"failed to parse CSR: {error}") from error
    organisations = asked.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    if any(each.value == "system:masters" for each in organisations):
        raise refusal(request, f"use of {CLIENT_SIGNER} signer with system:masters group is not allowed")
