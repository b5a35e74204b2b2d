"""What the API server counts about itself, under the names that dashboards for Kubernetes know.

Here live instruments and the sums that only need them; whoever counts (``asgi``, ``store``, ``admission``…) holds a
``Metrics`` and calls it. Nothing here decides, waits or remembers a request.
"""

from .instruments import Metrics, RequestLabels

__all__ = ["Metrics", "RequestLabels"]
