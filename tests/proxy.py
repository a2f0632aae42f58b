"""A network between a client and a server on loopback that can be cut, reset and healed.

A cut loses packets, as a pulled cable does: a socket filter drops what arrives, so nothing is acknowledged, and both
ends find out only by their own timeouts. (A proxy that merely stopped forwarding would still acknowledge.)
"""

from __future__ import annotations

import contextlib
import ctypes
import socket
import struct
import threading

_ATTACH_FILTER, _DETACH_FILTER = 26, 27  # SO_*, Linux
_DROP = struct.pack("HBBI", 0x06, 0, 0, 0)  # one BPF instruction: keep 0 bytes of any packet


class Proxy:
    """Connections to `port` go on to `target`, both on loopback."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.connections = 0
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._lock = threading.Lock()
        self._is_cut = self._closed = False
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Lose every packet of every connection, and of new ones, until `heal`."""
        with self._lock:
            self._is_cut = True
            for end in self._ends():
                _drop(end)

    def heal(self) -> None:
        """Let packets pass. A connection that one end gave up in the meantime ends for the other too."""
        with self._lock:
            self._is_cut = False
            for end in self._ends():
                with contextlib.suppress(OSError):
                    end.setsockopt(socket.SOL_SOCKET, _DETACH_FILTER, 0)
            for pair in self._pairs:
                for end in pair:
                    _probe(end)

    def reset(self) -> None:
        """End every connection at once."""
        with self._lock:
            pairs = list(self._pairs)
        for pair in pairs:
            self._close(pair)

    def close(self) -> None:
        """End everything."""
        self._closed = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.reset()

    def _ends(self) -> list[socket.socket]:
        return [self._listener, *(end for pair in self._pairs for end in pair)]

    def _accept(self) -> None:
        while not self._closed:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._target), timeout=5)
            except OSError:  # the server is away: so is what stands before it
                client.close()
                continue
            server.settimeout(None)
            pair = (client, server)
            with self._lock:
                self.connections += 1
                self._pairs.add(pair)
                if self._is_cut:
                    for end in pair:
                        _drop(end)
            for source, sink in (pair, pair[::-1]):
                threading.Thread(target=self._pump, args=(source, sink, pair), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, pair: tuple[socket.socket, socket.socket]) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                sink.sendall(data)
        self._close(pair)

    def _close(self, pair: tuple[socket.socket, socket.socket]) -> None:
        with self._lock:
            self._pairs.discard(pair)
        for end in pair:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def _drop(end: socket.socket) -> None:
    program = ctypes.create_string_buffer(_DROP)
    with contextlib.suppress(OSError):  # it was closed
        end.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, struct.pack("HL", 1, ctypes.addressof(program)))


def _probe(end: socket.socket) -> None:
    """Ask the other end whether it still knows the connection: one that gave up answers with a reset."""
    with contextlib.suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT):
            end.setsockopt(socket.IPPROTO_TCP, option, 1)
