"""The composition engine as a plugin: its standing controllers, and one more per defined kind.

``app`` registers this module. The four standing controllers (definitions, Compositions, revisions,
functions) live as long as the platform; the controllers of composites come and go with their definitions
and are run by the same manager.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from roadbed.apimachinery.objects import controller_of, labels_of, name_of
from roadbed.apimachinery.request import Object
from roadbed.apis.apiextensions import CUSTOMRESOURCEDEFINITIONS
from roadbed.apis.crossplane import COMPOSITION_REVISIONS, COMPOSITIONS, FUNCTIONS, XRDS, Label
from roadbed.apis.rbac import CLUSTERROLES
from roadbed.controller import Controller, Request, Watch
from roadbed.plugins import EngineContext, hookimpl

from . import pipeline, roles
from .builtin import Functions
from .compositions import CompositionReconciler, RevisionReconciler
from .definitions import DefinitionReconciler
from .mirrors import Mirrors
from .packages import FunctionReconciler
from .running import RunningComposites


@hookimpl
def roadbed_controllers(context: EngineContext) -> Sequence[Controller]:
    """Give the standing controllers."""
    mirrors = Mirrors(lambda: context.manager.informers)
    functions = Functions(mirrors.function)
    composites = RunningComposites(context, mirrors, functions)
    definitions = Controller(
        "composition/definitions",
        DefinitionReconciler(context.client, mirrors, composites, context.recorder, context.clock),
        [
            Watch(XRDS),
            Watch(CUSTOMRESOURCEDEFINITIONS, _defining),
            Watch(CLUSTERROLES, _granting),
            # Watched here so that they are in the cache before the first composite is reconciled.
            Watch(COMPOSITIONS, _nobody),
            Watch(COMPOSITION_REVISIONS, _nobody),
            Watch(FUNCTIONS, _nobody),
        ],
    )
    composites.notify(definitions)
    return [
        definitions,
        Controller(
            "composition/compositions",
            CompositionReconciler(context.client, mirrors, context.recorder),
            [Watch(COMPOSITIONS), Watch(COMPOSITION_REVISIONS, _composition)],
        ),
        Controller(
            "composition/revisions",
            RevisionReconciler(context.client, mirrors, functions, context.clock),
            [Watch(COMPOSITION_REVISIONS), Watch(FUNCTIONS, _users(mirrors))],
        ),
        Controller(
            "composition/functions",
            FunctionReconciler(context.client, mirrors, context.clock),
            [Watch(FUNCTIONS)],
        ),
    ]


def _nobody(_obj: Object) -> Iterable[Request]:
    return ()


def _defining(crd: Object) -> Iterable[Request]:
    owner = controller_of(crd)
    if owner is None or owner.get("kind") != XRDS.kind:
        return ()
    return (Request("", str(owner["name"])),)


def _granting(role: Object) -> Iterable[Request]:
    name = roles.definition_of(role)
    return (Request("", name),) if name else ()


def _composition(revision: Object) -> Iterable[Request]:
    name = labels_of(revision).get(Label.COMPOSITION_NAME)
    return (Request("", name),) if name else ()


def _users(mirrors: Mirrors) -> Callable[[Object], Iterable[Request]]:
    def users(function: Object) -> Iterable[Request]:
        name = name_of(function)
        return [
            Request("", revision)
            for revision, obj in mirrors.revisions.items()
            if any(step.function == name for step in pipeline.steps_of(obj))
        ]

    return users
