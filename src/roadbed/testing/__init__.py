"""What we and plugin authors test with: a control plane in one process, on memory, with any plugins.

Nothing here is a double: it is the real API server over the real store. Doubles for the outside world
(a cloud, a git host) belong to the tests that need them.
"""

from .controlplane import ControlPlane, control_plane, eventually, first_started, serving

__all__ = ["ControlPlane", "control_plane", "eventually", "first_started", "serving"]
