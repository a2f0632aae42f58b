"""Who may ask, and what every answer says: a page of another site may not read through the reader's browser."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nas.dashboard.answers import refusal

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_ANY = frozenset({"0.0.0.0", "::"})  # noqa: S104  (compared with, not bound to)


class Guard:
    """Lets GET and HEAD through that this server's own page, or somebody by hand, asked for.

    A name that resolves to this machine but is not its own (DNS rebinding) is refused by the Host header; a request
    that another site started, by Origin and Sec-Fetch-Site. Following a link to the page is allowed: it shows a page of
    its own, which no frame may hold.
    """

    def __init__(self, app: ASGIApp, hosts: Sequence[str], port: int, policy: str) -> None:
        self._app, self._hosts, self._port = app, frozenset(host.lower() for host in hosts if host), port
        self._headers = {
            "content-security-policy": policy,
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
            "cross-origin-resource-policy": "same-origin",
            "cross-origin-opener-policy": "same-origin",
            "x-frame-options": "DENY",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
            await send(message)

        answer = self._refused(scope["method"], scope["path"], Headers(scope=scope)) or self._app
        await answer(scope, receive, guarded)

    def _refused(self, method: str, path: str, headers: Headers) -> ASGIApp | None:
        if method not in ("GET", "HEAD"):
            return refusal(405, f"{method} is not allowed", "this server only reads", {"allow": "GET, HEAD"})
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._is_ours(hosts[0]):
            return refusal(
                400,
                "the Host header does not name this server",
                f"open it as http://localhost:{self._port}/, also through a tunnel",
            )
        origin = headers.get("origin")
        if origin is not None and origin.lower() != f"http://{hosts[0].lower()}":
            return refusal(403, "asked for by a page of another origin", "open the dashboard's own page")
        site = headers.get("sec-fetch-site", "none")
        followed = (
            path == "/" and headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
        )
        if site not in ("same-origin", "none") and not followed:
            return refusal(403, "asked for by a page of another site", "open the dashboard's own page")
        return None

    def _is_ours(self, host: str) -> bool:
        try:
            parts = urlsplit(f"//{host}")
            name, port = (parts.hostname or "").lower(), parts.port
        except ValueError:
            return False
        if parts.username is not None or parts.path or parts.query or parts.fragment or (port or 80) != self._port:
            return False
        if name in _LOOPBACK or name in self._hosts:
            return True
        return bool(self._hosts & _ANY) and (_is_address(name) or name == socket.gethostname().lower())


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens there."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _is_address(name: str) -> bool:
    """An address is no name that somebody else's DNS could point here."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
