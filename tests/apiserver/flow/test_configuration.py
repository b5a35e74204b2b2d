"""FlowSchemas and levels as objects: what is written about them, and that changes of them hold at once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from roadbed.apimachinery.errors import TooManyRequestsError
from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.request import User
from roadbed.apiserver.flow import FlowControl, defaults, dumps
from roadbed.apiserver.flow.status import FLOW_SCHEMAS, MANAGER
from roadbed.apiserver.kinds.judging import JUDGES
from roadbed.testing import ControlPlane, control_plane, eventually

LEVELS = Resource(
    FLOW_SCHEMAS.group, "v1", "prioritylevelconfigurations", "PriorityLevelConfiguration", False
)
BOB = User("bob", ("system:authenticated",))
GET = ("get", "", "configmaps", "", "default", "")


def schema(level: str) -> dict[str, Any]:
    everything = {
        "verbs": ["*"],
        "apiGroups": ["*"],
        "resources": ["*"],
        "namespaces": ["*"],
        "clusterScope": True,
    }
    subjects = [{"kind": "User", "user": {"name": "bob"}}]
    spec = {
        "priorityLevelConfiguration": {"name": level},
        "matchingPrecedence": 500,
        "rules": [{"subjects": subjects, "resourceRules": [everything]}],
    }
    return {**_typed(FLOW_SCHEMAS), "metadata": {"name": "bobs"}, "spec": spec}


def level(shares: int) -> dict[str, Any]:
    limited = {"nominalConcurrencyShares": shares, "limitResponse": {"type": "Reject"}}
    return {**_typed(LEVELS), "metadata": {"name": "slow"}, "spec": {"type": "Limited", "limited": limited}}


def queues(count: int, hand: int) -> dict[str, Any]:
    queuing = {"queues": count, "handSize": hand, "queueLengthLimit": 1}
    return {"type": "Limited", "limited": {"limitResponse": {"type": "Queue", "queuing": queuing}}}


def _typed(resource: Resource) -> dict[str, str]:
    return {"apiVersion": resource.api_version, "kind": resource.kind}


async def condition(plane: ControlPlane, name: str = "bobs") -> dict[str, Any]:
    held = await plane.client.get(FLOW_SCHEMAS, name)
    return dict(((held.get("status") or {}).get("conditions") or [{}])[0])


async def test_a_schema_tells_whether_its_level_is_there() -> None:
    async with control_plane(crds=()) as plane:
        await plane.client.create(FLOW_SCHEMAS, schema("slow"))

        async def told(status: str) -> dict[str, Any]:
            found = await condition(plane)
            return found if found.get("status") == status else {}

        lost = await eventually(lambda: told("True"))
        text = 'This FlowSchema references the PriorityLevelConfiguration object named "slow"'
        assert (lost["type"], lost["reason"]) == ("Dangling", "NotFound")
        assert lost["message"] == f"{text} but there is no such object"
        await plane.client.create(LEVELS, level(5))
        found = await eventually(lambda: told("False"))
        assert (found["reason"], found["message"]) == ("Found", f"{text} and it exists")
        await plane.client.delete(LEVELS, "slow")
        await eventually(lambda: told("True"))
        (entry,) = (
            each
            for each in (await plane.client.get(FLOW_SCHEMAS, "bobs"))["metadata"]["managedFields"]
            if each["manager"] == MANAGER
        )
        assert (entry["operation"], entry["subresource"]) == ("Apply", "status")
        assert (await condition(plane, "exempt"))["status"] == "False"  # looked at with the others


async def test_a_change_of_a_level_holds_for_the_next_request() -> None:
    async with control_plane(crds=()) as plane:
        flow = FlowControl(plane.storage, turn_s=60.0)
        await plane.client.create(LEVELS, level(200))
        await plane.client.create(FLOW_SCHEMAS, schema("slow"))
        held = [await flow.enter(BOB, GET) for _ in range(3)]
        live = await plane.client.get(LEVELS, "slow")
        live["spec"]["limited"]["nominalConcurrencyShares"] = 0
        await plane.client.update(LEVELS, live)
        with pytest.raises(TooManyRequestsError):
            await flow.enter(BOB, GET)
        assert counted(flow)["apiserver_flowcontrol_rejected_requests_total"] == {
            'priority_level="slow",flow_schema="bobs",reason="concurrency-limit"': 1
        }
        live = await plane.client.get(LEVELS, "slow")
        live["spec"]["limited"]["nominalConcurrencyShares"] = 100
        await plane.client.update(LEVELS, live)
        held.append(await flow.enter(BOB, GET))
        for ticket in held:
            ticket.leave()
        flow.close()


def counted(flow: FlowControl) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for instrument in flow.counts.instruments:
        for line in instrument.lines():
            if not line.startswith("#"):
                name, _, rest = line.partition("{")
                labels, _, number = rest.rpartition("} ")
                found.setdefault(name, {})[labels] = float(number)
    return found


async def test_requests_are_counted_by_level_and_schema() -> None:
    async with control_plane(crds=()) as plane:
        flow = FlowControl(plane.storage, seats=10, turn_s=60.0)  # one seat for the level
        at = 'priority_level="global-default",flow_schema="global-default"'
        first = await flow.enter(BOB, GET)
        waiting = asyncio.ensure_future(flow.enter(BOB, ("create", *GET[1:])))
        gone = asyncio.ensure_future(flow.enter(BOB, GET))
        root = await flow.enter(User("root", ("system:masters",)), GET)
        await asyncio.sleep(0)
        counts = counted(flow)
        assert counts["apiserver_flowcontrol_current_executing_requests"][at] == 1
        assert counts["apiserver_current_inqueue_requests"] == {
            'request_kind="mutating"': 1,
            'request_kind="readOnly"': 1,
        }
        shown = dumps(flow)["/debug/api_priority_and_fairness/dump_priority_levels"]().decode().splitlines()
        assert shown[0].startswith(
            "PriorityLevelName, ActiveQueues, IsIdle, IsQuiescing, WaitingRequests, Exec"
        )
        (row,) = (line for line in shown if line.startswith("global-default,"))
        assert [cell.strip() for cell in row.split(",")[2:6]] == ["false", "false", "2", "1"]
        queues = dumps(flow)["/debug/api_priority_and_fairness/dump_queues"]().decode().splitlines()
        waited = [line.split(",")[2].strip() for line in queues if line.startswith("global-default,")]
        assert (len(waited), sum(map(int, waited))) == (128, 2)
        gone.cancel()
        first.leave()
        (await waiting).leave()
        first.leave()  # as at the end of every request: nothing more happens
        root.leave()
        await asyncio.gather(gone, return_exceptions=True)
        counts = counted(flow)
        assert counts["apiserver_flowcontrol_dispatched_requests_total"] == {
            at: 2,
            'priority_level="exempt",flow_schema="exempt"': 1,
        }
        assert counts["apiserver_flowcontrol_current_executing_seats"][at] == 0
        assert counts["apiserver_flowcontrol_current_inqueue_requests"][at] == 0
        assert counts["apiserver_flowcontrol_rejected_requests_total"] == {f'{at},reason="cancelled"': 1}
        assert counts["apiserver_flowcontrol_request_wait_duration_seconds_count"] == {
            f'{at},execute="true"': 1,
            f'{at},execute="false"': 1,
        }
        assert counts["apiserver_flowcontrol_request_execution_seconds_count"][f'{at},type="regular"'] == 2
        assert counts["apiserver_flowcontrol_nominal_limit_seats"]['priority_level="global-default"'] == 1
        flow.close()


async def test_the_tables_are_given_to_who_may_read_them() -> None:
    async with control_plane(crds=()) as plane:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        async def ask(token: str) -> int:
            sent.clear()
            scope = {
                "type": "http",
                "method": "GET",
                "path": "/debug/api_priority_and_fairness/dump_priority_levels",
                "query_string": b"",
                "headers": [(b"authorization", f"Bearer {token}".encode())] if token else [],
            }
            await plane.server.asgi(scope, _nothing, send)
            return int(sent[0]["status"])

        assert await ask("") == 403
        assert await ask(plane.access.tokens.admin_token) == 200
        assert b"exempt," in sent[1]["body"]


async def _nothing() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


def fixed(plural: str, name: str) -> dict[str, Any]:
    return dict(defaults.mandatory()[f"{plural}/{name}"])


REFUSED = {
    "a catch-all that comes earlier": (
        {
            **fixed("flowschemas", "catch-all"),
            "spec": {**fixed("flowschemas", "catch-all")["spec"], "matchingPrecedence": 500},
        },
        ["spec: spec of 'catch-all' must equal the fixed value"],
    ),
    "an exempt schema for somebody else": (
        {**schema("exempt"), "metadata": {"name": "exempt"}},
        ["spec: spec of 'exempt' must equal the fixed value"],
    ),
    "an exempt level that is limited": (
        {**level(1), "metadata": {"name": "exempt"}},
        [
            "spec.type: must be 'Exempt' if and only if `name` is 'exempt'",
            "spec: spec of 'exempt' except the 'spec.exempt' field must equal the fixed value",
        ],
    ),
    "another exempt level": (
        {**level(1), "spec": {"type": "Exempt"}},
        ["spec.type: must be 'Exempt' if and only if `name` is 'exempt'"],
    ),
    "queues without end": (
        {**level(1), "spec": queues(10**9, 1)},
        ["spec.limited.limitResponse.queuing.queues: must not be greater than 10000000"],
    ),
    "a hand larger than any hash": (
        {**level(1), "spec": queues(512, 500)},
        [
            (
                "spec.limited.limitResponse.queuing.handSize: required entropy bits of deckSize 512 and handSize 500 "
                "should not be greater than 60"
            )
        ],
    ),
    "a schema without a level, for nobody": (
        {**schema(""), "spec": {"matchingPrecedence": 1, "rules": [{}]}},
        [
            "spec.matchingPrecedence: only the schema named 'exempt' may have matchingPrecedence 1",
            "spec.priorityLevelConfiguration.name: must reference a priority level",
            "spec.rules[0].subjects: subjects must contain at least one value",
            "spec.rules[0]: at least one of resourceRules and nonResourceRules has to be non-empty",
        ],
    ),
}


@pytest.mark.parametrize("case", sorted(REFUSED))
def test_what_would_leave_requests_without_a_level_is_refused(case: str) -> None:
    obj, expected = REFUSED[case]
    judge = JUDGES[FLOW_SCHEMAS.group, "flowschemas" if obj["kind"] == "FlowSchema" else LEVELS.plural]
    told = [
        f"{each.field}: {each.message.rpartition('}: ')[2].rpartition(': ')[2]}" for each in judge(obj, None)
    ]
    assert told == expected


def test_the_fixed_ones_are_right_and_what_exempt_lends_is_the_administrators() -> None:
    for key, obj in defaults.mandatory().items():
        assert JUDGES[FLOW_SCHEMAS.group, key.partition("/")[0]](obj, None) == []
    lending = {"type": "Exempt", "exempt": {"nominalConcurrencyShares": 7, "lendablePercent": 50}}
    assert (
        JUDGES[LEVELS.group, LEVELS.plural]({**fixed(LEVELS.plural, "exempt"), "spec": lending}, None) == []
    )
