"""``roadbed backup``, ``restore``, ``fsck``, ``compact``: a data folder looked after from outside.

They work on files and ask no server, so they also work when none can start; ``backup`` and ``fsck`` also while one
runs. What they do is behind the ``Maintenance`` Protocol; here are words in and words out.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from roadbed.interfaces.cli.invocation import Invocation
from roadbed.interfaces.cli.maintenance import CheckReport, Maintenance, Tell
from roadbed.interfaces.cli.platform import PlatformError

T = TypeVar("T")

DataDir = Annotated[Path, typer.Option(envvar="ROADBED_DATA_DIR", help="The data folder of `roadbed up`.")]
Output = Annotated[str, typer.Option("--output", "-o", metavar="json|yaml", help="Form.", show_default=False)]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("backup")(backup)
    app.command("restore")(restore)
    app.command("fsck")(fsck)
    app.command("compact")(compact)


def backup(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The file to write; it must not exist.")],
    data_dir: DataDir = Path(".roadbed"),
    output: Output = "",
) -> None:
    """Write everything that can't be made again into one file, while the platform runs or not.

    It holds all objects at one moment, certificates and keys: whoever has the file can read every Secret. Its mode
    is 0600.
    """
    report = _run(context, output, lambda maintenance, tell: maintenance.backup(data_dir, file, tell))
    if output:
        return
    _say(f"{report.file}: {report.objects} objects at revision {report.revision}, {_size(report.size_bytes)}")
    _say(f"holds {', '.join(report.members)}")
    for left in report.left_out:
        _say(f"left out {left}")


def restore(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="What `roadbed backup` wrote.")],
    data_dir: Annotated[Path, typer.Option(help="The folder to make; it must be empty or absent.")],
    output: Output = "",
) -> None:
    """Make a data folder of a backup, verified to the last byte.

    Revisions go on far beyond those of the backup, so that clients which saw later ones list again (410).
    """
    report = _run(context, output, lambda maintenance, tell: maintenance.restore(file, data_dir, tell))
    if output:
        return
    _say(
        f"{report.data_dir}: {report.objects} objects as of {report.taken_at}, revision {report.backup_revision}"
    )
    _say(f"start it with: roadbed up --data-dir {report.data_dir}")


def fsck(
    context: typer.Context,
    data_dir: DataDir = Path(".roadbed"),
    output: Output = "",
) -> None:
    """Look at everything in the store, and say what is wrong and what to do; nothing is changed.

    Exit code 0: sound, perhaps with warnings. 1: something is damaged.
    """
    report = _run(context, output, lambda maintenance, tell: maintenance.check(data_dir, tell))
    if not output:
        _tell_findings(report)
    if not report.is_sound:
        raise typer.Exit(1)


def compact(
    context: typer.Context,
    data_dir: DataDir = Path(".roadbed"),
    output: Output = "",
) -> None:
    """Forget all history of a stopped platform and make its file as small as it can be.

    A running platform keeps ten minutes of history and forgets older ones by itself.
    """
    report = _run(context, output, lambda maintenance, tell: maintenance.compact(data_dir, tell))
    if output:
        return
    _say(f"{report.store}: {_size(report.before_bytes)} before, {_size(report.after_bytes)} now")


def _tell_findings(report: CheckReport) -> None:
    for finding in report.findings:
        _say(f"{finding.severity}: {finding.place}: {finding.problem}")
        _say(f"  {finding.advice}")
    verdict = "sound" if report.is_sound else "damaged"
    if report.findings:
        errors = sum(finding.severity == "error" for finding in report.findings)
        verdict += f" ({errors} errors, {len(report.findings) - errors} warnings)"
    _say(
        f"{report.store}: {verdict}; {report.objects} objects, revision {report.revision}, "
        f"history from {report.compacted}, {_size(report.size_bytes)}"
    )


def _run(context: typer.Context, output: str, work: Callable[[Maintenance, Tell], T]) -> T:
    """Do the work with progress on stderr; prints the report where a form is asked for."""
    from roadbed.interfaces.cli.documents import form_of, rendered
    from roadbed.interfaces.cli.progress import Progress

    form = form_of(output)
    invocation: Invocation = context.obj
    if invocation.maintenance is None:
        raise PlatformError("this program was started without what looks after data folders", "use `roadbed`")
    with Progress() as progress:
        report = work(invocation.maintenance(), progress.say)
    if form:
        sys.stdout.write(rendered(_plain(report), form))
    return report


def _plain(report: Any) -> dict[str, Any]:
    """Give a report as a document: paths as texts, names as the API writes them."""
    return {_camel(name): _value(value) for name, value in asdict(report).items()}


def _value(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, list | tuple):
        return [_value(each) for each in value]
    return value


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _size(size_bytes: int) -> str:
    size = float(size_bytes)
    for unit in ("bytes", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
