"""What evaluating an expression really costs, in Kubernetes' units: a second way to run it, which counts.

The runtime counts nothing, so what could come near a limit is run here instead, step by step; ``bounds`` says
cheaply, from the size of what an expression sees, whether it could. Slower than the runtime by far, and no
less exact. Here lives what counts costs; functions themselves are asked of the runtime.
"""

from .bounds import Bound, Extent
from .running import CostExceededError, EvaluationError, Meter

__all__ = ["Bound", "CostExceededError", "EvaluationError", "Extent", "Meter"]
