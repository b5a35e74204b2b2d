"""The steps of a story: one function each, with what must be true after it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import orjson

from roadbed.apiserver import protobufwrite

from . import values
from .choices import Choices
from .story import (
    APPLY,
    FORMS,
    GADGETS,
    JSON,
    MERGE,
    NAMES,
    OPERATIONS,
    PROTOBUF,
    STEPS_EACH,
    STRATEGIC,
    Answer,
    Kind,
    Story,
    asked_of,
    begin,
    end,
    operations,
    read_options,
    requests_of,
    strategic,
    unknown_fields,
    whole,
    write_options,
)

FAVOURITES = ("configmaps", "deployments", "widgets", GADGETS, "customresourcedefinitions", "services")


async def tell(count: int, seed: int) -> Story:
    """Tell a story of so many steps; gives it, with its counts.

    Raises:
        Finding: an answer that is not right.
    """
    kinds: list[Kind] = []
    total: Story | None = None
    inputs = requests_of(seed)
    for start in range(0, count, STEPS_EACH):
        story, storage = await begin(kinds)
        kinds = kinds or [each for each in story.kinds if each.plural != GADGETS]
        try:
            for _ in range(min(STEPS_EACH, count - start)):
                await step(story, next(inputs))
        finally:
            await end(story, storage)
        if total is not None:
            story.counts.update(total.counts)
        total = story
    assert total is not None
    return total


async def step(story: Story, choices: Choices) -> None:
    """Take one step."""
    if choices.below(2):
        kind = choices.pick([each for each in story.kinds if each.plural in FAVOURITES])
    else:
        kind = choices.pick(story.kinds)
    possible = [run for verb, run in STEPS if verb in kind.verbs]
    await choices.pick(possible)(story, choices, kind)


async def create(story: Story, choices: Choices, kind: Kind) -> None:
    """Create an object; what was answered is what is stored."""
    obj = whole(choices, kind)
    answer = await _write(story, choices, kind, "POST", kind.path(), obj)
    if answer.is_good and kind.kind == "CustomResourceDefinition":
        _learn(story, answer.obj)


async def create_protobuf(story: Story, choices: Choices, kind: Kind) -> None:
    """Create an object as protobuf, with what no message has in it."""
    obj = whole(choices, kind)
    try:
        content = protobufwrite.encode(orjson.dumps(obj))
    except Exception:  # noqa: BLE001 - a server encodes only what was judged; here it may be anything
        return
    if choices.once_in(2):
        content = unknown_fields(choices, content)
    query = write_options(choices)
    await story.ask("POST", kind.path(), query, content, media_type=PROTOBUF, accept=choices.pick(FORMS))


async def update(story: Story, choices: Choices, kind: Kind) -> None:
    """Write back what was read, as it is or changed."""
    live = await _live(story, choices, kind)
    if live is None:
        return
    name = live["metadata"]["name"]
    if choices.once_in(4):
        for _ in range(3):  # the server itself may put a state right that somebody wrote: conditions
            answer = await story.ask("PUT", kind.path(name), {"fieldManager": "m"}, live)
            if not answer.is_good or _revision(answer.obj) == _revision(live):
                return
            live = answer.obj
        raise story.finding(f"writing back what was read changed it, again and again: {answer.body!r}")
    part = choices.pick(("", "", "", *kind.subresources))
    body = values.changed(choices, live)
    await _write(story, choices, kind, "PUT", kind.path(name, part), body)


async def patch(story: Story, choices: Choices, kind: Kind) -> None:
    """Patch an object in one of the four ways."""
    live = await _live(story, choices, kind)
    if live is None:
        live = {"metadata": {"name": choices.pick(NAMES)}}
    name = live["metadata"]["name"]
    bare = {key: value for key, value in live.items() if key != "metadata"}
    media_type = choices.pick((MERGE, OPERATIONS, STRATEGIC))
    body: Any
    if media_type == OPERATIONS:
        body = operations(choices, live if choices.below(2) else bare)
    elif media_type == STRATEGIC:
        body = strategic(choices, bare)
    else:
        body = values.changed(choices, bare)
    part = choices.pick(("", "", "", *kind.subresources))
    await _write(story, choices, kind, "PATCH", kind.path(name, part), body, media_type)


async def apply(story: Story, choices: Choices, kind: Kind) -> None:
    """Apply an object, by one of several managers; twice is once."""
    obj = whole(choices, kind)
    if not isinstance(obj.get("metadata"), dict):
        return
    name = str(obj["metadata"].get("name", "a"))
    query = {**write_options(choices), "force": choices.pick(("true", "false"))}
    query["fieldManager"] = choices.pick(("m", "n", "o"))
    part = choices.pick(("", "", "", "", *kind.subresources))
    path = kind.path(name, part)
    first = await story.ask("PATCH", path, query, obj, media_type=APPLY)
    if not first.is_good or query.get("dryRun") == "All":
        return
    if kind.plural == "resourcequotas" and part:
        return  # the server writes its own count over it each time
    if kind.kind == "CustomResourceDefinition":
        _learn(story, first.obj)
    before = first
    for _ in range(3):  # the server itself may write in between: conditions, of several kinds
        again = await story.ask("PATCH", path, query, obj, media_type=APPLY)
        if again.status in (403, 404) and (
            _is_ending(before.obj) or await _is_definition_ending(story, kind)
        ):
            return
        if again.is_good and _revision(again.obj) == _revision(before.obj):
            return
        before = again
        if not again.is_good:
            break
    raise story.finding(f"applied twice: {first.status} {first.body!r}, then {before.status} {before.body!r}")


async def delete(story: Story, choices: Choices, kind: Kind) -> None:
    """Delete an object, with any options."""
    body: Any = {"kind": "DeleteOptions", "apiVersion": "v1"}
    body["propagationPolicy"] = choices.pick(("Background", "Foreground", "Orphan", "x"))
    if choices.once_in(3):
        body["preconditions"] = {"uid": "u", "resourceVersion": choices.pick(("1", ""))}
    if choices.once_in(3):
        body = values.changed(choices, body)
    query = asked_of(
        choices, ("propagationPolicy", ("Orphan", "x")), ("gracePeriodSeconds", ("0", "-1", "x"))
    )
    name = choices.pick(NAMES)
    await story.ask("DELETE", kind.path(name), query, body if choices.below(2) else None)


async def delete_many(story: Story, choices: Choices, kind: Kind) -> None:
    """Delete a collection by selectors."""
    query = read_options(choices)
    query.pop("watch", None)
    query.setdefault("labelSelector", choices.pick(("a=b", "a in (b,c)", "nothing=here")))
    await story.ask("DELETE", kind.path(), query, None)


async def read(story: Story, choices: Choices, kind: Kind) -> None:
    """Read one object or many, in any form; a watch too."""
    accept = choices.pick(FORMS)
    if choices.once_in(8):
        junk = choices.pick(
            ("", ";", ",", "*/*;q=x", "application/json;as=", "a/b;c=d;q=0.0001", "text/*", "é")
        )
        accept = choices.pick((junk, f"{accept},{junk}", f"{junk},{accept}"))
    query = read_options(choices)
    if choices.below(2):
        query.pop("watch", None)
        await story.ask(
            "GET",
            kind.path(choices.pick(NAMES), choices.pick(("", *kind.subresources))),
            query,
            accept=accept,
        )
    else:
        namespace = choices.pick(("default", "", "a"))
        await story.ask("GET", kind.path(namespace=namespace), query, accept=accept)


async def read_pages(story: Story, choices: Choices, kind: Kind) -> None:
    """List in pages; together they are the list."""
    names = await _names(story, kind)
    if names is None:
        return
    limit = str(1 + choices.below(3))
    found, query = [], {"limit": limit}
    for _ in range(500):
        answer = await story.ask("GET", kind.path(), query)
        if not answer.is_good:
            raise story.finding("a page was refused")
        found += [_key(each) for each in answer.obj["items"]]
        token = answer.obj["metadata"].get("continue")
        if not token:
            break
        query = {"limit": limit, "continue": token}
    if found != names:
        raise story.finding(f"pages of {limit} gave {found}, the list {names}")


async def dry_run(story: Story, choices: Choices, kind: Kind) -> None:
    """Create for show: afterwards there is what there was."""
    obj = whole(choices, kind)
    if "list" not in kind.verbs:
        return
    before = await _names(story, kind)
    await story.ask("POST", kind.path(), {"dryRun": "All"}, obj)
    after = await _names(story, kind)
    if before != after:
        raise story.finding(f"a dry run left something: {before} became {after}")


async def review(story: Story, choices: Choices, kind: Kind) -> None:
    """Post to a subresource or a review kind: accesses, tokens, scales."""
    parts = kind.subresources
    obj = whole(choices, kind)
    if "get" in kind.verbs and parts:
        body = (
            values.value(choices)
            if choices.below(2)
            else {"kind": "TokenRequest", "spec": {"audiences": ["a"]}}
        )
        await story.ask("POST", kind.path(choices.pick(NAMES), choices.pick(parts)), {}, body)
        return
    await story.ask("POST", kind.path(), write_options(choices), obj, accept=choices.pick(FORMS))


Step = Callable[[Story, Choices, Kind], Awaitable[None]]
STEPS: tuple[tuple[str, Step], ...] = (
    ("create", create),
    ("create", create),
    ("create", create_protobuf),
    ("create", dry_run),
    ("create", review),
    ("update", update),
    ("update", update),
    ("patch", patch),
    ("patch", patch),
    ("patch", apply),
    ("patch", apply),
    ("delete", delete),
    ("deletecollection", delete_many),
    ("list", read),
    ("list", read),
    ("list", read_pages),
)


async def _write(
    story: Story, choices: Choices, kind: Kind, method: str, path: str, body: Any, media_type: str = JSON
) -> Answer:
    query = write_options(choices)
    accept = choices.pick(FORMS)
    answer = await story.ask(method, path, query, body, media_type=media_type, accept=accept)
    obj = answer.obj if answer.is_good else None
    if (
        isinstance(obj, dict)
        and obj.get("kind") == kind.kind
        and query.get("dryRun") != "All"
        and "get" in kind.verbs
    ):
        await _check_stored(story, kind, answer)
    return answer


async def _check_stored(story: Story, kind: Kind, answer: Answer) -> None:
    """Hold a read to what the write before it answered."""
    meta = answer.obj["metadata"]
    got = await story.ask("GET", kind.path(meta["name"]))
    if got.status == 404 and _is_ending(answer.obj):
        return
    if got.is_good and int(_revision(got.obj)) > int(meta["resourceVersion"]):
        return  # the server itself wrote to it since: conditions of definitions, states of services
    if kind.kind == "Secret" and got.is_good:
        return
    if not got.is_good or got.obj != answer.obj:
        raise story.finding(f"the write answered {answer.body!r}, a read then gave {got.status} {got.body!r}")


async def _is_definition_ending(story: Story, kind: Kind) -> bool:
    """Say whether the definition of a kind is gone or going, and its objects with it."""
    group = kind.api_version.partition("/")[0]
    if not group.endswith("example.org"):
        return False
    path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{kind.plural}.{group}"
    found = await story.ask("GET", path, {})
    return found.status == 404 or (found.is_good and _is_ending(found.obj))


def _is_ending(obj: Any) -> bool:
    return bool(obj["metadata"].get("deletionTimestamp"))


def _revision(obj: Any) -> str:
    return str(obj["metadata"].get("resourceVersion", "")) if isinstance(obj, dict) else ""


def _key(obj: Any) -> str:
    return f"{obj['metadata'].get('namespace', '')}/{obj['metadata']['name']}"


async def _names(story: Story, kind: Kind) -> list[str] | None:
    answer = await story.ask("GET", kind.path())
    if answer.status == 404 and kind.plural in (GADGETS, "widgets"):
        return None  # no longer, or not yet, defined
    if not answer.is_good:
        raise story.finding("a list was refused")
    return [_key(each) for each in answer.obj["items"]]


async def _live(story: Story, choices: Choices, kind: Kind) -> Any:
    """Read one of the objects that there are; nothing where there are none."""
    answer = await story.ask("GET", kind.path())
    found = answer.obj["items"] if answer.is_good else []
    if not found:
        return None
    return {"apiVersion": kind.api_version, "kind": kind.kind, **choices.pick(found)}


def _learn(story: Story, definition: Any) -> None:
    """Take in what a random definition defines, so that there will be objects of it."""
    is_one = isinstance(definition, dict) and definition.get("kind") == "CustomResourceDefinition"
    if not is_one or definition["metadata"].get("name") != f"{GADGETS}.fuzz.example.org":
        return
    spec = definition["spec"]
    schema = (spec["versions"][0].get("schema") or {}).get("openAPIV3Schema") or {}
    widgets = next(each for each in story.kinds if each.plural == "widgets")
    root = f"/apis/fuzz.example.org/{spec['versions'][0]['name']}"
    kind = replace(
        widgets,
        root=root,
        plural=GADGETS,
        kind=spec["names"]["kind"],
        is_namespaced=spec["scope"] == "Namespaced",
        schema=schema,
        subresources=("status", "scale"),
    )
    story.kinds[:] = [each for each in story.kinds if each.plural != GADGETS] + [kind]
