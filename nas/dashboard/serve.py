"""Run the dashboard: bind first, so that the address is known before it is printed; end within a second."""

from __future__ import annotations

import asyncio
import errno
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import uvicorn

from nas.dashboard.app import make_app
from nas.dashboard.hub import Hub
from nas.dashboard.security import Guard
from nas.errors import NasError
from nas.explorer.shell import content_security_policy
from nas.report.published import NOTE, published
from nas.study.feed import Source

_GRACE = 1  # seconds for answers that are on their way
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class ServeError(NasError):
    """An address that cannot be listened on."""


def bind(host: str, port: int) -> socket.socket:
    """A socket that listens there; port 0 is any free one. Raises: ServeError."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError):
        raise ServeError(f"--host {host}: no address of that name", "write 127.0.0.1") from None
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(128)
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRINUSE:
            raise ServeError(
                f"port {port} on {host} is in use, perhaps by another dashboard", "take any free one: --port 0"
            ) from None
        raise ServeError(f"--host {host} --port {port}: {error.strerror}", "write --host 127.0.0.1 --port 0") from None
    return listening


def address(listening: socket.socket, host: str) -> str:
    """The URL to open."""
    port = listening.getsockname()[1]
    name = "localhost" if host in ("0.0.0.0", "::") else host  # noqa: S104  (compared with, not bound to)
    return f"http://[{name}]:{port}/" if ":" in name else f"http://{name}:{port}/"


def serve(sources: Sequence[Source], listening: socket.socket, host: str, ready: Callable[[], None]) -> int:
    """Serve until a signal comes; the exit code that goes with it. `ready` is called when pages can be asked for."""
    hub = Hub(sources, published(), NOTE)
    bound, port = listening.getsockname()[:2]
    server = make_server(hub, host, port, ready, bound)
    hub.start()
    with server.signals() as received:
        asyncio.run(server.serve(sockets=[listening]))
    hub.close()
    return 143 if received[:1] == [signal.SIGTERM] else 130 if received else 1


def make_server(hub: Hub, host: str, port: int, ready: Callable[[], None], bound: str = "") -> Server:
    """A server of the hub's studies, guarded, for a socket that listens at that host and port. `bound`: the address
    that the host turned out to be."""
    config = uvicorn.Config(
        Guard(make_app(hub), (host, bound), port, content_security_policy(live=True)),
        log_level="warning",
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=_GRACE,
        timeout_keep_alive=30,
        ws="none",
        loop="asyncio",
        http="h11",
    )
    return Server(config, hub, ready)


class Server(uvicorn.Server):
    """Ends its streams before it waits for them."""

    def __init__(self, config: uvicorn.Config, hub: Hub, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._hub, self._ready = hub, ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._hub.close()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Ours are set already; uvicorn's would raise the signal again when all is done."""
        yield

    @contextmanager
    def signals(self) -> Iterator[list[int]]:
        """The first signal ends the server cleanly, the second at once. Yields those that came."""
        received: list[int] = []

        def handle(number: int, _: Any) -> None:
            received.append(number)
            self.should_exit, self.force_exit = True, len(received) > 1  # no more: locks may be held by who is stopped

        before = {number: signal.signal(number, handle) for number in _SIGNALS}
        try:
            yield received
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
