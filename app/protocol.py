"""HTTP as uvicorn's httptools reads it, with a bound to its head; what cannot be read is answered as all else is.

Without this the parser answers by itself, in plain text and without headers, whatever it cannot read, an address
beyond 64 KiB included, and it keeps a header that does not end for as long as memory lasts.
"""

from __future__ import annotations

from asyncio import TimerHandle
from collections.abc import Callable
from http import HTTPStatus
from socket import socket
from typing import Final

import structlog
import uuid_utils
import uvicorn
from starlette.responses import Response
from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.db import encode
from app.errors import UriTooLong
from app.ingress import HEADERS
from app.problems import TYPE, answer

#: Bytes; the door refuses addresses far below this, and answers them with all it knows.
HEAD: Final = 65_536
ADDRESS: Final = 32_768
#: A line closed while bytes wait in it takes the answer with it: so long, and so much, is thrown away first.
_SECONDS: Final = 1.0
_BYTES: Final = 2**20
_log: Final = structlog.get_logger()


class BoundedHttp(HttpToolsProtocol):
    """One connection."""

    _head: int | None = None
    _refusal = HTTPStatus.BAD_REQUEST
    _thrown_away: int | None = None
    #: How long a caller may leave an answer unread (seconds), while more waits to be sent than is kept for it.
    patience: float = 60.0
    _unread: TimerHandle | None = None

    @classmethod
    def of(cls, patience: float) -> type[BoundedHttp]:
        """The same with another patience."""
        return type(cls.__name__, (cls,), {"patience": patience})

    def on_message_begin(self) -> None:
        """Count from the first byte of a request."""
        self._head = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Keep no more of an address than may be answered; any exception here ends in `send_400_response`."""
        super().on_url(url)
        if len(self.url) > ADDRESS:
            self._refusal = HTTPStatus.REQUEST_URI_TOO_LONG
            raise ValueError

    def on_headers_complete(self) -> None:
        """Count no further: the body has a limit of its own."""
        self._head = None
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        """Read on, unless the head has grown beyond its bound."""
        if self._thrown_away is not None:
            self._thrown_away += len(data)
            if self._thrown_away > _BYTES:
                self.transport.abort()
            return
        super().data_received(data)
        if self._head is not None and self._thrown_away is None:
            self._head += len(data)
            if self._head > HEAD:
                self._refusal = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
                self.send_400_response(self._refusal.phrase)

    def pause_writing(self) -> None:
        """Wait for who does not read, and no longer than that."""
        super().pause_writing()
        self._unread = self.loop.call_later(self.patience, self.transport.abort)

    def resume_writing(self) -> None:
        """It has read."""
        super().resume_writing()
        self._forgive()

    def connection_lost(self, exc: Exception | None) -> None:
        """It has gone."""
        self._forgive()
        super().connection_lost(exc)

    def _forgive(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def send_400_response(self, msg: str) -> None:
        """Answer what could not be read, and close; `msg` is uvicorn's own and not sent."""
        request_id = str(uuid_utils.uuid7())
        response = _refused(self._refusal, request_id)
        headers = [*response.raw_headers, *HEADERS, (b"request-id", request_id.encode()), (b"connection", b"close")]
        if self.scheme == "https":
            headers.append((b"strict-transport-security", b"max-age=31536000"))
        head = f"HTTP/1.1 {self._refusal.value} {self._refusal.phrase}\r\n".encode()
        lines = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
        self.transport.write(head + lines + b"\r\n" + bytes(response.body))
        self._thrown_away = 0
        self.loop.call_later(_SECONDS, self.transport.close)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        _log.info("request", request_id=request_id, route=None, status=self._refusal.value, error=msg)


def _refused(status: HTTPStatus, request_id: str) -> Response:
    if status is HTTPStatus.REQUEST_URI_TOO_LONG:
        scope: Scope = {"type": "http", "path": "/", "headers": [], "state": {"request_id": request_id}}
        return answer(UriTooLong(limit=8_192), scope)
    # Not HTTP, or none that the API speaks of: RFC 9457 has a type for what its status says all about.
    said = {"type": "about:blank", "title": status.phrase, "status": status.value, "request_id": request_id}
    return Response(encode(said), status, media_type=TYPE)


class Server(uvicorn.Server):
    """A server that, when it is to stop, first ends what would not end by itself."""

    def __init__(self, config: uvicorn.Config, *, ending: Callable[[], None]) -> None:
        super().__init__(config)
        self._ending = ending

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """Stop, gracefully."""
        self._ending()
        await super().shutdown(sockets)
