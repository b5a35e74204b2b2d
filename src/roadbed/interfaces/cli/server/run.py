"""``roadbed apiserver``: an API server in this process, until it is told to stop.

Called by ``main`` before it imports Typer, with the words after the command's name. The server runs on one uvloop
loop in the main thread. SIGINT or SIGTERM stops it gracefully, also while it is still starting; a second one ends
the process at once, which loses nothing acknowledged.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from typing import Protocol

from roadbed.interfaces.cli.platform import PlatformError

from .flags import ServerOptions, parse, usage

INTERRUPTED = 130  # 128 + SIGINT, as shells have it


class Server(Protocol):
    """An API server in this process."""

    async def start(self) -> str:
        """Start; gives its address once it is ready.

        Raises:
            PlatformError: it can't start; nothing is left running.
        """
        ...

    async def stop(self) -> None:
        """Stop gracefully."""
        ...


class ServerFactory(Protocol):
    """Makes a server that has not started yet."""

    def __call__(self, options: ServerOptions) -> Server:
        """Give the server for these options."""
        ...


def main(words: Sequence[str], servers: ServerFactory | None) -> int:
    """Run the command with the words after its name; gives its exit code."""
    try:
        return _run(words, servers)
    except PlatformError as error:
        from roadbed.interfaces.cli.failures import Failure

        return Failure(error.message, hint=error.hint).show()
    except KeyboardInterrupt:
        return INTERRUPTED


def _run(words: Sequence[str], servers: ServerFactory | None) -> int:
    if any(word in {"-h", "-help", "--help"} for word in words):
        sys.stdout.write(usage())
        return 0
    if any(word in {"--version", "-version", "--version=true"} for word in words):
        from roadbed import __version__
        from roadbed.apis import kubernetes

        sys.stdout.write(f"Kubernetes {kubernetes.load().version}+roadbed-{__version__}\n")
        return 0
    options = parse(words)
    from roadbed.interfaces.cli.logs import log_to_stderr

    log_to_stderr(options.verbosity)
    for warning in options.warnings:
        sys.stderr.write(f"warning: {warning}\n")
    if servers is None:
        raise PlatformError("this program runs no API server", "use the `roadbed` command")
    server = servers(options)
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(server))
    return 0


async def _serve(server: Server) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, _ask_to_stop, stopping)
    asked = asyncio.create_task(stopping.wait())
    starting = asyncio.create_task(server.start())
    try:
        await asyncio.wait({starting, asked}, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()
            await asyncio.wait({starting})
            return
        sys.stdout.write(f"{starting.result()}\n")
        sys.stdout.flush()
        await asked
        await server.stop()
    finally:
        asked.cancel()


def _ask_to_stop(stopping: asyncio.Event) -> None:
    if stopping.is_set():
        os._exit(130)
    stopping.set()
