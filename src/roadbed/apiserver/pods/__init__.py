"""What the server does with pods for those that run them: bindings to nodes, evictions, time to end.

Only what Kubernetes' own server does with pods beside keeping them may live here: a scheduler, kubelets and
``kubectl drain`` ask for it. The dispatcher hands ``bind`` and ``evict`` authorised creates on subresources; the
delete handler asks ``grace`` how long a pod may take. Nothing here runs a pod.
"""

from .binding import Bindings, bind
from .eviction import evict

__all__ = ["Bindings", "bind", "evict"]
