"""What a plugin may provide: the hook specifications, and the context they are given.

A plugin is any module or object with functions marked ``@hookimpl`` and named as below. Built-in engines
register through the same hooks (their ``plugin.py``). Hooks are called once, at start, by ``app``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pluggy

from roadbed.apimachinery.admission import Admitter, Reviewer
from roadbed.apimachinery.request import User
from roadbed.client import Client
from roadbed.controller import Clock, Controller, Manager, Recorder

PROJECT = "roadbed"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@dataclass(frozen=True, slots=True)
class EngineContext:
    """What an engine works with. ``client`` acts as ``system:engine:<name>``.

    ``connect`` gives a client that acts as another user, with no more rights than that user has.
    ``data_dir`` is the platform's folder, None when it runs in memory. ``settings`` are the engine's own.
    """

    client: Client
    manager: Manager
    recorder: Recorder
    clock: Clock
    connect: Callable[[User], Client]
    data_dir: Path | None = None
    settings: Mapping[str, str] = field(default_factory=dict)


@hookspec
def roadbed_controllers(context: EngineContext) -> Sequence[Controller]:
    """Give the controllers to run for as long as the platform does."""
    raise NotImplementedError  # never called: pluggy reads the signature


@hookspec
def roadbed_reviewers(context: EngineContext) -> Sequence[Reviewer]:
    """Give the answerers of review kinds; they run even where the engine's controllers do not."""
    raise NotImplementedError


@hookspec
def roadbed_admitters(context: EngineContext) -> Sequence[Admitter]:
    """Give what may refuse or change writes."""
    raise NotImplementedError
