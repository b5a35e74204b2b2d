"""Shows what differs between our server and the recordings: ``python -m tests.acceptance.kubectl.compare newest [story…]``.

For whoever works on a difference. It starts our server, runs the stories, prints every difference and a count at the
end, those that ``accepted.yaml`` lists too.
"""

from __future__ import annotations

import difflib
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from .stories import play, programs, read, recorded


def main() -> None:
    """Compare with one client, all stories or those named."""
    client, *names = sys.argv[1:] or ["newest"]
    theirs, count, shown = recorded(client), 0, 0
    with tempfile.TemporaryDirectory(prefix="kubectl-table-") as name:
        folder = Path(name)
        command = [sys.executable, "-m", "roadbed", "apiserver", "--secure-port=0", "--controllers"]
        server = subprocess.Popen(
            [*command, f"--write-kubeconfig={folder / 'kubeconfig'}"], stdout=subprocess.PIPE, text=True
        )
        with server.stdout as output:  # type: ignore[union-attr]  # it is a pipe
            output.readline()
            for story in read():
                if names and story.name not in names:
                    continue
                ours = play(story, programs()[client], folder / "kubeconfig", folder / story.name)
                for real, own in zip(theirs[story.name], ours, strict=True):
                    count += 1
                    if real != own:
                        shown += 1
                        sys.stdout.write(f"##### {story.name}: {real['run']}\n{_difference(real, own)}\n")
            server.terminate()
            server.wait()
    sys.stdout.write(f"{shown} of {count} commands differ\n")


def _difference(real: dict[str, Any], own: dict[str, Any]) -> str:
    lines: list[str] = []
    for name in ("code", "out", "err"):
        pair = [str(answer.get(name, "")).split("\n") for answer in (real, own)]
        lines += difflib.unified_diff(*pair, f"{name}, real", f"{name}, ours", lineterm="", n=1)
    return "\n".join(lines)


if __name__ == "__main__":
    main()
