"""How plugins are found and asked: each for itself, each with a context of its own."""

import sys
import types

import pytest

from roadbed.plugins import Plugins, hookimpl


class Providing:
    def __init__(self, *controllers):
        self.controllers = controllers

    @hookimpl
    def roadbed_controllers(self, context):
        return [f"{name} as {context}" for name in self.controllers]


@pytest.fixture
def module(monkeypatch):
    made = types.ModuleType("example.plugin")

    @hookimpl
    def roadbed_controllers(context):
        return [f"from a module as {context}"]

    made.roadbed_controllers = roadbed_controllers
    monkeypatch.setitem(sys.modules, "example.plugin", made)
    monkeypatch.setitem(sys.modules, "example", types.ModuleType("example"))


def test_every_plugin_is_asked_with_its_own_context(module):
    plugins = Plugins(["example.plugin"], str.upper)
    plugins.add("other", Providing("a", "b"))
    assert plugins.controllers() == ["from a module as EXAMPLE", "a as OTHER", "b as OTHER"]
    assert plugins.names == ["example", "other"]


def test_a_plugin_need_not_provide_everything(module):
    plugins = Plugins(["example.plugin"], str.upper)
    assert plugins.reviewers() == []
    assert plugins.admitters() == []


def test_a_hook_that_does_not_exist_is_refused_at_start():
    class Misspelt:
        @hookimpl
        def roadbed_controlers(self, context):
            return []

    plugins = Plugins([], str.upper)
    with pytest.raises(Exception, match="roadbed_controlers"):
        plugins.add("misspelt", Misspelt())
