"""``roadbed apply``: bring objects to what files say, by server-side apply, and wait until they are ready.

Namespaces first, then definitions, each of which is served before anything else is sent. What fails does
not stop the rest; the first failure gives the exit code.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from roadbed.interfaces.cli.session import Session, on_server

if TYPE_CHECKING:
    from roadbed.apimachinery.gvk import Resource
    from roadbed.apimachinery.request import Object
    from roadbed.interfaces.cli.failures import Failure
    from roadbed.interfaces.cli.manifests import Manifest
    from roadbed.interfaces.cli.selection import One

ESTABLISH_S = 30.0  # a definition is served in milliseconds; more means that something is wrong with it


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("apply")(on_server(apply))


async def apply(
    session: Session,
    filename: Annotated[
        list[str],
        typer.Option("--filename", "-f", metavar="FILE|DIR|-", help="What to read; may be repeated."),
    ],
    namespace: Annotated[
        str, typer.Option("--namespace", "-n", help="For objects that name none.", show_default=False)
    ] = "",
    recursive: Annotated[
        bool, typer.Option("--recursive/--no-recursive", "-R", help="Folders with all that is below them.")
    ] = True,
    wait: Annotated[bool, typer.Option("--wait", help="Return once everything is ready.")] = False,
    timeout: Annotated[  # noqa: ASYNC109 - the name of the option
        str, typer.Option(help="How long to wait, such as 90s or 5m.")
    ] = "5m",
    dry_run: Annotated[
        str, typer.Option(metavar="server", help="Only ask the server what would happen.", show_default=False)
    ] = "",
    force_conflicts: Annotated[
        bool, typer.Option("--force-conflicts", help="Take over fields that others manage.")
    ] = False,
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="json|yaml|name", help="Form.", show_default=False)
    ] = "",
) -> int | None:
    """Create objects, or change them to what files say.

    A field that another manager set to something else is a conflict, and is left as it is unless
    --force-conflicts is given.
    """
    from roadbed.interfaces.cli import manifests
    from roadbed.interfaces.cli.documents import form_of
    from roadbed.interfaces.cli.failures import usage
    from roadbed.interfaces.cli.waiting import until_ready
    from roadbed.interfaces.cli.words import seconds

    form, timeout_s = form_of(output, "name"), seconds(timeout)
    if dry_run not in ("", "server", "none"):
        raise usage(f"cannot dry-run as {dry_run!r}", hint="--dry-run takes server")
    wanted = manifests.read(filename, recursive=recursive)
    work = _Work(session, namespace, is_dry=dry_run == "server", forces=force_conflicts, form=form)
    for stage in (0, 1, 2):
        for manifest in [each for each in wanted if each.stage == stage]:
            await work.apply(manifest)
        if stage == 1 and not work.is_dry:
            await until_ready(
                session.client, [one for one, _ in work.done if _is_definition(one)], ESTABLISH_S
            )
    work.print_objects()
    if wait and not work.is_dry and not work.failures:
        await until_ready(session.client, [one for one, _ in work.done], timeout_s)
        sys.stderr.write("everything is ready\n")
    return work.end()


def _is_definition(one: One) -> bool:
    return one.resource.kind in ("CustomResourceDefinition", "CompositeResourceDefinition")


class _Work:
    """One run: what was done, and what went wrong."""

    def __init__(self, session: Session, namespace: str, *, is_dry: bool, forces: bool, form: str) -> None:
        self._session = session
        self._namespace = namespace
        self.is_dry = is_dry
        self._forces = forces
        self._form = form
        self.done: list[tuple[One, Object]] = []
        self.failures: list[Failure] = []

    async def apply(self, manifest: Manifest) -> None:
        """Apply one object and say what became of it."""
        from roadbed.apimachinery.errors import ApiError, ConflictError
        from roadbed.interfaces.cli.failures import Failure, from_api

        try:
            await self._apply(manifest)
        except ApiError as error:
            hint = ""
            if isinstance(error, ConflictError):
                hint = "leave the fields out, or take them over with --force-conflicts"
            elif self.is_dry:
                hint = "in a dry run nothing is there yet that an earlier object would have made"
            about = f"{manifest.label} ({manifest.source})"
            self._fail(from_api(error, "apply failed", about, hint=hint))
        except Failure as failure:
            self._fail(failure)

    def end(self) -> int:
        """Give the exit code."""
        return self.failures[0].code if self.failures else 0

    def print_objects(self) -> None:
        """Print what the server gave back, where that was asked for."""
        from roadbed.interfaces.cli.documents import collected, presented, rendered

        if self._form not in ("json", "yaml") or not self.done:
            return
        objects = [presented(obj) for _, obj in self.done]
        sys.stdout.write(rendered(objects[0] if len(objects) == 1 else collected(objects), self._form))

    async def _apply(self, manifest: Manifest) -> None:
        from roadbed.apimachinery.objects import name_of, namespace_of
        from roadbed.interfaces.cli.selection import One

        client = self._session.client
        resource = await self._served(manifest)
        obj = self._placed(manifest, resource)
        name, place = name_of(obj), namespace_of(obj)
        before = await self._present(resource, name, place)
        after = await client.apply(resource, obj, force=self._forces, dry_run=self.is_dry)
        self.done.append((One(resource, name, place), after))
        self._say(resource, after, before)

    async def _served(self, manifest: Manifest) -> Resource:
        from roadbed.apimachinery.errors import NotFoundError
        from roadbed.interfaces.cli.failures import from_api
        from roadbed.interfaces.cli.kinds import Kinds

        client = self._session.client
        try:
            return await client.resource_for(manifest.gvk)
        except NotFoundError as error:
            hint = Kinds(await client.resources()).nearest(manifest.gvk)
            about = f"{manifest.label} ({manifest.source})"
            raise from_api(error, "apply failed", about, hint=hint) from error

    def _placed(self, manifest: Manifest, resource: Resource) -> Object:
        from roadbed.apimachinery.objects import namespace_of
        from roadbed.interfaces.cli.failures import usage

        obj, given = manifest.obj, namespace_of(manifest.obj)
        if not resource.namespaced:
            return {**obj, "metadata": {k: v for k, v in obj["metadata"].items() if k != "namespace"}}
        if given and self._namespace and given != self._namespace:
            raise usage(
                f"apply failed, {manifest.label} ({manifest.source}): it is in namespace {given}, not {self._namespace}",
                hint="leave -n out, or take the namespace out of the file",
            )
        place = given or self._namespace or self._session.namespace
        return {**obj, "metadata": {**obj["metadata"], "namespace": place}}

    async def _present(self, resource: Resource, name: str, place: str) -> Object | None:
        from roadbed.apimachinery.errors import ForbiddenError

        try:
            return await self._session.client.find(resource, name, place)
        except ForbiddenError:
            return {}  # who may write without reading is told less

    def _say(self, resource: Resource, after: Object, before: Object | None) -> None:
        from roadbed.apimachinery.objects import revision_of
        from roadbed.interfaces.cli.documents import named

        if self._form in ("json", "yaml"):
            return
        word = "configured"
        if before is None:
            word = "created"
        elif revision_of(before) == revision_of(after):
            word = "unchanged"
        dry = " (server dry run)" if self.is_dry else ""
        line = named(resource, after)
        sys.stdout.write(f"{line}\n" if self._form == "name" else f"{line} {word}{dry}\n")
        sys.stdout.flush()

    def _fail(self, failure: Failure) -> None:
        failure.show()
        self.failures.append(failure)
