"""What policies and webhooks tell the audit log, as recorded from kube-apiserver with the same configurations."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from roadbed.apimachinery.request import User
from roadbed.apis.core import CONFIGMAPS
from roadbed.apiserver.audit import AuditLog, Auditor, Policy
from roadbed.testing import ControlPlane, control_plane

GROUP = "admissionregistration.k8s.io"
RULES = [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"]}]
VALIDATIONS = [
    {"expression": "object.metadata.name != 'a'", "message": "no a"},
    {"expression": "object.metadata.name == 'x'", "message": "not x"},
]
NOTES = [
    {"key": "who", "valueExpression": "request.userInfo.username + ' wrote ' + object.metadata.name"},
    {"key": "none", "valueExpression": "null"},
]
FAILURE = '[{"message":"no a","policy":"p1","binding":"b1","expressionIndex":0,"validationActions":["Audit","Warn"]}]'


def dead_webhook(kind: str) -> dict[str, Any]:
    """Give a configuration whose webhook nobody answers for, and that lets writes pass then."""
    hook = {
        "name": f"{kind.lower()}.example.org",
        "clientConfig": {"url": "https://127.0.0.1:1/dead"},
        "rules": RULES,
        "sideEffects": "None",
        "failurePolicy": "Ignore",
        "admissionReviewVersions": ["v1"],
    }
    return made(f"{kind}WebhookConfiguration", "w", webhooks=[hook])


def made(kind: str, name: str, **members: Any) -> dict[str, Any]:
    return {"apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": {"name": name}, **members}


async def configure(plane: ControlPlane) -> None:
    spec = {
        "matchConstraints": {"resourceRules": RULES},
        "validations": VALIDATIONS,
        "auditAnnotations": NOTES,
    }
    bound = {"policyName": "p1", "validationActions": ["Audit", "Warn"]}
    await plane.create(
        made("ValidatingAdmissionPolicy", "p1", spec=spec),
        made("ValidatingAdmissionPolicyBinding", "b1", spec=bound),
        dead_webhook("Validating"),
        dead_webhook("Mutating"),
    )


async def test_annotations_of_admission_reach_the_audit_event(tmp_path: Path) -> None:
    """They were collected and dropped."""
    async with control_plane(crds=()) as plane:
        await configure(plane)
        rules = Policy.of(
            {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": "Metadata"}]}
        )
        log = AuditLog(tmp_path / "audit.log")
        now = datetime(2026, 1, 1, tzinfo=UTC)
        plane.server.audit(Auditor(rules, log, lambda: now, plane.access.authorizer.explain))
        root = plane.as_user(User("root", ("system:masters",)))
        await root.create(CONFIGMAPS, {"metadata": {"name": "a", "namespace": "default"}})
        log.close()
    *_, last = map(orjson.loads, (tmp_path / "audit.log").read_bytes().splitlines())
    found = {name: each for name, each in last["annotations"].items() if "authorization" not in name}
    assert found == {
        "failed-open.mutation.webhook.admission.k8s.io/round_0_index_0": "mutating.example.org",
        "failed-open.validating.webhook.admission.k8s.io/round_0_index_0": "validating.example.org",
        "mutation.webhook.admission.k8s.io/round_0_index_0": (
            '{"configuration":"w","webhook":"mutating.example.org","mutated":false}'
        ),
        "p1/who": "root wrote a",
        "validation.policy.admission.k8s.io/validation_failure": FAILURE,
    }
