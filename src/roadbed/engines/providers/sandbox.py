"""The sandbox cloud: an AWS double in a process of its own, for the demonstration and for tests.

It is moto's server, from the extra ``roadbed[demo]``, on a loopback port that the child itself takes and
tells on its standard output, so that nobody else's server can be mistaken for it. Nothing real is created and
nothing outlives the process: the kernel ends it with its parent (PR_SET_PDEATHSIG), even after SIGKILL.
``start`` and ``stop`` are called by whoever owns it, once each; between them it just answers.
"""

from __future__ import annotations

import asyncio
import ctypes
import importlib.util
import os
import signal
import sys
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, Process
from pathlib import Path
from typing import IO

HOST = "127.0.0.1"
START_TIMEOUT_S = 30.0  # moto imports a lot; usually it takes 0.7 s
STOP_TIMEOUT_S = 5.0
LAST_WORDS = 2000  # bytes of its output that go into an error
PR_SET_PDEATHSIG = 1


class SandboxError(RuntimeError):
    """The sandbox cloud can't be had; the message says why and what to do."""


class Sandbox:
    """One moto server. ``endpoint`` is its address while it runs."""

    def __init__(self) -> None:
        self._process: Process | None = None
        self._output: IO[bytes] | None = None  # a file and not a pipe: nobody would empty the pipe
        self.endpoint = ""

    @property
    def pid(self) -> int:
        """The process id, 0 while it does not run."""
        return self._process.pid if self._process is not None else 0

    async def start(self) -> str:
        """Start it and give its address once it answers.

        Raises:
            SandboxError: moto is not installed, or the server does not come up.
        """
        if importlib.util.find_spec("moto") is None:
            raise SandboxError("the sandbox cloud needs moto: pip install 'roadbed[demo]'")
        if importlib.util.find_spec("flask") is None:
            raise SandboxError("moto is here without its server: pip install 'roadbed[demo]'")
        self._output = tempfile.TemporaryFile(prefix="roadbed-sandbox-")  # noqa: SIM115 - lives as long as the process
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "roadbed.engines.providers.sandbox",
            str(os.getpid()),
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=self._output,
            # A directory of its own, so that nothing of the caller's is importable by accident.
            cwd=Path(sys.prefix),
            env=_environment(),
        )
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                port = await self._port()
        except TimeoutError as error:
            await self.stop()
            raise SandboxError(f"the sandbox cloud did not answer within {START_TIMEOUT_S:.0f} s") from error
        except BaseException:
            await self.stop()
            raise
        self.endpoint = f"http://{HOST}:{port}"
        return self.endpoint

    async def stop(self) -> None:
        """End it and wait for it; not running is fine."""
        process, self._process, self.endpoint = self._process, None, ""
        if process is None:
            return
        if process.returncode is None:
            process.terminate()
            try:
                async with asyncio.timeout(STOP_TIMEOUT_S):
                    await process.wait()
            except TimeoutError:
                process.kill()
        await process.wait()
        if self._output is not None:
            self._output.close()

    async def _port(self) -> int:
        """Read the port that the child listens on; the line comes once it does."""
        process = self._process
        line = await process.stdout.readline() if process is not None and process.stdout is not None else b""
        if not line.strip().isdigit():
            raise SandboxError(f"the sandbox cloud ended at once: {self._last_words()}")
        return int(line)

    def _last_words(self) -> str:
        if self._output is None:
            return ""
        end = self._output.seek(0, os.SEEK_END)
        self._output.seek(max(0, end - LAST_WORDS))
        return self._output.read().decode(errors="replace").strip()


def _environment() -> dict[str, str]:
    # Nothing of the user's AWS settings reaches it: what it pretends must not depend on them.
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "MOTO_"))}
    return {**kept, "PYTHONDONTWRITEBYTECODE": kept.get("PYTHONDONTWRITEBYTECODE", "")}


def _end_with_parent(parent: int) -> None:
    """Ask the kernel to end this process when its parent ends; Linux only, elsewhere it is asked politely."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("the parent ended before the sandbox began")


def main() -> None:
    """Be the server: quiet, threaded, until killed."""
    _end_with_parent(int(sys.argv[1]))
    import logging

    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server(HOST, 0, DomainDispatcherApplication(create_backend_app), threaded=True)
    sys.stdout.write(f"{server.port}\n")
    sys.stdout.close()
    server.serve_forever()


if __name__ == "__main__":
    main()
