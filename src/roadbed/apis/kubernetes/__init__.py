"""The built-in kinds as generated data: schemas and message descriptors of Kubernetes' own groups.

Only data made by ``tools/generate_kubernetes.py`` and ``tools/record_kinds.py``, the code that reads it and the
table of what we serve may live here; a kind of ours is a CRD under ``apis/crds``, or a table.
"""

from .catalogue import Builtins, load
from .columns import column_definitions
from .defaults import defaults
from .published import WORDS, enumerations, published
from .served import SERVED, Subresource, subresource

__all__ = [
    "SERVED",
    "WORDS",
    "Builtins",
    "Subresource",
    "column_definitions",
    "defaults",
    "enumerations",
    "load",
    "published",
    "subresource",
]
