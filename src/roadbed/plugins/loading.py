"""Finding plugins: the built-in ones by module name, outsiders' by entry point (group ``roadbed``)."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import pluggy

from roadbed.apimachinery.admission import Admitter, Reviewer
from roadbed.controller import Controller

from . import hookspecs
from .hookspecs import PROJECT, EngineContext


class Plugins:
    """The registered plugins, asked by ``app`` at start.

    ``context_for`` makes the context of the plugin with a given name, so that each engine acts as a user
    of its own.
    """

    def __init__(self, builtin: Sequence[str], context_for: Callable[[str], EngineContext]) -> None:
        self._context_for = context_for
        self._manager = pluggy.PluginManager(PROJECT)
        self._manager.add_hookspecs(hookspecs)
        for module in builtin:
            name = module.removesuffix(".plugin").rpartition(".")[2]
            self._manager.register(importlib.import_module(module), name=name)
        self._manager.load_setuptools_entrypoints(PROJECT)
        self._manager.check_pending()

    def add(self, name: str, plugin: object) -> None:
        """Register one more plugin: an object whose hook implementations need what only ``app`` has made.

        Raises:
            pluggy.PluginValidationError: it implements a hook that does not exist.
        """
        self._manager.register(plugin, name=name)
        self._manager.check_pending()

    @property
    def names(self) -> list[str]:
        """The names of all plugins, built-in ones first."""
        return [name for name, _ in self._manager.list_name_plugin()]

    def controllers(self) -> list[Controller]:
        """Ask every plugin for its controllers."""
        return list(chain.from_iterable(self._ask("roadbed_controllers")))

    def reviewers(self) -> list[Reviewer]:
        """Ask every plugin for its reviewers."""
        return list(chain.from_iterable(self._ask("roadbed_reviewers")))

    def admitters(self) -> list[Admitter]:
        """Ask every plugin for its admitters."""
        return list(chain.from_iterable(self._ask("roadbed_admitters")))

    def _ask(self, hook: str) -> list[Any]:
        answers: list[Any] = []
        for name, plugin in self._manager.list_name_plugin():
            others = [other for _, other in self._manager.list_name_plugin() if other is not plugin]
            caller = self._manager.subset_hook_caller(hook, remove_plugins=others)
            answers.extend(caller(context=self._context_for(name)))
        return answers
