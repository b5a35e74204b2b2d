"""A coverage-guided run of one target: ``python -m tests.fuzz.guided yaml -runs=200000``.

Needs atheris (PyPI), which is not among the pinned packages: it has no wheels for every machine that we run on.
"""

from __future__ import annotations

import itertools
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["roadbed.apimachinery", "roadbed.apiserver.protobuf"]):
    from .catalogue import ALL, feed


def main() -> None:
    """Run until libFuzzer's options say so; a finding ends the process with its input shown."""
    name = sys.argv[1]
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        for number, seed in enumerate(itertools.islice(feed(name, 1), 50)):
            (Path(folder) / str(number)).write_bytes(seed)
        atheris.Setup([sys.argv[0], folder, *sys.argv[2:]], ALL[name])
        atheris.Fuzz()


if __name__ == "__main__":
    main()
