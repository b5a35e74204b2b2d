"""The families that the real server prints at ``/metrics``, with their types and labels.

``python -m tests.oracle.metrics`` asks it, audit log and a user who is not exempt from priority included, and writes
``tests/apiserver/recordings/metrics.json``. What Go's runtime tells of itself (``go_*``) is left out.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

TARGET = Path(__file__).resolve().parents[1] / "apiserver/recordings/metrics.json"
POLICY = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata}]\n"
_TYPE = re.compile(r"# TYPE (\S+) (\S+)")
_SAMPLE = re.compile(r"([a-zA-Z_:]+)(?:\{(.*)\})? \S+")
_ENDS = re.compile(r"_(bucket|sum|count)$")


def families(text: str) -> Mapping[str, Any]:
    """Give type and label names of each family of a document, but for those of Go's runtime."""
    found: dict[str, Any] = {}
    for line in text.splitlines():
        kind = _TYPE.match(line)
        if kind is not None:
            found[kind[1]] = {"type": kind[2], "labels": []}
        sample = None if line.startswith("#") else _SAMPLE.match(line)
        if sample is not None:
            name = sample[1] if sample[1] in found else _ENDS.sub("", sample[1])
            labels = set(re.findall(r'([a-z_A-Z]+)="(?:[^"\\\\]|\\\\.)*"', sample[2] or ""))
            found[name]["labels"] = sorted({*found[name]["labels"], *labels} - {"le", "quantile"})
    return {name: found[name] for name in sorted(found) if not name.startswith("go_")}


def _record() -> None:
    import httpx2 as httpx
    from tests.oracle.peer import Peer

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "policy.yaml").write_text(POLICY)
        flags = [
            f"--audit-policy-file={folder / 'policy.yaml'}",
            f"--audit-log-path={folder / 'audit.log'}",
        ]
        with (
            Peer(folder, flags=flags) as peer,
            httpx.Client(
                base_url=f"https://127.0.0.1:{peer.port}",
                verify=str(folder / "ca.pem"),
                headers={"authorization": f"Bearer {peer.token}"},
            ) as client,
        ):
            client.get("/api/v1/namespaces", headers={"impersonate-user": "ann"})
            found = families(client.get("/metrics").text)
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(each)}" for name, each in found.items())
    TARGET.write_text(f"{{\n{lines}\n}}\n")
    sys.stdout.write(f"{TARGET.name}: {len(found)} families\n")


if __name__ == "__main__":
    _record()
