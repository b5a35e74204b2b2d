"""Keeping the catalog true to its Sources: read a folder, replace what it gave before, say so in the status.

The reconciler runs in the controller for Sources, one at a time (they share the index's one writer). A
folder cannot be watched portably, so each reconcile leaves behind a fingerprint of names, sizes and times,
and looks again every ``LOOK_AGAIN_S``; that look reads no file unless the fingerprint moved. Changing the
Source, or its annotation ``roadbed.dev/refresh``, reads at once.

``LocalPaths`` keeps those who may write Sources, but not use this machine's files, from reading them.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from roadbed.apimachinery.admission import AdmissionRequest, Operation
from roadbed.apimachinery.conditions import Condition, find_condition
from roadbed.apimachinery.errors import ForbiddenError, NotFoundError
from roadbed.apimachinery.objects import annotations_of, is_terminating, name_of
from roadbed.apimachinery.request import Object, User
from roadbed.apimachinery.timestamps import format_time
from roadbed.apis.authorization import SELFSUBJECTACCESSREVIEWS
from roadbed.apis.catalog import SOURCES
from roadbed.client import Client
from roadbed.controller import Clock, Recorder, Request, Result, TerminalError

from .catalog import Catalog
from .entity import Ref, ref_of
from .folder import FolderError, Found, Problem, Reading, fingerprint, read_folder

logger = logging.getLogger(__name__)

LOOK_AGAIN_S = 5.0  # one stat per file; 20,000 files cost about 0.1 s on a worker thread
REFRESH = "roadbed.dev/refresh"
MANAGER = "roadbed-catalog"
MOST_TOLD = 10  # problems named in one message; the rest is counted
MESSAGE_LIMIT = 8_000  # of a condition, well under the API's 32 KiB


class SourceReconciler:
    """Brings one Source's entities into the catalog."""

    def __init__(self, catalog: Catalog, client: Client, recorder: Recorder, clock: Clock) -> None:
        self._catalog = catalog
        self._client = client
        self._recorder = recorder
        self._clock = clock
        self._cleaned = False
        # What this process has read: the index may be younger or older than what a status says.
        self._read: dict[str, tuple[str, int, str]] = {}

    async def reconcile(self, request: Request) -> Result:
        """Read the folder where it, the Source or the wish to refresh changed."""
        if not self._cleaned:
            await self._forget_strangers()
        source = await self._client.find(SOURCES, request.name)
        if source is None or is_terminating(source):
            self._read.pop(request.name, None)
            await self._catalog.replace(request.name, [])
            return Result()
        path = str(((source.get("spec") or {}).get("folder") or {}).get("path") or "")
        try:
            print_now = await asyncio.to_thread(fingerprint, path)
            state = (print_now, _generation(source), annotations_of(source).get(REFRESH, ""))
            if self._read.get(request.name) == state:
                return Result(requeue_after_s=LOOK_AGAIN_S)
            reading = await asyncio.to_thread(read_folder, path)
        except FolderError as error:
            return await self._unreadable(source, str(error))
        problems = [*reading.problems, *_doubles(reading.found)]
        taken = await self._catalog.replace(request.name, reading.found)
        problems += _taken(reading.found, taken)
        await self._tell(
            source,
            reading,
            problems,
            len({str(ref_of(item.entity)) for item in reading.found}) - len(taken),
            print_now,
        )
        self._read[request.name] = state
        return Result(requeue_after_s=LOOK_AGAIN_S)

    async def _forget_strangers(self) -> None:
        """Drop what a Source deleted while nobody looked has left in the index."""
        listed = await self._client.list(SOURCES)
        gone = await self._catalog.keep_sources([name_of(source) for source in listed])
        if gone:
            logger.info("entities forgotten", extra={"entities": gone})
        self._cleaned = True

    async def _unreadable(self, source: Object, message: str) -> Result:
        # What was read before stays: a folder that is away for a moment must not empty the catalog.
        conditions = [
            Condition("Synced", "False", "ReadError", message, _generation(source)),
            Condition(
                "Ready",
                "False",
                "ReadError",
                "Its entities are those of the last good reading.",
                _generation(source),
            ),
        ]
        self._read.pop(name_of(source), None)
        await self._write(source, {}, conditions)
        await self._recorder.event(source, "Warning", "ReadError", message)
        return Result(requeue_after_s=LOOK_AGAIN_S)

    async def _tell(
        self, source: Object, reading: Reading, problems: Sequence[Problem], held: int, print_now: str
    ) -> None:
        generation = _generation(source)
        counted = f"{held} entities from {reading.files} files"
        if problems:
            told = "; ".join(str(problem) for problem in problems[:MOST_TOLD])
            rest = f"; and {len(problems) - MOST_TOLD} more" if len(problems) > MOST_TOLD else ""
            message = f"{counted}; {len(problems)} refused: {told}{rest}"[:MESSAGE_LIMIT]
            synced = Condition("Synced", "False", "EntitiesRefused", message, generation)
        else:
            synced = Condition("Synced", "True", "ReconcileSuccess", counted, generation)
        ready = Condition("Ready", "True", "Available", counted, generation)
        figures = {
            "entities": held,
            "errors": len(problems),
            "fingerprint": print_now,
            "lastRefresh": annotations_of(source).get(REFRESH, ""),
        }
        await self._write(source, figures, [synced, ready])
        if problems:
            await self._recorder.event(source, "Warning", "EntitiesRefused", synced.message)

    async def _write(self, source: Object, figures: dict[str, Any], conditions: Sequence[Condition]) -> None:
        now = format_time(self._clock.now())
        status = {
            "observedGeneration": _generation(source),
            **figures,
            "conditions": [condition.to_json(_since(source, condition, now)) for condition in conditions],
        }
        known = source.get("status") or {}
        if {name: known.get(name) for name in status} == status:
            return
        wanted = {
            "apiVersion": SOURCES.api_version,
            "kind": SOURCES.kind,
            "metadata": {"name": name_of(source)},
            "status": status,
        }
        try:
            await self._client.apply(SOURCES, wanted, manager=MANAGER, subresource="status")
        except NotFoundError as error:
            raise TerminalError("the Source was deleted meanwhile") from error


class LocalPaths:
    """An admitter: to point a Source at a folder of this machine takes the verb ``uselocalpath``."""

    name = "local-paths"
    resources = frozenset({SOURCES.qualified})
    operations: frozenset[Operation] = frozenset({"CREATE", "UPDATE"})

    def __init__(self, connect: Callable[[User], Client]) -> None:
        self._connect = connect

    async def admit(self, request: AdmissionRequest) -> Object | None:
        """Refuse a new or changed path to those who may not use local paths."""
        if request.subresource or _path(request.object) in ("", _path(request.old)):
            return None
        question = {
            "apiVersion": SELFSUBJECTACCESSREVIEWS.api_version,
            "kind": SELFSUBJECTACCESSREVIEWS.kind,
            "spec": {
                "resourceAttributes": {
                    "verb": "uselocalpath",
                    "group": SOURCES.group,
                    "resource": SOURCES.plural,
                    "name": request.name,
                },
            },
        }
        answer = await self._connect(request.user).ask(SELFSUBJECTACCESSREVIEWS, question)
        if not (answer.get("status") or {}).get("allowed"):
            raise ForbiddenError(
                f'sources.catalog.roadbed.dev "{request.name}" is forbidden: User "{request.user.name}" may not point '
                "spec.folder.path at this machine's files; that takes the verb uselocalpath on sources.catalog.roadbed.dev",
                group=SOURCES.group,
                kind=SOURCES.plural,
                name=request.name,
            )
        return None


def _path(obj: Object | None) -> str:
    return str((((obj or {}).get("spec") or {}).get("folder") or {}).get("path") or "")


def _generation(source: Object) -> int:
    return int((source.get("metadata") or {}).get("generation") or 0)


def _since(source: Object, condition: Condition, now: str) -> str:
    known = find_condition(source, condition.type)
    unchanged = known is not None and known.get("status") == condition.status
    return str(known.get("lastTransitionTime") or now) if unchanged and known is not None else now


def _doubles(found: Sequence[Found]) -> list[Problem]:
    counts: Counter[Ref] = Counter()
    problems = []
    for item in found:
        ref = ref_of(item.entity)
        counts[ref] += 1
        if counts[ref] > 1:
            problems.append(
                Problem(item.file, item.document, "metadata.name", f"{ref} is defined twice in this Source")
            )
    return problems


def _taken(found: Sequence[Found], taken: dict[Ref, str]) -> list[Problem]:
    first: dict[Ref, Found] = {}
    for item in found:
        first.setdefault(ref_of(item.entity), item)
    return [
        Problem(
            first[ref].file,
            first[ref].document,
            "metadata.name",
            f"{ref} comes from Source {holder!r} already",
        )
        for ref, holder in taken.items()
    ]
