"""Asks the real kube-apiserver the whole corpus and stores its normalised answers in ``recordings/*.json``.

``make oracle`` runs it, after building; ``python -m tests.contract.recorder [AREA…]`` records some areas. Every
case is asked of two fresh servers: what differs between the two runs is stored as "varies" and named on the
screen, so that the corpus or ``normal`` can be mended. No controllers run beside the server, in neither world:
what they do is not an answer.
"""

from __future__ import annotations

import json
import ssl
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.oracle.peer import Peer

from .asking import Asker
from .corpus import Case, cases
from .normal import VARIES, differences, merged, normalised

FOLDER = Path(__file__).parent / "recordings"
Recording = dict[str, list[dict[str, Any]]]


def recording(area: str) -> Recording:
    """Give what the real server answered, by case; nothing for an area that was not recorded."""
    path = FOLDER / f"{area}.json"
    found: Recording = json.loads(path.read_text()) if path.exists() else {}
    return found


def client_tls(ca: str, certificate: str) -> ssl.SSLContext:
    """Give the TLS context of a client: whom it trusts, and the file with its certificate and key."""
    context = ssl.create_default_context(cafile=ca)
    context.load_cert_chain(certificate)
    return context


def record(wanted: Sequence[Case]) -> Recording:
    """Ask a fresh real server these cases."""
    with (
        tempfile.TemporaryDirectory(prefix="recording-") as name,
        Peer(Path(name), has_controllers=False) as peer,
    ):
        tls = client_tls(str(peer.folder / "ca.pem"), str(peer.folder / "admin.pem"))
        found: Recording = {}
        for case in wanted:
            asker = Asker(peer.port, tls, peer.compact)
            try:
                found[case.name] = normalised(case, list(asker.play(case)))
            except OSError as error:
                raise RuntimeError(
                    f"no answer to a step of {case.name}; does it watch without saying so?"
                ) from error
            finally:
                asker.close()
        return found


def main(areas: Sequence[str]) -> None:
    """Record the named areas, or all."""
    wanted = [case for case in cases() if not areas or case.area in areas]
    first, second = record(wanted), record(wanted)
    FOLDER.mkdir(exist_ok=True)
    for area in sorted({case.area for case in wanted}):
        found = {case.name: _agreed(case, first, second) for case in wanted if case.area == area}
        (FOLDER / f"{area}.json").write_text(_shown(found))
    requests = sum(len(case.steps) for case in wanted)
    sys.stdout.write(f"recorded {requests} requests in {len(wanted)} cases\n")


def _agreed(case: Case, first: Recording, second: Recording) -> list[dict[str, Any]]:
    one, other = first[case.name], second[case.name]
    for place, before, after in differences(one, other):
        sys.stdout.write(f"{VARIES} {case.name} {place}: {before!r} or {after!r}\n")
    agreed: list[dict[str, Any]] = merged(one, other)
    return agreed


def _shown(found: Recording) -> str:
    """Give JSON with a line for each step, so that a change of a recording reads well in a diff."""
    shown = []
    for name, entries in found.items():
        lines = ",\n  ".join(json.dumps(entry, sort_keys=True, ensure_ascii=False) for entry in entries)
        shown.append(f"{json.dumps(name)}: [\n  {lines}\n]")
    return "{\n" + ",\n".join(shown) + "\n}\n"


if __name__ == "__main__":
    main(sys.argv[1:])
