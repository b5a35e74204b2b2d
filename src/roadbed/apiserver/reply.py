"""One HTTP answer on its way out: what every answer carries, and what its beginning means to others.

``asgi`` makes one for each request, before anything can fail, and hands it on as ASGI's ``send``. The first
message gets the audit id and the names of what classified the request; it also gives the request's seat back,
so that a client which reads slowly, or watches, holds none. Where the request is recorded, its record hears of it.
"""

from __future__ import annotations

from typing import Any

from .answering import Send
from .audit import Record
from .flow import Ticket

MAX_AUDIT_ID = 64  # characters of an id that a client chose; Kubernetes cuts it as well


class Reply:
    """ASGI's ``send`` for one request."""

    __slots__ = ("_send", "audit_id", "is_long", "record", "ticket")

    def __init__(self, send: Send, audit_id: str) -> None:
        self._send = send
        self.audit_id = audit_id
        self.is_long = False  # a watch: its beginning is worth an event
        self.ticket: Ticket | None = None
        self.record: Record | None = None

    async def __call__(self, message: dict[str, Any]) -> None:
        """Pass one message on."""
        if message["type"] == "http.response.start":
            headers = [(b"audit-id", self.audit_id.encode("latin-1")), *message.get("headers", ())]
            if self.ticket is not None:
                headers += self.ticket.headers
                self.ticket.leave()
            # A message of its own: the sender's may be a constant that many answers begin with.
            message = {**message, "headers": headers}
            if self.record is not None:
                self.record.began(message["status"], is_long=self.is_long)
        await self._send(message)

    def end(self) -> None:
        """Close the record, and give the seat back where no answer began because the client is gone."""
        if self.ticket is not None:
            self.ticket.leave()
        if self.record is not None:
            self.record.end()


def audit_id(asked: str, new: str) -> str:
    """Give the id of a request: what its client calls it, or a new one."""
    return asked[:MAX_AUDIT_ID].partition("\n")[0] if asked else new
