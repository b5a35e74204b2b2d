"""Records the table on the real API server: ``python -m tests.acceptance.kubectl.record``; ``make oracle`` runs it.

Each client gets a server of its own. The table is then run once more on another: what differs between the two can't be
compared, is shown, and fails the recording; ``--once`` leaves the second run out. ``… record build`` makes the kubectls.
Nothing but ``recordings`` is written.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml
from tests.oracle.peer import CONTROLLERS, PUBLISHER, Peer
from tests.oracle.peer import HERE as ORACLE

from .stories import CLIENTS, HERE, play, programs, read


def build(folder: Path = ORACLE / "bin") -> None:
    """Build kubectls; a few minutes the first time.

    Raises:
        subprocess.CalledProcessError: the build failed; its output was shown.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for client in CLIENTS:
        module = ORACLE / f"kubectl-{client}"
        listed = ["go", "list", "-m", "-f", "{{.Version}}", "k8s.io/kubectl"]
        version = subprocess.run(
            listed, cwd=module, check=True, capture_output=True, text=True
        ).stdout.strip()
        stamp = f"-s -w -X k8s.io/component-base/version.gitVersion=v1{version.removeprefix('v0')}"
        command = [
            "go",
            "build",
            "-trimpath",
            "-ldflags",
            stamp,
            "-o",
            str(folder / f"kubectl-{client}"),
            ".",
        ]
        subprocess.run(command, cwd=module, check=True)


def record(client: str, kubectl: Path) -> dict[str, list[dict[str, Any]]]:
    """Run the whole table on a new real server."""
    with tempfile.TemporaryDirectory(prefix="kubectl-table-") as name:
        folder = Path(name)
        (folder / "peer").mkdir()
        with Peer(folder / "peer", controllers=(*CONTROLLERS, PUBLISHER)) as peer:
            return {
                story.name: play(story, kubectl, peer.kubeconfig, folder / story.name) for story in read()
            }


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks, so that a change can be read."""


_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None
    ),
)


def main() -> None:
    """Record with every client that is built."""
    if sys.argv[1:] == ["build"]:
        build()
        return
    unsteady = []
    for client, kubectl in programs().items():
        first = record(client, kubectl)
        path = HERE / "recordings" / f"{client}.yaml"
        path.write_text(yaml.dump(first, Dumper=_Dumper, sort_keys=False, width=10_000, allow_unicode=True))
        sys.stdout.write(f"{path}: {sum(map(len, first.values()))} commands\n")
        if "--once" not in sys.argv:
            unsteady += _unsteady(first, record(client, kubectl))
    sys.exit("\n".join(["two runs differ in:", *unsteady]) if unsteady else 0)


def _unsteady(first: dict[str, list[dict[str, Any]]], second: dict[str, list[dict[str, Any]]]) -> list[str]:
    return [
        f"{story}: {yaml.dump(one)}\n{yaml.dump(other)}"
        for story, steps in first.items()
        for one, other in zip(steps, second[story], strict=True)
        if one != other
    ]


if __name__ == "__main__":
    main()
