"""What kubectl says to our server is what it says to the real one: every command of the table, output and exit code.

The recordings are the real server's. ``accepted.yaml`` names the commands that may differ, each with its reason;
``missing.yaml`` those that still do and ought not to. A command that is accepted and no longer differs fails.
``python -m tests.acceptance.kubectl.compare newest`` shows all differences.
"""

import difflib
import os
import shutil

import pytest
import yaml
from tests.acceptance.kubectl.stories import CLIENTS, HERE, play, programs, read, recorded

STORIES = read()


@pytest.fixture
def server(tmp_path, api_server):
    """A server of the test's own: stories make cluster-scoped objects and look at all of them."""
    with api_server(tmp_path / "server" / "kubeconfig") as path:
        yield path


def listed(name):
    entries = yaml.safe_load((HERE / name).read_text()) or []
    assert all(entry["why"] for entry in entries)
    return {(entry["story"], run) for entry in entries for run in entry["runs"]}


def difference(ours, theirs):
    lines = []
    for name in ("code", "out", "err"):
        pair = [str(answer.get(name, "")).split("\n") for answer in (theirs, ours)]
        lines += difflib.unified_diff(
            *pair, f"{name} of the real server", f"{name} of ours", lineterm="", n=1
        )
    return "\n".join([f"kubectl {theirs['run']}", *lines])


def replay(client, server, folder):
    kubectl = programs().get(client)
    if kubectl is None:
        # Whoever has Go has them built by .ci/run: there, nothing to run with is a failure.
        if os.environ.get("CI") == "true" and shutil.which("go"):
            pytest.fail(f"kubectl-{client} is missing; .ci/run builds it")
        pytest.skip(f"kubectl-{client} is not built: python -m tests.acceptance.kubectl.record build")
    accepted, missing = listed("accepted.yaml"), listed("missing.yaml")
    theirs, differing, unneeded = recorded(client), [], []
    for story in STORIES:
        for real, ours in zip(
            theirs[story.name], play(story, kubectl, server, folder / story.name), strict=True
        ):
            key = (story.name, real["run"])
            if ours != real and key not in accepted | missing:
                differing.append(difference(ours, real))
            if ours == real and key in accepted:
                unneeded.append(key)
    return differing, unneeded


def test_there_are_enough_commands_and_a_recording_of_each():
    commands = [(story.name, command.words) for story in STORIES for command in story.commands]
    assert len(commands) >= 150
    for client in CLIENTS:
        kept = [(story, step["run"]) for story, steps in recorded(client).items() for step in steps]
        assert kept == commands, "record again: python -m tests.acceptance.kubectl.record"


def test_every_listed_difference_is_of_the_table():
    commands = {(story.name, command.words) for story in STORIES for command in story.commands}
    assert listed("accepted.yaml") | listed("missing.yaml") <= commands


@pytest.mark.timeout(600)
def test_the_newest_kubectl_sees_no_difference(server, tmp_path):
    differing, unneeded = replay("newest", server, tmp_path)
    assert "\n\n".join(differing) == ""
    assert unneeded == []


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_oldest_kubectl_sees_no_difference(server, tmp_path):
    differing, _ = replay("oldest", server, tmp_path)
    assert "\n\n".join(differing) == ""
