"""Asks Kubernetes' own CEL environment again what expressions give and cost, and stores it.

``make oracle`` runs it. The subjects and expressions are those of the golden file itself: write a new one there, with
any cost, and run this.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.oracle.peer import HERE, programs

GOLDEN = HERE.parent / "apimachinery" / "golden" / "cel_costs.json"


def record(program: Path) -> None:
    """Run the program over the golden file.

    Raises:
        subprocess.CalledProcessError: it failed; the file is as it was.
    """
    with GOLDEN.open("rb") as questions:
        answers = subprocess.run([program], stdin=questions, capture_output=True, check=True).stdout
    GOLDEN.write_bytes(answers)


if __name__ == "__main__":
    folder = programs()
    if folder is None or not (folder / "costs").exists():
        raise SystemExit("the program is not built here: run `make oracle-build` (needs Go)")
    record(folder / "costs")
