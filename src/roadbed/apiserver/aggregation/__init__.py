"""Servers beside this one: groups that an APIService says another server answers.

What lives here finds those servers, keeps the APIServices' conditions true, and passes requests on with the name of
who asked. It decides nothing of what such a server serves; groups that this server serves itself never come here.
"""

from .forwarding import Identity
from .keeper import Aggregation
from .remotes import Remote

__all__ = ["Aggregation", "Identity", "Remote"]
