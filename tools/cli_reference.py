"""Writes ``docs/reference/cli.md`` from the command itself; a test holds the page to it.

Run after a command, an option or its help changed: ``python tools/cli_reference.py``.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

from roadbed.interfaces.cli.commands import command

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "cli.md"

HEAD = """# The `roadbed` command

Made from the command's own help by `tools/cli_reference.py`.

Every command but `up`, `apiserver`, `init`, `kubeconfig` and those that look after a data folder (`backup`, `restore`,
`fsck`, `compact`) is an API call that any other client could make: it works against
a platform that `roadbed up` runs and against any other Kubernetes API server.

**Which server.** `--kubeconfig`, else the files of `$KUBECONFIG`, merged as kubectl merges them (the first that names a
thing decides), else `kubeconfig` in the data folder (`$ROADBED_DATA_DIR`, `.roadbed`), else `~/.kube/config`.
`--context` picks one of the contexts. Exec plug-ins, refreshed OIDC tokens and token files work as in kubectl.

**Output.** Tables are the server's own, as kubectl shows them. On a terminal they are cut to its width and coloured
(not with `NO_COLOR`); into a pipe nothing is cut. Progress and warnings go to stderr.

**Exit codes.** 0 well · 1 failed · 2 wrong usage · 3 a plan has changes · 4 not found · 5 denied. A failure is one line
`error: <what>, <object>: <why>` and, where there is a next step, one line `hint:`.

"""


def page() -> str:
    """Give the page."""
    root = command()
    context = root.make_context("roadbed", [], resilient_parsing=True)
    parts = [HEAD, _options(root, context)]
    for name, sub in root.commands.items():
        below = sub.make_context(name, [], parent=context, resilient_parsing=True)
        parts += [
            f"\n## roadbed {name}\n\n",
            f"    {_usage(sub, below)}\n\n",
            _text(sub),
            _options(sub, below),
        ]
    return "".join(parts)


def _usage(command_: Any, context: Any) -> str:
    return f"{context.command_path} {' '.join(command_.collect_usage_pieces(context))}"


def _text(command_: Any) -> str:
    paragraphs = inspect.cleandoc(command_.help or "").split("\n\n")
    return "".join(f"{' '.join(paragraph.split())}\n\n" for paragraph in paragraphs)


def _options(command_: Any, context: Any) -> str:
    rows = []
    for parameter in command_.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None and "--help" not in parameter.opts:
            names = record[0].removesuffix(" <list[str]>").replace("|", "\\|")
            rows.append(f"| `{names}` | {_cell(record[1])} |\n")
    return "".join(["| argument or option | meaning |\n|---|---|\n", *rows]) if rows else ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    PAGE.write_text(page())
