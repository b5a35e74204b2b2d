"""``roadbed get``: objects as tables that the server makes, or as JSON, YAML and names.

Kinds are asked for at once, printed in order. ``--watch`` follows one kind for ever: a watch that the server
ends is taken up where it ended, one that is too old begins again from a fresh list.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from roadbed.interfaces.cli.session import Session, on_server

if TYPE_CHECKING:
    from roadbed.apimachinery.errors import ApiError
    from roadbed.apimachinery.gvk import Resource
    from roadbed.apimachinery.request import ApiRequest, Object
    from roadbed.interfaces.cli.selection import Target
    from roadbed.interfaces.cli.tables import Layout, Screen

PAGE_SIZE = "500"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("get")(on_server(get))


async def get(
    session: Session,
    what: Annotated[
        list[str], typer.Argument(metavar="TYPE[/NAME] [NAME]...", help="Types, categories or objects.")
    ],
    namespace: Annotated[
        str, typer.Option("--namespace", "-n", help="Where to look.", show_default=False)
    ] = "",
    all_namespaces: Annotated[bool, typer.Option("--all-namespaces", "-A", help="Look everywhere.")] = False,
    selector: Annotated[
        str, typer.Option("--selector", "-l", help="Labels, such as team=shop,tier!=web.", show_default=False)
    ] = "",
    field_selector: Annotated[
        str, typer.Option(help="Fields, such as metadata.name=orders.", show_default=False)
    ] = "",
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Go on with every change.")] = False,
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="json|yaml|name|wide", help="Form.", show_default=False)
    ] = "",
    show_managed_fields: Annotated[
        bool, typer.Option("--show-managed-fields", help="Keep metadata.managedFields in json and yaml.")
    ] = False,
) -> int | None:
    """Show objects.

    TYPE is a plural, singular, short name or kind, with its group where two have the name; several with
    commas. `managed`, `composite` and `claim` are categories: all kinds of that sort.
    """
    from roadbed.interfaces.cli.documents import form_of
    from roadbed.interfaces.cli.failures import usage
    from roadbed.interfaces.cli.selection import targets

    form_of(output, "name", "wide")
    found = await targets(session, what)
    options = {"labelSelector": selector, "fieldSelector": field_selector}
    query = Query(
        session,
        "" if all_namespaces else namespace or session.namespace,
        {name: value for name, value in options.items() if value},
        output,
        managed_fields=show_managed_fields,
    )
    if any(target.names for target in found) and query.options:
        raise usage("a selector and names exclude each other", hint="leave one out")
    if any(target.names for target in found) and all_namespaces:
        raise usage("an object has one namespace", hint="name it with -n instead of -A")
    if watch:
        if len(found) != 1 or len(found[0].names) > 1:
            raise usage("--watch follows one type", hint="name a single type, or one object")
        await _Following(query, found[0]).run()
        return None
    if output in ("", "wide"):
        return await _show_tables(query, found)
    return await _show_objects(query, found)


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked of every kind; ``namespace`` is empty for all of them."""

    session: Session
    namespace: str
    options: dict[str, str]
    output: str
    managed_fields: bool = False

    def place(self, resource: Resource) -> str:
        """Give the namespace to ask in."""
        return self.namespace if resource.namespaced else ""

    def request(self, verb: Any, resource: Resource, **members: Any) -> ApiRequest:
        """Make a request in the right namespace."""
        from roadbed.apimachinery.request import ApiRequest

        return ApiRequest.on(verb, resource, namespace=self.place(resource), **members)


async def _show_tables(query: Query, found: list[Target]) -> int | None:
    from roadbed.interfaces.cli.tables import Screen

    screen = Screen.of_stdout()
    several = await asyncio.gather(*(_table(query, target) for target in found))
    printed = 0
    for target, (table, _) in zip(found, several, strict=True):
        if not table.get("rows"):
            continue
        sheet = _Sheet(query, target.resource, table, screen, is_prefixed=len(found) > 1)
        if printed:
            sys.stdout.write("\n")
        printed += 1
        for line in sheet.whole():
            sys.stdout.write(f"{line}\n")
    errors = [error for _, failed in several for error in failed]
    if not printed and not errors:
        _say_nothing(query, found)
    return _tell(errors)


async def _table(query: Query, target: Target) -> tuple[Object, list[ApiError]]:
    """Give one kind's table, and what could not be read: the rest is worth showing."""
    from roadbed.apimachinery.errors import ApiError

    if not target.names:
        try:
            return await _whole_table(query, target.resource), []
        except ApiError as error:
            return {}, [error]
    table: Object = {}
    errors = []
    for name in target.names:
        try:
            page = await query.session.http.table(query.request("get", target.resource, name=name))
        except ApiError as error:
            errors.append(error)
            continue
        table = {**page, "rows": [*table.get("rows", ()), *page["rows"]]}
    return table, errors


def _tell(errors: list[ApiError]) -> int | None:
    """Say what could not be read; gives the exit code."""
    from roadbed.interfaces.cli.failures import from_api

    codes = []
    for error in errors:
        about = f"{error.kind}/{error.name}" if error.name else error.kind
        codes.append(from_api(error, "get failed", about).show())
    return codes[0] if codes else None


async def _whole_table(query: Query, resource: Resource) -> Object:
    http = query.session.http
    options = {**query.options, "limit": PAGE_SIZE}
    table = await http.table(query.request("list", resource, options=options))
    rows = table["rows"] or []
    more = table["metadata"].get("continue")
    while more:
        page = await http.table(query.request("list", resource, options={**options, "continue": more}))
        rows += page["rows"]
        more = page["metadata"].get("continue")
    return {**table, "rows": rows}


class _Sheet:
    """One kind's table as it is printed."""

    def __init__(
        self, query: Query, resource: Resource, table: Object, screen: Screen, *, is_prefixed: bool
    ) -> None:
        from roadbed.interfaces.cli.kinds import shown
        from roadbed.interfaces.cli.tables import Layout

        definitions = table["columnDefinitions"]
        is_wide = query.output == "wide"
        self._kept = [
            index for index, column in enumerate(definitions) if is_wide or not column.get("priority")
        ]
        self._prefix = f"{shown(resource)}/" if is_prefixed else ""
        self._has_namespace = resource.namespaced and not query.namespace
        headings = [definitions[index]["name"] for index in self._kept]
        self.layout: Layout = Layout([*(["NAMESPACE"] if self._has_namespace else []), *headings], screen)
        self._rows = [self.cells(row) for row in table["rows"]]

    def cells(self, row: Object) -> list[str]:
        """Give a row's cells as text."""
        cells = [_cell(row["cells"][index]) for index in self._kept]
        cells[0] = f"{self._prefix}{cells[0]}"
        if self._has_namespace:
            cells.insert(0, (row.get("object") or {}).get("metadata", {}).get("namespace", ""))
        return cells

    def whole(self) -> list[str]:
        """Give the table's lines, headings first."""
        self.layout.grow(self._rows)
        return [self.layout.head(), *(self.layout.row(row) for row in self._rows)]

    def line(self, row: Object) -> str:
        """Give one more row."""
        cells = self.cells(row)
        self.layout.grow([cells])
        return self.layout.row(cells)


def _cell(value: Any) -> str:
    if value is None:
        return "<none>"
    if isinstance(value, bool):
        return str(value).lower()
    return " ".join(str(value).split()) if isinstance(value, str) else str(value)


async def _show_objects(query: Query, found: list[Target]) -> int | None:
    from roadbed.interfaces.cli.documents import collected, named, presented, rendered

    lists = await asyncio.gather(*(_objects(query, target) for target in found))
    pairs = [(target.resource, obj) for target, objs in zip(found, lists, strict=True) for obj in objs]
    if query.output == "name":
        sys.stdout.write("".join(f"{named(resource, obj)}\n" for resource, obj in pairs))
        return None
    shown = [presented(obj, managed_fields=query.managed_fields) for _, obj in pairs]
    is_single = len(found) == 1 and len(found[0].names) == 1
    sys.stdout.write(rendered(shown[0] if is_single else collected(shown), query.output))
    return None


async def _objects(query: Query, target: Target) -> list[Object]:
    client, resource = query.session.client, target.resource
    place = query.place(resource)
    if target.names:
        return [await client.get(resource, name, place) for name in target.names]
    return await client.list(
        resource,
        place,
        labels=query.options.get("labelSelector", ""),
        fields=query.options.get("fieldSelector", ""),
    )


def _say_nothing(query: Query, found: list[Target]) -> None:
    where = ""
    if query.namespace and any(target.resource.namespaced for target in found):
        where = f" in {query.namespace} namespace"
    sys.stdout.flush()
    sys.stderr.write(f"No resources found{where}.\n" if where else "No resources found\n")


class _Following:
    """A table or a stream of objects that goes on."""

    def __init__(self, query: Query, target: Target) -> None:
        self._query = query
        self._resource = target.resource
        self._options = dict(query.options)
        if target.names:
            self._options["fieldSelector"] = f"metadata.name={target.names[0]}"
        self._names = target.names
        self._sheet: _Sheet | None = None

    async def run(self) -> None:
        """Print what is there, then every change, until interrupted."""
        from roadbed.apimachinery.errors import ExpiredError

        while True:
            after = await self._begin()
            try:
                while True:
                    after = await self._follow(after)
            except ExpiredError:
                continue  # list again; rows are printed once more, as kubectl does

    async def _begin(self) -> str:
        from roadbed.interfaces.cli.selection import Target
        from roadbed.interfaces.cli.tables import Screen

        if self._names:
            # A name that is not there is an error now, not a silent wait.
            await self._query.session.client.get(
                self._resource, self._names[0], self._query.place(self._resource)
            )
        query = Query(self._query.session, self._query.namespace, self._options, self._query.output)
        table = await _whole_table(query, self._resource)
        if self._query.output in ("", "wide"):
            self._sheet = _Sheet(query, self._resource, table, Screen.of_stdout(), is_prefixed=False)
            lines = self._sheet.whole()
            sys.stdout.write("".join(f"{line}\n" for line in (lines if len(lines) > 1 else [])))
        else:
            for obj in await _objects(query, Target(self._resource)):
                self._print_object(obj)
        sys.stdout.flush()
        return str(table["metadata"].get("resourceVersion") or "")

    async def _follow(self, after: str) -> str:
        import orjson

        options = {**self._options, "resourceVersion": after}
        request = self._query.request("watch", self._resource, options=options)
        events = self._query.session.http.watch(request, as_table=self._sheet is not None)
        async with aclosing(events) as stream:
            async for event in stream:
                obj = orjson.loads(event.object)
                after = obj["metadata"].get("resourceVersion") or after
                if self._sheet is None:
                    self._print_object(obj)
                else:
                    for row in obj.get("rows") or ():
                        sys.stdout.write(f"{self._sheet.line(row)}\n")
                sys.stdout.flush()
        return after

    def _print_object(self, obj: Object) -> None:
        from roadbed.interfaces.cli.documents import named, presented, rendered

        if self._query.output == "name":
            sys.stdout.write(f"{named(self._resource, obj)}\n")
            return
        head = "---\n" if self._query.output == "yaml" else ""
        sys.stdout.write(
            head + rendered(presented(obj, managed_fields=self._query.managed_fields), self._query.output)
        )
