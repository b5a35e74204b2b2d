"""What each subresource of a signing request may write; the corpus compares the usual course with Kubernetes."""

from __future__ import annotations

from typing import Any

from roadbed.apiserver.kinds import signing

NOW = "2024-01-01T00:00:00Z"


def request(*types: str, certificate: str = "", state: str = "True") -> dict[str, Any]:
    status: dict[str, Any] = {
        "conditions": [{"type": each, "status": state, "reason": each} for each in types]
    }
    return {"status": {**status, "certificate": certificate} if certificate else status}


def told(new: dict[str, Any], old: dict[str, Any], subresource: str) -> list[str]:
    return [cause.message for cause in signing.move_on(new, old, subresource, NOW)]


def test_an_approver_gives_a_verdict_and_no_certificate() -> None:
    new = request("Approved", certificate="YQ==")
    assert told(new, request(), "approval") == []
    assert "certificate" not in new["status"]
    (condition,) = new["status"]["conditions"]
    assert (condition["lastUpdateTime"], condition["lastTransitionTime"]) == (NOW, NOW)


def test_a_signer_gives_a_certificate_once_and_no_verdict() -> None:
    assert told(request("Approved", certificate="YQ=="), request("Approved"), "status") == []
    (text,) = told(request("Approved"), request(), "status")
    assert 'may not add a condition of type "Approved"' in text
    (text,) = told(request(certificate="Yg=="), request(certificate="YQ=="), "status")
    assert "may not modify existing certificate content" in text
    changed = {"status": {"conditions": [{"type": "Approved", "status": "True", "reason": "Other"}]}}
    assert told(changed, request("Approved"), "status") == []
    assert changed["status"]["conditions"][0]["reason"] == "Approved"


def test_verdicts_exclude_each_other_and_stay() -> None:
    (text,) = told(request("Approved", "Denied"), request("Approved"), "approval")
    assert "mutually exclusive" in text
    (text,) = told(request(), request("Denied"), "approval")
    assert 'may not remove a condition of type "Denied"' in text
    (text,) = told(request("Approved", state="False"), request(), "approval")
    assert 'supported values: "True"' in text
