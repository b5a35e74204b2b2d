"""The reconcile loop: informers fill workqueues, workers empty them, reconcilers act on one key at a time.

Nothing here knows any kind but Event and Lease; what is reconciled, and how, belongs to the engines.
"""

from roadbed.client import Change, Informer

from .clock import Clock, SystemClock
from .controller import Controller, Watch, own_key
from .informers import Informers
from .leaderelection import LeaderElection, Seat
from .manager import Manager
from .reconciler import Reconciler, Request, Result, TerminalError
from .recorder import Recorder

__all__ = [
    "Change",
    "Clock",
    "Controller",
    "Informer",
    "Informers",
    "LeaderElection",
    "Manager",
    "Reconciler",
    "Recorder",
    "Request",
    "Result",
    "Seat",
    "SystemClock",
    "TerminalError",
    "Watch",
    "own_key",
]
