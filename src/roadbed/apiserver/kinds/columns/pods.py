"""Cells of pods: the one status word that sums up all containers, and its restarts. Pure.

Source: ``printPod`` in k8s.io/kubernetes/pkg/printers/internalversion/printers.go.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from roadbed.apimachinery.request import Object
from roadbed.apiserver.columns import Cell
from roadbed.apiserver.columns import age as age_of

from .cells import NONE, age, at, name, of

_OVER = ("Succeeded", "Failed")


class _Summary:
    """What the first cells say of a pod."""

    def __init__(self, pod: Object) -> None:
        self._pod = pod
        self._conditions = at(pod, "status", "conditions", otherwise=())
        self.restarts = 0
        self.last_restart = ""
        self.ready = 0
        phase = str(at(pod, "status", "phase", otherwise=""))
        self.word = str(at(pod, "status", "reason") or phase)
        if any(each.get("reason") == "SchedulingGated" for each in self._conditions):
            self.word = "SchedulingGated"
        sidecars = {
            each.get("name")
            for each in at(pod, "spec", "initContainers", otherwise=())
            if each.get("restartPolicy") == "Always"
        }
        self.total = len(at(pod, "spec", "containers", otherwise=())) + len(sidecars)
        if not self._initialise(sidecars) or self._holds("Initialized"):
            self._run()
        if pod["metadata"].get("deletionTimestamp"):
            if at(pod, "status", "reason") == "NodeLost":
                self.word = "Unknown"
            elif phase not in _OVER:
                self.word = "Terminating"

    def _holds(self, condition: str) -> bool:
        return any(
            each.get("type") == condition and each.get("status") == "True" for each in self._conditions
        )

    def _count(self, container: dict[str, Any]) -> None:
        self.restarts += int(container.get("restartCount") or 0)
        ended = str(at(container, "lastState", "terminated", "finishedAt", otherwise=""))
        self.last_restart = max(self.last_restart, ended)

    def _initialise(self, sidecars: set[Any]) -> bool:
        """Look through the init containers; say whether one still holds the pod up."""
        kept = (0, "")
        holds = False
        every = at(self._pod, "status", "initContainerStatuses", otherwise=())
        for index, container in enumerate(every):
            self._count(container)
            is_sidecar = container.get("name") in sidecars
            if is_sidecar:
                ended = str(at(container, "lastState", "terminated", "finishedAt", otherwise=""))
                kept = (kept[0] + int(container.get("restartCount") or 0), max(kept[1], ended))
            state = container.get("state") or {}
            ended_state, waiting = state.get("terminated"), at(state, "waiting", "reason", otherwise="")
            if ended_state is not None and not ended_state.get("exitCode"):
                continue
            if is_sidecar and container.get("started"):
                self.ready += bool(container.get("ready"))
                continue
            if ended_state is not None:
                self.word = f"Init:{_ending(ended_state)}"
            elif waiting and waiting != "PodInitializing":
                self.word = f"Init:{waiting}"
            else:
                self.word = f"Init:{index}/{len(at(self._pod, 'spec', 'initContainers', otherwise=()))}"
            holds = True
            break
        if not holds or self._holds("Initialized"):
            self.restarts, self.last_restart = kept  # restarts of plain init containers are past
        return holds

    def _run(self) -> None:
        has_running, error = False, ""
        for container in reversed(at(self._pod, "status", "containerStatuses", otherwise=())):
            self._count(container)
            state = container.get("state") or {}
            ended, waiting = state.get("terminated"), at(state, "waiting", "reason", otherwise="")
            if waiting:
                self.word = str(waiting)
            elif ended is not None:
                self.word = _ending(ended)
                error = self.word if ended.get("exitCode") else error
            elif container.get("ready") and state.get("running") is not None:
                has_running = True
                self.ready += 1
        if self.word == "Completed":
            if has_running and self._holds("Ready"):
                self.word = "Running"
            elif error or has_running:
                self.word = error or "NotReady"


def _ending(ended: dict[str, Any]) -> str:
    if ended.get("reason"):
        return str(ended["reason"])
    return f"Signal:{ended['signal']}" if ended.get("signal") else f"ExitCode:{ended.get('exitCode', 0)}"


def _ready(pod: Object) -> str:
    summary = _Summary(pod)
    return f"{summary.ready}/{summary.total}"


def _restarts(pod: Object, now: datetime) -> str:
    summary = _Summary(pod)
    if summary.restarts and summary.last_restart:
        return f"{summary.restarts} ({age_of(summary.last_restart, now)} ago)"
    return str(summary.restarts)


def _address(pod: Object) -> str:
    return str(at((at(pod, "status", "podIPs") or [{}])[0], "ip") or NONE)


def _gates(pod: Object) -> str:
    gates = at(pod, "spec", "readinessGates", otherwise=())
    if not gates:
        return NONE
    holds = {
        each.get("type")
        for each in at(pod, "status", "conditions", otherwise=())
        if each.get("status") == "True"
    }
    return f"{sum(each.get('conditionType') in holds for each in gates)}/{len(gates)}"


POD: tuple[Cell, ...] = (
    name,
    of(_ready),
    of(lambda pod: _Summary(pod).word),
    _restarts,
    age,
    of(_address),
    of(lambda pod: at(pod, "spec", "nodeName") or NONE),
    of(lambda pod: at(pod, "status", "nominatedNodeName") or NONE),
    of(_gates),
)
