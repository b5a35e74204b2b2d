"""One of several processes works at a time: leader election by a Lease, as client-go's controllers do it.

Made by ``app`` where two processes may share a cluster; in embedded mode one process has the store to itself and
nothing is elected. ``run`` campaigns, runs its work while it leads and starts over when it lost; it ends when it is
cancelled, and then gives the lease back, so that the next one need not wait. How old a lease is goes by when this
process saw it change, on its own monotonic clock: clocks of other machines count for nothing. Whoever can't renew
stops its work after ``renew_s``, which is before anybody else may take the lease after ``duration_s``; a write that
was under way by then is judged by its resourceVersion like any other.

Source of the semantic: k8s.io/client-go/tools/leaderelection (leaderelection.go).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from roadbed.apimachinery.errors import AlreadyExistsError, ApiError, ConflictError, NotFoundError
from roadbed.apimachinery.request import Object
from roadbed.apimachinery.timestamps import format_micro_time
from roadbed.apis.coordination import LEASES
from roadbed.client import Client

from .clock import Clock

logger = logging.getLogger(__name__)

RELEASE_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Terms:
    """How long a lease lasts, how long its holder tries to renew it, how often everybody looks: client-go's own."""

    duration_s: float = 15.0
    renew_s: float = 10.0
    retry_s: float = 2.0

    def __post_init__(self) -> None:
        if not 0 < 1.2 * self.retry_s < self.renew_s < self.duration_s:
            raise ValueError("leader election: 0 < 1.2 * retry_s < renew_s < duration_s does not hold")


@dataclass(frozen=True, slots=True)
class Seat:
    """Which lease is competed for, and as whom; ``identity`` must differ between processes."""

    namespace: str
    name: str
    identity: str


class LeaderElection:
    """One process's part in the election for one seat."""

    def __init__(self, client: Client, clock: Clock, seat: Seat, terms: Terms | None = None) -> None:
        self._client = client
        self._clock = clock
        self._seat = seat
        self._terms = terms or Terms()
        self._lease: Object | None = None  # as last seen or written
        self._seen_at = 0.0
        self._leads = False

    @property
    def is_leader(self) -> bool:
        """Say whether this process leads now."""
        return self._leads

    @property
    def holder(self) -> str:
        """The identity that holds the lease, as last seen; empty where nobody does."""
        return str(_spec(self._lease).get("holderIdentity") or "")

    async def run(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do ``work`` while leading, for ever; it is cancelled, and waited for, when leadership is lost."""
        facts = {"lease": f"{self._seat.namespace}/{self._seat.name}", "identity": self._seat.identity}
        while True:
            try:
                await self._campaign()
                logger.info("leading", extra=facts)
                await self._lead(work)
                logger.warning("leadership lost; work is stopped until it is won again", extra=facts)
            finally:
                was_leading, self._leads = self._leads, False
                if was_leading:
                    await self._release()

    async def _campaign(self) -> None:
        while not await self._take():
            await self._clock.sleep(self._terms.retry_s)
        self._leads = True

    async def _lead(self, work: Callable[[], Awaitable[None]]) -> None:
        """Work and renew; returns when the lease is lost, raises what the work raises."""
        working = asyncio.ensure_future(work())
        renewing = asyncio.ensure_future(self._hold())
        try:
            await asyncio.wait({working, renewing}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                await working
        finally:
            for task in (working, renewing):
                task.cancel()
            # Nobody else may begin before this work has ended; its cancellation is given all the time it takes.
            await asyncio.gather(working, renewing, return_exceptions=True)

    async def _hold(self) -> None:
        renewed_at = self._clock.monotonic()
        while self._clock.monotonic() - renewed_at < self._terms.renew_s:
            await self._clock.sleep(self._terms.retry_s)
            left_s = self._terms.renew_s - (self._clock.monotonic() - renewed_at)
            began_at = self._clock.monotonic()
            try:
                async with asyncio.timeout(max(left_s, 0.001)):
                    if await self._take():
                        renewed_at = began_at
                    elif self.holder != self._seat.identity:
                        break  # someone else has it already
            except TimeoutError:
                break
        self._leads = False

    async def _take(self) -> bool:
        """Take the lease if it is free, or renew it; says whether it is ours now."""
        try:
            found = await self._client.find(LEASES, self._seat.name, self._seat.namespace)
            if found is None:
                self._saw(await self._client.create(LEASES, self._record(None)))
                return True
            if self._lease is None or _mark(found) != _mark(self._lease):
                self._saw(found)
            if self.holder not in ("", self._seat.identity) and not self._is_expired():
                return False
            # The revision that was read goes along: of two who try at once, one meets a conflict.
            self._saw(await self._client.update(LEASES, self._record(found)))
        except (ConflictError, AlreadyExistsError, NotFoundError):
            return False  # another was quicker
        except (ApiError, OSError) as error:
            logger.debug("cannot reach the lease", extra={"lease": self._seat.name, "error": str(error)})
            return False
        return True

    def _saw(self, lease: Object) -> None:
        self._lease = lease
        self._seen_at = self._clock.monotonic()

    def _is_expired(self) -> bool:
        duration_s = float(_spec(self._lease).get("leaseDurationSeconds") or 0)
        return self._clock.monotonic() - self._seen_at > duration_s

    def _record(self, found: Object | None) -> Object:
        now = format_micro_time(self._clock.now())
        before = _spec(found)
        is_ours = before.get("holderIdentity") == self._seat.identity
        spec = {
            **before,
            "holderIdentity": self._seat.identity,
            "leaseDurationSeconds": max(1, round(self._terms.duration_s)),
            "acquireTime": before.get("acquireTime") if is_ours else now,
            "renewTime": now,
            "leaseTransitions": int(before.get("leaseTransitions") or 0) + (bool(before) and not is_ours),
        }
        if found is not None:
            return {**found, "spec": spec}
        metadata = {"name": self._seat.name, "namespace": self._seat.namespace}
        return {"apiVersion": LEASES.api_version, "kind": LEASES.kind, "metadata": metadata, "spec": spec}

    async def _release(self) -> None:
        """Give the lease back: the next one takes it at its next look."""
        now = format_micro_time(self._clock.now())
        given = {"holderIdentity": "", "leaseDurationSeconds": 1, "acquireTime": now, "renewTime": now}
        try:
            async with asyncio.timeout(RELEASE_TIMEOUT_S):
                # Read again each time: a renewal that was cut off may have been written, or be on its way.
                while (
                    found := await self._client.find(LEASES, self._seat.name, self._seat.namespace)
                ) is not None:
                    if _spec(found).get("holderIdentity") != self._seat.identity:
                        return
                    with suppress(ConflictError):
                        await self._client.update(LEASES, {**found, "spec": {**_spec(found), **given}})
                        return
        except (ApiError, OSError, TimeoutError) as error:
            logger.info("the lease was not given back", extra={"lease": self._seat.name, "error": str(error)})


def _spec(lease: Object | None) -> dict[str, Any]:
    return dict((lease or {}).get("spec") or {})


def _mark(lease: Object) -> tuple[str, dict[str, Any]]:
    return str(lease["metadata"].get("uid")), _spec(lease)
