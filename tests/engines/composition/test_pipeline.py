"""Pipelines: steps feed each other, functions may ask for more, the first fatal result ends the run."""

import pytest

from roadbed.engines.composition import pipeline
from roadbed.engines.composition.functions.protocol import (
    Condition,
    FunctionError,
    Requirements,
    Resource,
    ResourceSelector,
    ResponseMeta,
    Result,
    RunFunctionResponse,
    SchemaSelector,
    Severity,
    State,
)
from roadbed.engines.composition.pipeline import PipelineError, Step

OBSERVED = State(Resource({"kind": "App"}))


class Scripted:
    """A function that answers by calling what the test wrote."""

    def __init__(self, answer):
        self.answer = answer
        self.requests = []

    async def run(self, request):
        self.requests.append(request)
        return self.answer(request)


class Sources:
    def __init__(self, found=None, **functions):
        self.functions = functions
        self.found = found or {}

    def function(self, name):
        if name not in self.functions:
            raise FunctionError(f'function "{name}" is not installed')
        return self.functions[name]

    async def resources(self, selector):
        return self.found.get(selector.match_name)

    async def credentials(self, namespace, name):
        return {"token": f"{namespace}/{name}".encode()}


def desire(request, name, **members):
    resources = {**request.desired.resources, name: Resource({"made": name})}
    return RunFunctionResponse(State(request.desired.composite, resources), **members)


async def run(sources, *steps):
    return await pipeline.run(steps, OBSERVED, sources)


async def test_each_step_sees_what_the_one_before_desired_and_its_context():
    first = Scripted(lambda request: desire(request, "a", context={"k": 1}))
    second = Scripted(lambda request: desire(request, "b", context=request.context))
    outcome = await run(Sources(one=first, two=second), Step("s1", "one"), Step("s2", "two", {"x": 1}))
    assert list(outcome.desired.resources) == ["a", "b"]
    (seen,) = second.requests
    assert seen.context == {"k": 1}
    assert seen.input == {"x": 1}
    assert seen.observed is OBSERVED


async def test_a_fatal_result_ends_the_run_and_keeps_what_was_said():
    warning = Result(Severity.WARNING, "careful")
    first = Scripted(lambda request: desire(request, "a", results=(warning,)))
    second = Scripted(lambda request: desire(request, "b", results=(Result(Severity.FATAL, "no"),)))
    third = Scripted(lambda request: desire(request, "c"))
    steps = (Step("s1", "one"), Step("s2", "two"), Step("s3", "three"))
    outcome = await run(Sources(one=first, two=second, three=third), *steps)
    assert (outcome.fatal.step, outcome.fatal.result.message) == ("s2", "no")
    assert [said.result.message for said in outcome.said] == ["careful"]
    assert third.requests == []


async def test_the_shortest_time_to_live_counts_and_zero_does_not():
    def lasting(seconds):
        return Scripted(lambda request: desire(request, "x", meta=ResponseMeta(ttl_s=seconds)))

    sources = Sources(a=lasting(60), b=lasting(0), c=lasting(30))
    assert (await run(sources, Step("a", "a"), Step("b", "b"), Step("c", "c"))).ttl_s == 30


async def test_conditions_are_collected():
    condition = Condition("Fast", "True", "Yes")
    function = Scripted(lambda request: desire(request, "a", conditions=(condition,)))
    assert (await run(Sources(f=function), Step("s", "f"))).conditions == [condition]


async def test_a_function_is_asked_again_with_what_it_requires():
    selector = ResourceSelector("v1", "ConfigMap", match_name="config")

    def answer(request):
        requirements = Requirements({"config": selector})
        found = request.required_resources.get("config")
        return desire(request, "seen" if found else "unseen", requirements=requirements)

    function = Scripted(answer)
    found = {"config": (Resource({"kind": "ConfigMap"}),)}
    outcome = await run(Sources(found, f=function), Step("s", "f"))
    assert list(outcome.desired.resources) == ["seen"]
    assert outcome.required == [selector]


async def test_a_bootstrap_requirement_is_there_on_the_first_call():
    selector = ResourceSelector("v1", "ConfigMap", match_name="config")
    function = Scripted(lambda request: desire(request, "a"))
    found = {"config": (Resource({"kind": "ConfigMap"}),)}
    await run(Sources(found, f=function), Step("s", "f", bootstrap={"config": selector}))
    (request,) = function.requests
    assert request.required_resources["config"][0].resource == {"kind": "ConfigMap"}


async def test_a_function_that_never_stops_asking_is_given_up_on():
    def answer(request):
        name = f"n{len(function.requests)}"
        return desire(
            request,
            "a",
            requirements=Requirements({name: ResourceSelector("v1", "ConfigMap", match_name=name)}),
        )

    function = Scripted(answer)
    with pytest.raises(PipelineError, match=r'step "s": requirements didn\'t stabilize .*\(5\)'):
        await run(Sources(f=function), Step("s", "f"))
    assert len(function.requests) == 6


async def test_a_required_schema_is_refused_not_ignored():
    requirements = Requirements(schemas={"x": SchemaSelector("v1", "ConfigMap")})
    function = Scripted(lambda request: desire(request, "a", requirements=requirements))
    with pytest.raises(PipelineError, match="OpenAPI schemas"):
        await run(Sources(f=function), Step("s", "f"))


async def test_a_missing_function_is_named_with_its_step():
    with pytest.raises(PipelineError, match='pipeline step "s": function "f" is not installed'):
        await run(Sources(), Step("s", "f"))


async def test_credentials_are_read_from_their_secrets():
    function = Scripted(lambda request: desire(request, "a"))
    await run(Sources(f=function), Step("s", "f", credentials=(("key", "ns", "secret"),)))
    assert function.requests[0].credentials == {"key": {"token": b"ns/secret"}}


def test_steps_are_read_from_a_revision():
    step = {
        "step": "s",
        "functionRef": {"name": "f"},
        "credentials": [
            {"name": "key", "source": "Secret", "secretRef": {"namespace": "ns", "name": "n"}},
            {"name": "none", "source": "None"},
        ],
        "requirements": {
            "requiredResources": [
                {"requirementName": "r", "apiVersion": "v1", "kind": "ConfigMap", "matchLabels": {"a": "b"}}
            ]
        },
    }
    (read,) = pipeline.steps_of({"spec": {"pipeline": [step]}})
    assert read.credentials == (("key", "ns", "n"),)
    assert read.bootstrap["r"] == ResourceSelector("v1", "ConfigMap", match_labels={"a": "b"})
