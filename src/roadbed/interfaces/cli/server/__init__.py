"""``roadbed apiserver`` and ``roadbed envtest-assets``: the API server alone, under kube-apiserver's flags.

Only what reads kube-apiserver's command line, runs a server until it is told to stop, or writes the programs that
test kits look for lives here. Nothing here imports Typer: a test suite waits for every start.
"""

from .flags import ServerOptions, usage
from .run import Server, ServerFactory, main

__all__ = ["Server", "ServerFactory", "ServerOptions", "main", "usage"]
