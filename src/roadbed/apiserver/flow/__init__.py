"""Priority and fairness: which request the event loop works on next, so that no client can starve another.

What classifies requests by FlowSchemas, or lets them wait in the queues of PriorityLevelConfigurations, lives here;
what a request then does, and who may, does not.
"""

from .control import FlowControl, Ticket, Wanted
from .defaults import objects
from .dumps import dumps
from .status import SchemaStatus

__all__ = ["FlowControl", "SchemaStatus", "Ticket", "Wanted", "dumps", "objects"]
