"""``roadbed delete``: take objects down, say what goes with them, and wait until they are gone.

What controllers look after goes first, then plain objects (a composite needs its credentials until its
last external resource is gone), then definitions, then namespaces; each group is gone before the next.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from roadbed.interfaces.cli.session import Session, on_server

if TYPE_CHECKING:
    from roadbed.apimachinery.gvk import Resource
    from roadbed.interfaces.cli.failures import Failure
    from roadbed.interfaces.cli.selection import One

MOST_NAMED = 20  # of what goes with one object


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("delete")(on_server(delete))


async def delete(
    session: Session,
    what: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TYPE[/NAME] [NAME]...]", help="Objects.", show_default=False),
    ] = None,
    filename: Annotated[
        list[str] | None,
        typer.Option(
            "--filename", "-f", metavar="FILE|DIR|-", help="Or the objects in files.", show_default=False
        ),
    ] = None,
    namespace: Annotated[
        str, typer.Option("--namespace", "-n", help="Where they are.", show_default=False)
    ] = "",
    recursive: Annotated[
        bool, typer.Option("--recursive/--no-recursive", "-R", help="Folders with all that is below them.")
    ] = True,
    selector: Annotated[
        str, typer.Option("--selector", "-l", help="All with these labels.", show_default=False)
    ] = "",
    every: Annotated[bool, typer.Option("--all", help="All of the type in the namespace.")] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Return once they are gone.")] = True,
    timeout: Annotated[  # noqa: ASYNC109 - the name of the option
        str, typer.Option(help="How long to wait, such as 90s or 5m.")
    ] = "5m",
    dry_run: Annotated[
        str, typer.Option(metavar="server", help="Only say what would go.", show_default=False)
    ] = "",
    ignore_not_found: Annotated[
        bool, typer.Option("--ignore-not-found", help="What is not there is well.")
    ] = False,
) -> int | None:
    """Delete objects and say what goes with them.

    Composites take what they are made of along; no managed resource goes before the thing it stands for is
    gone at the cloud. Stopping the command does not stop the deletion.
    """
    from roadbed.interfaces.cli.failures import usage
    from roadbed.interfaces.cli.words import seconds

    timeout_s = seconds(timeout)
    if dry_run not in ("", "server", "none"):
        raise usage(f"cannot dry-run as {dry_run!r}", hint="--dry-run takes server")
    if bool(what) == bool(filename):
        raise usage("name what to delete", hint="either TYPE/NAME or -f FILE")
    work = _Work(session, is_dry=dry_run == "server", forgives=ignore_not_found)
    if filename:
        doomed = await work.of_files(filename, namespace, recursive=recursive)
    else:
        doomed = await work.of_words(what or [], namespace, selector, every=every)
    for stage in sorted({_stage(one.resource) for one in doomed}):
        present = [one for one in doomed if _stage(one.resource) == stage]
        await work.delete(present, timeout_s if wait else None)
    return work.end()


def _stage(resource: Resource) -> int:
    from roadbed.interfaces.cli.lineage import expected_condition

    if resource.kind == "Namespace" and not resource.group:
        return 3
    return {"Established": 2, "Ready": 0}.get(expected_condition(resource), 1)


class _Work:
    """One run: what is deleted, and what went wrong."""

    def __init__(self, session: Session, *, is_dry: bool, forgives: bool) -> None:
        self._session = session
        self._is_dry = is_dry
        self._forgives = forgives
        self._failures: list[Failure] = []

    async def of_files(self, paths: list[str], namespace: str, *, recursive: bool) -> list[One]:
        """Give the objects that files name; a kind that is not served has none."""
        from roadbed.apimachinery.errors import NotFoundError
        from roadbed.apimachinery.objects import name_of, namespace_of
        from roadbed.interfaces.cli import manifests
        from roadbed.interfaces.cli.failures import from_api
        from roadbed.interfaces.cli.selection import One

        found = []
        for manifest in manifests.read(paths, recursive=recursive):
            try:
                resource = await self._session.client.resource_for(manifest.gvk)
            except NotFoundError as error:
                if not self._forgives:
                    self._fail(from_api(error, "delete failed", f"{manifest.label} ({manifest.source})"))
                continue
            place = namespace_of(manifest.obj) or namespace or self._session.namespace
            found.append(One(resource, name_of(manifest.obj), place if resource.namespaced else ""))
        return found

    async def of_words(self, words: list[str], namespace: str, selector: str, *, every: bool) -> list[One]:
        """Give the objects that words name."""
        from roadbed.apimachinery.objects import name_of, namespace_of
        from roadbed.interfaces.cli.failures import usage
        from roadbed.interfaces.cli.selection import One, targets

        found = []
        for target in await targets(self._session, words):
            resource = target.resource
            place = (namespace or self._session.namespace) if resource.namespaced else ""
            if target.names:
                found += [One(resource, name, place) for name in target.names]
                continue
            if not every and not selector:
                raise usage(
                    f"delete failed, {resource.qualified}: no object is named",
                    hint="name objects, or use -l for some and --all for all of them",
                )
            objects = await self._session.client.list(resource, place, labels=selector)
            found += [One(resource, name_of(obj), namespace_of(obj)) for obj in objects]
        if not found:
            sys.stderr.write("No resources found\n")
        return found

    async def delete(self, doomed: list[One], timeout_s: float | None) -> None:
        """Ask for the deletion of all, then wait for all of it (not at all where there is no time)."""
        from roadbed.interfaces.cli.waiting import until_gone

        asked = [(one, uid) for one in doomed if (uid := await self._ask(one))]
        if self._is_dry or timeout_s is None:
            return
        await until_gone(self._session.client, asked, timeout_s, told=self._gone)

    def end(self) -> int:
        """Give the exit code."""
        return self._failures[0].code if self._failures else 0

    async def _ask(self, one: One) -> str:
        """Ask for one deletion; gives the object's uid, or nothing where it failed."""
        from roadbed.apimachinery.errors import ApiError, NotFoundError
        from roadbed.apimachinery.objects import uid_of
        from roadbed.interfaces.cli.consequences import consequences
        from roadbed.interfaces.cli.failures import from_api

        client = self._session.client
        try:
            obj = await client.get(one.resource, one.name, one.namespace)
            also = await consequences(client, one.resource, obj)
            await client.delete(one.resource, one.name, one.namespace, uid=uid_of(obj), dry_run=self._is_dry)
        except NotFoundError as error:
            if not self._forgives:
                self._fail(from_api(error, "delete failed", _label(one)))
            return ""
        except ApiError as error:
            self._fail(from_api(error, "delete failed", _label(one)))
            return ""
        self._announce(one, also)
        return uid_of(obj)

    def _announce(self, one: One, also: list[str]) -> None:
        word = "would be deleted (server dry run)" if self._is_dry else "is being deleted"
        more = len(also) - MOST_NAMED
        tail = [*also[:MOST_NAMED], *([f"and {more} more"] if more > 0 else [])]
        lines = [f"{_label(one)} {word}{', and with it' if also else ''}", *(f"  {name}" for name in tail)]
        sys.stdout.write("".join(f"{line}\n" for line in lines))
        sys.stdout.flush()

    def _gone(self, one: One) -> None:
        sys.stdout.write(f"{_label(one)} deleted\n")
        sys.stdout.flush()

    def _fail(self, failure: Failure) -> None:
        failure.show()
        self._failures.append(failure)


def _label(one: One) -> str:
    from roadbed.interfaces.cli.kinds import shown

    return f"{shown(one.resource)}/{one.name}"
