"""An audit log by the flags of a process: both of them, or a clear refusal."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from roadbed.apiserver.audit import PolicyError, Rotation, open_auditor
from roadbed.interfaces.cli.server.flags import parse

WORDS = [
    "--audit-policy-file=p.yaml",
    "--audit-log-path",
    "a.log",
    "--audit-log-maxsize=5",
    "--audit-log-maxbackup=3",
    "--audit-log-maxage=7",
]
POLICY = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n"


def opened(policy: Path | None, path: Path | None):  # type: ignore[no-untyped-def]
    return open_auditor(
        policy, path, Rotation(), clock=lambda: datetime.now(UTC), explain=lambda *_: (True, "")
    )


def test_the_flags_are_those_of_kube_apiserver() -> None:
    options = parse(WORDS)
    assert (options.audit_policy_file, options.audit_log_path) == (Path("p.yaml"), Path("a.log"))
    bounds = (options.audit_log_maxsize, options.audit_log_maxbackup, options.audit_log_maxage)
    assert bounds == (5, 3, 7)


def test_one_without_the_other_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="--audit-log-path is missing"):
        opened(tmp_path / "p.yaml", None)
    with pytest.raises(PolicyError, match="--audit-policy-file is missing"):
        opened(None, tmp_path / "a.log")
    assert opened(None, None) is None


def test_a_file_that_is_no_policy_or_a_place_that_is_none_is_named(tmp_path: Path) -> None:
    policy = tmp_path / "p.yaml"
    with pytest.raises(PolicyError, match=r"cannot read .*p\.yaml"):
        opened(policy, tmp_path / "a.log")
    policy.write_text("kind: [")
    with pytest.raises(PolicyError, match=r"p\.yaml: "):
        opened(policy, tmp_path / "a.log")
    policy.write_text(POLICY)
    with pytest.raises(PolicyError, match=r"cannot write the audit log .*a\.log"):
        opened(policy, tmp_path / "nowhere" / "a.log")
    auditor = opened(policy, tmp_path / "a.log")
    auditor.log.close()
