"""Tokens kept in Secrets of type ``kubernetes.io/service-account-token``: filled in, and removed with their account.

One task, run by whoever starts controllers (an API server alone has none, as kube-apiserver has none: it is a
controller's work). Without a CA to tell of, Secrets get none. It hears of committed writes from the store, queues the keys that may need work (each once,
so the queue is bounded by the number of such Secrets) and writes as the transport's user. A Secret that nobody
fills, because it names no account, is left alone; one whose account is gone or was made anew is deleted.

Source: k8s.io/kubernetes/pkg/controller/serviceaccount/tokens_controller.go
"""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from roadbed.apimachinery.errors import ApiError, ConflictError, NotFoundError
from roadbed.apimachinery.request import Answer, ApiRequest, Object
from roadbed.apis.core import SECRETS
from roadbed.storage import Event

from .tokens import AccountTokens

logger = logging.getLogger(__name__)

TYPE = "kubernetes.io/service-account-token"
_ACCOUNT = "kubernetes.io/service-account.name"
_UID = "kubernetes.io/service-account.uid"
_SECRETS = "/core/secrets/"
_ACCOUNTS = "/core/serviceaccounts/"
RETRY_S = 1.0  # after a refused write, for instance while the disk is full

Send = Callable[[ApiRequest], Awaitable[Answer]]


class LegacyTokens:
    """Keeps the Secrets of service accounts filled in."""

    def __init__(self, tokens: AccountTokens, send: Send, ca_pem: bytes) -> None:
        self._tokens = tokens
        self._send = send
        self._ca_pem = ca_pem
        self._waiting: dict[str, None] = {}  # namespace/name of Secrets to look at, oldest first
        self._wake = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run beside the block, to the block's end."""
        task = asyncio.create_task(self.run())
        task.add_done_callback(_tell)
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def run(self) -> None:
        """Fill in what is there and what comes, until cancelled."""
        leave = self._tokens.storage.subscribe(self._observe)
        try:
            for record in self._tokens.storage.scan(_SECRETS):
                self._add(record.key)
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._waiting:
                    await self._look(next(iter(self._waiting)))
        finally:
            leave()

    def _observe(self, events: Sequence[Event]) -> None:
        for event in events:
            if event.key.startswith(_SECRETS) and not event.is_delete:
                self._add(event.key)
            elif event.key.startswith(_ACCOUNTS):
                namespace = event.key.removeprefix(_ACCOUNTS).partition("/")[0]
                for record in self._tokens.storage.scan(f"{_SECRETS}{namespace}/"):
                    self._add(record.key)

    def _add(self, key: str) -> None:
        self._waiting[key.removeprefix(_SECRETS)] = None
        self._wake.set()

    async def _look(self, path: str) -> None:
        del self._waiting[path]
        namespace, _, name = path.partition("/")
        try:
            secret = self._tokens.live("secrets", namespace, name)
            if secret is not None and secret.get("type") == TYPE:
                await self._fill(namespace, secret)
        except (ConflictError, NotFoundError):
            return  # whoever wrote it in between has had it queued again
        except ApiError:
            logger.warning("cannot write a service account's Secret; trying again", extra={"secret": path})
            await asyncio.sleep(RETRY_S)
            self._add(_SECRETS + path)

    async def _fill(self, namespace: str, secret: Object) -> None:
        meta = secret["metadata"]
        notes = meta.get("annotations") or {}
        account_name = notes.get(_ACCOUNT)
        if not account_name or meta.get("deletionTimestamp"):
            return
        account = self._tokens.live("serviceaccounts", namespace, account_name)
        uid = account["metadata"]["uid"] if account else ""
        if account is None or notes.get(_UID, uid) != uid:
            body = {"preconditions": {"uid": meta["uid"]}}
            place = {"namespace": namespace, "name": meta["name"]}
            await self._send(ApiRequest.on("delete", SECRETS, **place, body=body))
            return
        held = secret.get("data") or {}
        wanted = {"namespace": _encoded(namespace.encode())}
        if self._ca_pem:
            wanted["ca.crt"] = _encoded(self._ca_pem)
        if not held.get("token"):
            token = self._tokens.sign_legacy(namespace, account, meta["name"])
            wanted["token"] = _encoded(token.encode())
        if notes.get(_UID) == uid and all(held.get(word) == value for word, value in wanted.items()):
            return
        changed = {
            **secret,
            "metadata": {**meta, "annotations": {**notes, _UID: uid}},
            "data": {**held, **wanted},
        }
        place = {"namespace": namespace, "name": meta["name"]}
        options = {"fieldManager": "roadbed-tokens"}
        await self._send(ApiRequest.on("update", SECRETS, **place, body=changed, options=options))


def _encoded(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _tell(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error("tokens in Secrets are filled in no more; restart the server", exc_info=error)
