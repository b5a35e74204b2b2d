"""Expressions that may take long, in rules, policies and conditions: others are answered while they are evaluated."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from roadbed.apimachinery.cel_costs import INLINE, Expense, TooLongError, Turn
from roadbed.apimachinery.cel_expressions import evaluate, program, untyped
from roadbed.apimachinery.errors import InvalidError
from roadbed.apis.apiextensions import CUSTOMRESOURCEDEFINITIONS as CRDS
from roadbed.apis.core import CONFIGMAPS, NAMESPACES
from roadbed.apiserver.beside import Beside

pytestmark = pytest.mark.acceptance

TEN = "[0,1,2,3,4,5,6,7,8,9]"
DEAR = "".join(f"{TEN}.exists({name}, " for name in "abcdef") + "%s" + ")" * 6  # may cost much, and does not
CONFIG_MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "default"}}


@pytest.fixture
def meanwhile(api: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Do a write; it goes on past its first counted expression only when another client was answered."""
    answered, asked = threading.Event(), asyncio.Event()
    count = Expense.run

    async def begin(write: Any) -> Any:
        loop = asyncio.get_running_loop()

        def held(self: Expense, variables: Any, limit: int) -> Any:
            loop.call_soon_threadsafe(asked.set)
            assert answered.wait(5), "the loop was held"
            return count(self, variables, limit)

        with monkeypatch.context() as patch:
            patch.setattr(Expense, "run", held)
            task = asyncio.ensure_future(write)
            await asked.wait()
            await api.get(NAMESPACES, "default")
            assert not task.done()
            answered.set()
            return await task

    return begin


async def test_a_rule_over_a_large_object(api: Any, make_crd: Any, widgets: Any, meanwhile: Any) -> None:
    rule = {"rule": "self.all(a, self.exists(b, a == b && a < 200))"}
    numbers = {
        "type": "array",
        "maxItems": 100,
        "items": {"type": "integer"},
        "x-kubernetes-validations": [rule],
    }
    properties = {"numbers": numbers, "text": {"type": "string"}}
    await api.create(CRDS, make_crd(schema={"type": "object", "properties": properties}))
    obj = {
        "metadata": {"name": "w", "namespace": "default"},
        "numbers": list(range(100)),
        "text": "x" * 40_000,
    }
    made = await meanwhile(api.create(widgets, obj))
    assert made["numbers"] == obj["numbers"]
    with pytest.raises(InvalidError, match="failed rule"):
        await api.create(
            widgets, {**obj, "metadata": {"name": "x", "namespace": "default"}, "numbers": [500]}
        )


async def test_a_policy_that_asks_the_authorizer(api: Any, bind: Any, meanwhile: Any) -> None:
    check = "authorizer.group('').resource('pods').namespace(object.metadata.name).check('get').allowed()"
    await bind(
        validations=[{"expression": f"!{DEAR % check}", "messageExpression": "'not ' + object.metadata.name"}]
    )
    with pytest.raises(InvalidError, match=r"denied request: not a$"):
        await meanwhile(api.create(CONFIGMAPS, CONFIG_MAP))


async def test_a_match_condition(api: Any, bind: Any, meanwhile: Any) -> None:
    condition = {"name": "c", "expression": "!" + DEAR % "object.metadata.name == 'a'"}
    await bind(validations=[{"expression": "false"}], matchConditions=[condition])
    made = await meanwhile(api.create(CONFIGMAPS, {**CONFIG_MAP, "data": {}}))
    assert made["metadata"]["name"] == "a"


async def test_a_mutation(api: Any, put: Any, meanwhile: Any) -> None:
    told = "Object{metadata: Object.metadata{labels: {'a': string(%s)}}}" % (DEAR % "true")
    mutation = {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": told}}
    await put("MutatingAdmissionPolicy", "m", reinvocationPolicy="Never", mutations=[mutation])
    await put("MutatingAdmissionPolicyBinding", "m", policyName="m")
    made = await meanwhile(api.create(CONFIGMAPS, CONFIG_MAP))
    assert made["metadata"]["labels"] == {"a": "true"}


async def test_what_runs_beside_ends_with_the_server_and_with_who_waits() -> None:
    beside, began, may_go_on = Beside(), asyncio.Event(), threading.Event()
    loop, ended = asyncio.get_running_loop(), threading.Event()

    def work(turn: Turn) -> None:
        turn.spend(INLINE)
        loop.call_soon_threadsafe(began.set)
        assert may_go_on.wait(5)
        try:
            turn.spend(0)
        except TooLongError:
            ended.set()

    task = asyncio.ensure_future(beside.run(work))
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    may_go_on.set()
    await asyncio.to_thread(ended.wait, 5)
    assert ended.is_set()
    beside.close()


def test_no_pattern_backtracks() -> None:
    """Patterns are RE2's: what would hold a backtracking engine for ever takes time in proportion to its text."""
    text = {"self": "a" * 50_000 + "!"}
    for pattern in ("^(a+)+$", "^(a|a)*$", "^(.*a){30}$", "^([a-z]+)*[0-9]$"):
        for call in (f"self.matches('{pattern}')", f"self.findAll('{pattern}').size() > 0"):
            assert evaluate(program(call, "BOOL"), untyped().Activation(text)) == (False, "")
            assert Expense(call, program(call, "BOOL").serialize).run(text, 10**9)[0] is False
