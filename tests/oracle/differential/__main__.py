"""``python -m tests.oracle.differential``: ask both servers random sequences, and report what differs.

Ends with 1 where something differs that is not accepted, with 0 where nothing does or where the programs of the
real server are not built (it says so).
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from random import Random

from tests.contract.corpus import Case
from tests.oracle.peer import programs

from .areas import AREAS, Area
from .comparing import Finding, compare
from .shrinking import shrunk
from .sides import Sides


@dataclass
class Report:
    """What was compared and found so far."""

    sequences: int = 0
    requests: int = 0
    classes: Counter[str] = field(default_factory=Counter)
    shown: list[str] = field(default_factory=list)


class Tester:
    """Plays the sequences of one area; ``tries`` bounds the attempts to shrink one (0: show it as it was)."""

    def __init__(self, sides: Sides, area: Area, *, tries: int) -> None:
        self._sides = sides
        self._area = area
        self._tries = tries
        self._again = count(1)
        self.report = Report()

    def prepare(self) -> None:
        """Bring what the sequences of the area rest on to both servers."""
        case = Case(self._area.name, f"{self._area.name}-setup", "", tuple(self._area.setup))
        theirs, ours = self._sides.ask(case)
        for one, other in zip(theirs, ours, strict=True):
            if one["status"] >= 400 or other["status"] >= 400:
                raise RuntimeError(f"cannot prepare {case.name}: {one} {other}")

    def play(self, name: str, rng: Random) -> None:
        """Make, play, compare one sequence; a new class of difference is shrunk and told."""
        case = Case(self._area.name, name, "", tuple(self._area.steps(rng)))
        self.report.sequences += 1
        self.report.requests += len(case.steps)
        found = self._found(case)
        if found is None:
            return
        news = (found.classes or frozenset({f"{case.name}: status"})) - set(self.report.classes)
        self.report.classes.update(found.classes)
        if news:
            self._tell(case, found, news)

    def _found(self, case: Case) -> Finding | None:
        theirs, ours = self._sides.ask(case)
        return compare(case, theirs, ours)

    def _tell(self, case: Case, found: Finding, news: frozenset[str]) -> None:
        def shows(attempt: Case) -> bool:
            again = self._found(self._renamed(attempt, case.name))
            return again is not None and bool(again.classes & news)

        cut = replace(case, steps=case.steps[: found.step + 1])
        small = shrunk(cut, shows, attempts=self._tries) if self._tries else cut
        last = self._found(self._renamed(small, case.name)) or found
        lines = [f"=== {case.name}"]
        lines += [f"class: {each}" for each in sorted(news)]
        for index, step in enumerate(small.steps):
            mark = ">>" if index == last.step else "  "
            form = step.headers.get("content-type", "").partition("/")[2]
            body = "" if step.body is None else json.dumps(step.body)
            lines.append(f"{mark} {step.title} {form} {body}")
        for place, theirs, ours in last.places:
            lines.append(f"   {place}:\n     theirs {json.dumps(theirs)}\n     ours   {json.dumps(ours)}")
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()

    def _renamed(self, case: Case, name: str) -> Case:
        return replace(case, name=f"{name}-{next(self._again)}")


def main() -> int:
    """Run the tester; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.oracle.differential", description=__doc__)
    parser.add_argument("--area", choices=sorted(AREAS), action="append", help="all where none is named")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sequences", type=int, default=200, help="of each area")
    parser.add_argument("--tries", type=int, default=80, help="attempts to shrink a finding; 0: none")
    parser.add_argument("--only", type=int, help="one sequence of the area, by its number")
    given = parser.parse_args()
    if programs() is None:
        sys.stdout.write("skipped: the real API server is not built here; run `make oracle-build`\n")
        return 0
    is_same = True
    for area in given.area or AREAS:
        with tempfile.TemporaryDirectory(prefix="differential-") as name, Sides(Path(name)) as sides:
            tester = Tester(sides, AREAS[area], tries=given.tries)
            tester.prepare()
            began = time.monotonic()
            for number in range(given.sequences) if given.only is None else (given.only,):
                tester.play(f"{area}-{given.seed}-{number}", Random(f"{area}-{given.seed}-{number}"))
            report = tester.report
            is_same = is_same and not report.classes
            sys.stdout.write(
                f"{area}: {report.sequences} sequences, {report.requests} requests, "
                f"{len(report.classes)} classes of difference, {time.monotonic() - began:.0f} s\n"
            )
            for each, times in report.classes.most_common():
                sys.stdout.write(f"  {times:4}  {each}\n")
    return 0 if is_same else 1


if __name__ == "__main__":
    sys.exit(main())
