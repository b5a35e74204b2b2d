"""Every target by name, and the inputs of each: bytes from seeds, or bytes to choose by where inputs are whole."""

from __future__ import annotations

from collections.abc import Iterator

from .algebra import LAWS
from .choices import inputs
from .mutation import mutations
from .outsiders import OUTSIDERS
from .targets import TARGETS, Target

ALL: dict[str, Target] = {
    **TARGETS,
    **{name: Target(run, (), refusals) for name, (run, refusals) in {**LAWS, **OUTSIDERS}.items()},
}
SLOW = frozenset(("issuer", "kubeconfig", "webhook"))  # a millisecond and more for each input


def feed(name: str, seed: int) -> Iterator[bytes]:
    """Yield inputs of a target without end."""
    seeds = ALL[name].seeds
    return mutations(seeds, seed) if seeds else inputs(seed)
