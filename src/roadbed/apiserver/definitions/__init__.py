"""What makes a CustomResourceDefinition acceptable, and what its objects are turned into between versions.

Here lives what is said of definitions: their judgement and their conditions (pure), and the conversion of
their objects. What is served of them is in ``registry`` and ``crd``, what schemas mean in ``apimachinery``.
"""

from .judging import judge
from .naming import accept

__all__ = ["accept", "judge"]
