"""function-auto-ready: what counts as ready without anyone saying so."""

import pytest

from roadbed.engines.composition.functions.auto_ready import AutoReady, is_healthy, parse_duration_s
from roadbed.engines.composition.functions.protocol import (
    Ready,
    Resource,
    RunFunctionRequest,
    Severity,
    State,
)

READY = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}


def conditions(**statuses):
    return [{"type": name, "status": status} for name, status in statuses.items()]


def request(observed, desired, **given):
    empty = Resource({})
    return RunFunctionRequest(State(empty, observed), State(empty, desired), input=given or None)


async def test_an_observed_resource_with_a_true_ready_condition_becomes_ready():
    response = await AutoReady().run(request({"a": Resource(READY)}, {"a": Resource({})}))
    assert response.desired.resources["a"].ready is Ready.TRUE


async def test_what_is_not_observed_is_not_ready():
    response = await AutoReady().run(request({}, {"a": Resource({})}))
    assert response.desired.resources["a"].ready is Ready.UNSPECIFIED


async def test_an_earlier_functions_word_stands():
    response = await AutoReady().run(request({"a": Resource(READY)}, {"a": Resource({}, ready=Ready.FALSE)}))
    assert response.desired.resources["a"].ready is Ready.FALSE


@pytest.mark.parametrize(
    ("api_version", "kind", "members", "healthy"),
    [
        ("v1", "ConfigMap", {}, True),
        ("v1", "Service", {"spec": {"type": "LoadBalancer"}}, False),
        ("v1", "Service", {"spec": {"type": "ClusterIP"}}, True),
        (
            "v1",
            "Pod",
            {"spec": {}, "status": {"phase": "Running", "conditions": conditions(Ready="True")}},
            True,
        ),
        ("v1", "Pod", {"status": {"phase": "Pending"}}, False),
        (
            "apps/v1",
            "Deployment",
            {
                "spec": {"replicas": 2},
                "status": {
                    "updatedReplicas": 2,
                    "availableReplicas": 2,
                    "conditions": conditions(Available="True"),
                },
            },
            True,
        ),
        ("apps/v1", "Deployment", {"status": {"updatedReplicas": 1}}, False),
        ("batch/v1", "Job", {"status": {"conditions": conditions(Complete="True")}}, True),
        ("batch/v1", "Job", {"status": {"conditions": conditions(Complete="True", Failed="True")}}, False),
        ("batch/v1", "CronJob", {"spec": {"suspend": True}}, True),
        ("apps/v1", "DaemonSet", {"status": {"desiredNumberScheduled": 1, "numberReady": 0}}, False),
        ("example.org/v1", "Thing", {}, False),
    ],
)
def test_known_kinds_are_judged_by_their_own_fields(api_version, kind, members, healthy):
    assert is_healthy({"apiVersion": api_version, "kind": kind, **members}) is healthy


async def test_the_time_to_live_comes_from_the_input():
    assert (await AutoReady().run(request({}, {}, ttl="1m30s"))).meta.ttl_s == 90
    assert (await AutoReady().run(request({}, {}))).meta.ttl_s == 0


async def test_a_wrong_time_to_live_is_fatal():
    (result,) = (await AutoReady().run(request({}, {}, ttl="soon"))).results
    assert result.severity is Severity.FATAL
    assert 'invalid duration "soon"' in result.message


async def test_health_checks_in_cel_are_refused_by_name():
    given = {"celHealthCheckCustomization": {"_v1_ConfigMap": "true"}}
    (result,) = (await AutoReady().run(request({}, {}, **given))).results
    assert "celHealthCheckCustomization" in result.message


def test_durations_are_gos():
    assert parse_duration_s("1h1m1.5s") == 3661.5
    assert parse_duration_s("-250ms") == -0.25
