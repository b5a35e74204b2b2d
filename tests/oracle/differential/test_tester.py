"""The differential tester itself, without a server: it makes what it says, sees what differs, and shrinks it."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from tests.contract.corpus import Case, Step
from tests.oracle.differential.areas import AREAS
from tests.oracle.differential.comparing import accepted, compare
from tests.oracle.differential.growing import inside, places, put
from tests.oracle.differential.shrinking import shrunk, without

pytestmark = pytest.mark.acceptance


@pytest.mark.parametrize("area", AREAS)
def test_the_same_seed_makes_the_same_sequences(area: str) -> None:
    made = [[list(AREAS[area].steps(Random(f"{area}-{seed}"))) for seed in range(5)] for _ in range(2)]
    assert made[0] == made[1]
    assert all(steps for steps in made[0])


def _case(*bodies: Any) -> Case:
    return Case("area", "case", "", tuple(Step("POST", "/things", body) for body in bodies))


def _answer(status: int, body: Any) -> dict[str, Any]:
    return {"do": "POST /things", "status": status, "headers": {}, "body": body}


def test_the_first_differing_step_is_told_with_its_class() -> None:
    same, theirs, ours = _answer(201, {"a": 1}), _answer(201, {"a": 1}), _answer(201, {"a": 2})
    found = compare(_case({}, {}), [same, theirs], [same, ours])
    assert found is not None
    assert found.step == 1
    assert found.places == [("body.a", 1, 2)]
    assert compare(_case({}, {}), [same, theirs], [same, same]) is None


def test_causes_are_compared_as_a_set_and_named_by_what_they_say() -> None:
    def refused(*causes: tuple[str, str]) -> dict[str, Any]:
        listed = [{"field": field, "message": text, "reason": "R"} for field, text in causes]
        return _answer(422, {"message": "m", "details": {"kind": "Thing", "causes": listed}})

    one, other = ("spec.a", "Required value"), ("spec.b[0]", 'Invalid value: "x": no')
    case = _case({"kind": "Thing"})
    assert compare(case, [refused(one, other)], [refused(other, one)]) is None
    found = compare(case, [refused(one, other)], [refused(one)])
    assert found is not None
    assert found.classes == {"only theirs: Thing spec.b: Invalid value: _: no"}


def test_a_sequence_is_shrunk_to_what_still_shows_it() -> None:
    body = {"keep": {"this": 1, "not": 2}, "drop": [1, 2]}

    def shows(case: Case) -> bool:
        return any(
            isinstance(step.body, dict) and inside(step.body, ("keep", "this")) == 1 for step in case.steps
        )

    small = shrunk(_case({}, {"x": 1}, body, {}), shows)
    assert [step.body for step in small.steps] == [{"keep": {"this": 1}}]


def test_places_are_found_replaced_and_taken_out() -> None:
    found = {"a": [{"b": 1}], "c": None}
    assert set(places(found)) == {("a",), ("a", 0), ("a", 0, "b"), ("c",)}
    assert put(found, ("a", 0, "b"), 2) == {"a": [{"b": 2}], "c": None}
    assert without(found, ("a", 0)) == {"a": [], "c": None}
    assert without(found, ("a", 7)) is found


def test_every_accepted_difference_has_a_reason_and_a_place() -> None:
    assert all(entry.get("because") and entry.get("at") for entry in accepted())
