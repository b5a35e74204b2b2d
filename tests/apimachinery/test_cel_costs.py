"""What expressions give and cost, as recorded from Kubernetes' own CEL environment (``tests/oracle/costs``)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from roadbed.apimachinery.cel_costs import Expense, extent
from roadbed.apimachinery.cel_expressions import RuleError, compile_text, refuse_faults
from roadbed.apimachinery.cel_library import environment, runtime
from roadbed.apimachinery.cel_types import RuleTypes, converter, escape
from roadbed.apimachinery.expressions import estimate
from roadbed.apimachinery.expressions.ast import read
from roadbed.apimachinery.expressions.shapes import Shape, shape_of
from roadbed.apimachinery.nodes import compile_node

# The runtime has no such literal check or type; the fault is told when an object is judged.
TOLD_LATER = ("int('x') == 1", "self.objs.sortBy(o, o).size() == 3")
TOLD_SHORTER = ("cel.bind(x, 1, x == 1)", "quantity('x').sign() == 1")
# docs/reference/differences.md says so.
NOT_HERE = ("optional.unwrap(", ".unwrapOpt(")
RECORDED = json.loads((Path(__file__).parent / "golden" / "cel_costs.json").read_text())


def _subjects() -> Iterator[tuple[dict[str, Any], Any, dict[str, Any], Shape | None]]:
    for subject in RECORDED:
        if "schema" not in subject:
            yield subject, environment({"object": runtime().Type.DYN}), {"object": subject["value"]}, None
            continue
        node, types = compile_node(subject["schema"]), RuleTypes()
        kind, turn = types.type_of(node), converter(node)
        value = subject["value"] if turn is None else turn(subject["value"])
        yield subject, environment({"self": kind}, types.pool), {"self": value}, shape_of(node, escape)


def _differences() -> Iterator[str]:
    for subject, env, variables, shape in _subjects():
        for example in subject["examples"]:
            text, wanted = example["expression"], (example["cost"], example["result"])
            try:
                program = compile_text(env, text, "BOOL")
                refuse_faults(text, program)
            except RuleError as error:
                if any(each in text for each in NOT_HERE):
                    continue
                is_told = wanted[1].startswith("refused") and text in TOLD_SHORTER
                if wanted[1] != f"refused: {error}" and not is_told:
                    yield f"{text}: {wanted}, here refused: {error}"
                continue
            expense = Expense(text, program.serialize)
            value, trouble, cost = expense.run(variables, 10**9)
            bound = expense.bound.of(extent(*variables.values()))
            if wanted[1].startswith("refused"):
                if text in TOLD_LATER:
                    continue
                yield f"{text}: {wanted}, here {value}"
                continue
            if wanted[1].startswith("error") and trouble:
                continue  # what a failure costs depends on where it stops
            if (cost, "error" if trouble else str(value).lower()) != wanted:
                yield f"{text}: {wanted}, here {cost} {value} {trouble}"
            # Loops over two variables are estimated as the loops over one that they are made of: dearer.
            is_exact = not re.search(r"\(\w+, \w, ", text)
            if (
                shape is not None
                and is_exact
                and estimate(read(program.serialize()), shape) != example["estimate"]
            ):
                guess = estimate(read(program.serialize()), shape)
                yield f"{text}: is estimated {example['estimate']}, here {guess}"
            if bound < cost:
                yield f"{text}: costs {cost}, more than its bound {bound}"


@pytest.mark.timeout(20)
def test_expressions_give_and_cost_what_they_do_in_kubernetes() -> None:
    assert list(_differences()) == []
