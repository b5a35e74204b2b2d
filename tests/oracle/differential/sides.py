"""Both servers, fresh: the real one as processes, ours on a loop in a thread; each is asked over TLS.

``Sides`` is a context manager; leaving it stops both. No controllers run beside either, and no accounts are demanded
of pods: what controllers do is not an answer.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.contract.asking import Asker, Heard
from tests.contract.corpus import Case
from tests.contract.normal import normalised
from tests.contract.recorder import client_tls
from tests.oracle.peer import Peer

from roadbed.apiserver import Listener
from roadbed.testing import control_plane

FLAGS = ("--service-cluster-ip-range=10.0.0.0/16", "--disable-admission-plugins=ServiceAccount")
START_S = 60.0
Answers = list[dict[str, Any]]


class Sides:
    """Theirs and ours, asked the same."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = ExitStack()
        self._asked = ThreadPoolExecutor(2)

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            peer = stack.enter_context(Peer(self._folder / "theirs", has_controllers=False, flags=FLAGS))
            ours = stack.enter_context(_Ours(self._folder / "ours"))
            self._ports = (peer.port, ours.port)
            self._tls = tuple(
                client_tls(str(folder / "ca.pem"), str(folder / "admin.pem"))
                for folder in (peer.folder, ours.folder)
            )
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._asked.shutdown()
        self._stack.close()

    def ask(self, case: Case) -> tuple[Answers, Answers]:
        """Play a case, whose name neither server has heard, on both; gives their answers and ours, normalised."""
        theirs, ours = self._asked.map(lambda side: self._heard(side, case), (0, 1))
        return normalised(case, theirs), normalised(case, ours)

    def _heard(self, side: int, case: Case) -> list[Heard]:
        asker = Asker(self._ports[side], self._tls[side], lambda: None)
        try:
            return list(asker.play(case))
        except OSError as error:
            name = ("theirs", "ours")[side]
            return [Heard(0, (), f"{name} gave no answer: {type(error).__name__}") for _ in case.steps]
        finally:
            asker.close()


class _Ours:
    """Our server on a loop of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="ours", daemon=True)

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._thread.start()
        self._stack = self._run(self._started())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run(self._stack.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(START_S)
        self._loop.close()

    def _run(self, work: Any) -> Any:
        done: Future[Any] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return done.result(START_S)

    async def _started(self) -> AsyncExitStack:
        async with AsyncExitStack() as stack:
            plane = await stack.enter_async_context(control_plane(crds=()))
            certificates = plane.access.certificates
            (self.folder / "ca.pem").write_bytes(certificates.ca_pem)
            (self.folder / "admin.pem").write_bytes(certificates.admin_pem + certificates.admin_key_pem)
            listener = Listener(
                plane.server.asgi, host="127.0.0.1", port=0, tls=certificates.server_context()
            )
            await listener.start()
            stack.push_async_callback(listener.stop)
            self.port = listener.port
            return stack.pop_all()
