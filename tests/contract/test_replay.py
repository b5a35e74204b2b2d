"""Our server gives the answers that the real kube-apiserver gave, request by request.

``recordings`` holds what it said (``make oracle`` asks it again); ``differences.yaml`` lists what may differ, each
with its reason. The corpus is asked once, of one server over TLS, and judged case by case.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml
from tests.contract.asking import PATIENCE_S, Asker
from tests.contract.corpus import Case, cases
from tests.contract.normal import differences, normalised
from tests.contract.recorder import client_tls, recording

from roadbed.apiserver import Listener
from roadbed.testing import control_plane

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="module")]
ACCEPTED = Path(__file__).parent / "differences.yaml"
MIN_REQUESTS = 500


@dataclass
class Replay:
    """What our server said differently, by case; and which accepted differences were met."""

    found: dict[str, list[str]] = field(default_factory=dict)
    used: set[int] = field(default_factory=set)

    def judge(self, case: Case, theirs: Any, ours: Any, accepted: list[dict[str, str]]) -> None:
        """Compare one case and note what no accepted difference explains."""
        unexplained = self.found.setdefault(case.name, [])
        if len(theirs) != len(ours):
            unexplained.append(f"recorded with {len(theirs)} steps, asked with {len(ours)}; record it again")
            return
        for index, (one, other) in enumerate(zip(theirs, ours, strict=True)):
            for place, want, got in differences(one, other):
                entry = _explaining(accepted, case, index + 1, place)
                if entry is None:
                    title = case.steps[index].title
                    unexplained.append(
                        f"step {index + 1} ({title}) {place}:\n  theirs {want!r}\n  ours   {got!r}"
                    )
                else:
                    self.used.add(entry)


def _explaining(accepted: list[dict[str, str]], case: Case, step: int, place: str) -> int | None:
    for index, entry in enumerate(accepted):
        if (
            any(fnmatchcase(case.name, name) for name in str(entry["case"]).split())
            and str(step) in str(entry["step"]).split()
            and any(fnmatchcase(place, name) for name in str(entry["at"]).split())
        ):
            return index
    return None


def _accepted() -> list[dict[str, str]]:
    found: list[dict[str, str]] = yaml.safe_load(ACCEPTED.read_text()) or []
    return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def replay(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Replay]:
    folder = tmp_path_factory.mktemp("replay")
    async with control_plane(crds=()) as plane:
        certificates = plane.access.certificates
        (folder / "ca.pem").write_bytes(certificates.ca_pem)
        (folder / "admin.pem").write_bytes(certificates.admin_pem + certificates.admin_key_pem)
        listener = Listener(plane.server.asgi, host="127.0.0.1", port=0, tls=certificates.server_context())
        await listener.start()
        try:
            loop = asyncio.get_running_loop()

            def compact() -> None:
                done = asyncio.run_coroutine_threadsafe(plane.storage.compact(plane.storage.revision), loop)
                done.result(PATIENCE_S)

            yield await asyncio.to_thread(_played, listener.port, folder, compact)
        finally:
            await listener.stop()


def _played(port: int, folder: Path, compact: Callable[[], None]) -> Replay:
    found, accepted = Replay(), _accepted()
    tls = client_tls(str(folder / "ca.pem"), str(folder / "admin.pem"))
    areas = os.environ.get("CORPUS", "").split()  # to look at one area while mending
    for case in cases():
        if areas and case.area not in areas:
            continue
        asker = Asker(port, tls, compact)
        try:
            ours = normalised(case, list(asker.play(case)))
        except OSError as error:
            found.found[case.name] = [f"no answer: {error!r}"]
            continue
        finally:
            asker.close()
        theirs = recording(case.area).get(case.name)
        if theirs is None:
            found.found[case.name] = ["not recorded: run `make oracle`"]
        else:
            found.judge(case, theirs, ours, accepted)
    return found


@pytest.mark.parametrize("case", cases(), ids=lambda case: f"{case.area}-{case.name}")
async def test_answers_are_those_of_kubernetes(replay: Replay, case: Case) -> None:
    unexplained = replay.found.get(case.name, [])
    assert not unexplained, f"{case.why}\n" + "\n".join(unexplained)


async def test_every_accepted_difference_is_still_one(replay: Replay) -> None:
    unused = [entry for index, entry in enumerate(_accepted()) if index not in replay.used]
    assert not unused, f"these no longer differ; remove them from {ACCEPTED.name}: {unused}"


async def test_every_accepted_difference_has_a_reason() -> None:
    assert all(entry.get("because") for entry in _accepted())


async def test_the_corpus_is_large() -> None:
    assert sum(len(case.steps) for case in cases()) >= MIN_REQUESTS


async def test_no_recording_is_left_over() -> None:
    asked = {(case.area, case.name) for case in cases()}
    areas = {path.stem for path in (Path(__file__).parent / "recordings").glob("*.json")}
    recorded = {(area, name) for area in areas for name in recording(area)}
    assert recorded == asked
