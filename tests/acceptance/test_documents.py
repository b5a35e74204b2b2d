"""Every command that README and tutorial show is run, in their order, on a platform as they describe it."""

import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs" / "tutorial").glob("*.md"))]
# What starts the platform, or sets up the terminal, is what this test stands on; `make` has a test in CI itself.
ELSEWHERE = ("make ", "export ", "roadbed up", "pipx ")


def commands(text):
    """Give the commands of fenced and indented blocks, and those in running text, in order."""
    for line in re.findall(r"^ {4}\S.*$|^(?!\s*$)[a-z].*$|`[^`\n]+`", text, flags=re.MULTILINE):
        found = line.strip().strip("`").partition("  #")[0].strip()
        if re.match(r"(kubectl|roadbed) \S", found) and not found.startswith(ELSEWHERE):
            yield found


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_in_the_document_works(document, start_platform, tmp_path):
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    running = start_platform(tmp_path / "data")
    shown = list(commands(document.read_text()))
    assert len(shown) > 5, shown
    for command in shown:
        words = shlex.split(command)
        runner = running.kubectl if words[0] == "kubectl" else running.roadbed
        runner(*words[1:], cwd=tmp_path, timeout=150)
