"""What ``kubectl get`` shows of built-in kinds, cell for cell as Kubernetes prints them.

Headings, their types and prose are data recorded from the real server; only functions from an object to one
cell may live here, one module per group of kinds, in the order of the headings. ``columns_of`` puts both
together, on first use.

Source: k8s.io/kubernetes/pkg/printers/internalversion/printers.go.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import overload

from roadbed.apimachinery.gvk import Resource
from roadbed.apis.kubernetes import column_definitions
from roadbed.apiserver.columns import PLAIN, Cell, Column

from .access import ACCESS
from .network import NETWORK
from .others import OTHERS
from .storage import STORAGE
from .workloads import WORKLOADS

__all__ = ["columns_of"]

_CELLS: dict[tuple[str, str], tuple[Cell, ...]] = {**WORKLOADS, **NETWORK, **STORAGE, **ACCESS, **OTHERS}


class _Columns(Sequence[Column]):
    """The columns of one kind; the recorded headings are read when somebody looks."""

    def __init__(self, resource: Resource, cells: tuple[Cell, ...]) -> None:
        self._resource = resource
        self._cells = cells

    @cached_property
    def _columns(self) -> tuple[Column, ...]:
        told = column_definitions(self._resource)
        return tuple(
            Column(
                each["name"],
                cell,
                type=each["type"],
                format=each["format"],
                description=each["description"],
                priority=each["priority"],
            )
            for each, cell in zip(told, self._cells, strict=True)
        )

    @overload
    def __getitem__(self, index: int) -> Column: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Column]: ...
    def __getitem__(self, index: int | slice) -> Column | Sequence[Column]:
        return self._columns[index]

    def __len__(self) -> int:
        return len(self._cells)

    def __iter__(self) -> Iterator[Column]:
        return iter(self._columns)


def columns_of(resource: Resource) -> Sequence[Column]:
    """Give the columns of a built-in kind; name and creation time for one that Kubernetes prints so."""
    cells = _CELLS.get((resource.group, resource.plural))
    return PLAIN if cells is None else _Columns(resource, cells)
