"""The addresses of the dashboard. All of them only read, and none of them names a file."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from nas.dashboard.answers import packed, refusal, send, send_json
from nas.dashboard.hub import Hub, Packed, UnknownError, encode
from nas.dashboard.reports import Reports
from nas.errors import NasError
from nas.explorer import shell

_ALIVE = 15.0  # seconds of silence after which a stream says that it is there
_RETRY_MS = 2_000  # after which a page whose stream broke asks again


class Dashboard:
    """The endpoints over a hub. Everything that takes time runs in a thread, never on the event loop."""

    def __init__(self, hub: Hub) -> None:
        self._hub, self._reports = hub, Reports(hub)
        self._app, self._plotly = packed(shell.app_script()), packed(shell.plotly_script())
        page = shell.live_page()
        for name, body in (("app.js", self._app), ("plotly.js", self._plotly)):
            page = page.replace(f'src="{name}"', f'src="{name}?v={body.tag}"')
        self._page = packed(page)

    def routes(self) -> list[Route]:
        """Address → endpoint."""
        return [
            Route("/", self.page),
            Route("/app.js", self.app_script),
            Route("/plotly.js", self.plotly_script),
            Route("/api/studies", self.studies),
            Route("/api/changes", self.changes),
            Route("/api/events", self.events),
            Route("/api/network", self.network),
            Route("/api/settings", self.settings),
            Route("/api/report", self.report),
            Route("/download", self.download),
        ]

    async def page(self, request: Request) -> Response:
        return send(request, self._page, "text/html")

    async def app_script(self, request: Request) -> Response:
        return self._script(request, self._app)

    async def plotly_script(self, request: Request) -> Response:
        return self._script(request, self._plotly)

    async def studies(self, request: Request) -> Response:
        self._hub.touch()
        return send(request, await run_in_threadpool(self._hub.page), "application/json")

    async def changes(self, request: Request) -> Response:
        self._hub.touch()
        return send_json(request, await run_in_threadpool(self._hub.changes, request.query_params.get("since", "")))

    async def events(self, request: Request) -> Response:
        since = request.headers.get("last-event-id") or request.query_params.get("since", "")
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        body = self._stream(since) if request.method == "GET" else iter(())
        return StreamingResponse(body, headers=headers, media_type="text/event-stream")

    async def network(self, request: Request) -> Response:
        key, row = self._key(request), request.query_params.get("row", "")
        if not (row.isascii() and row.isdigit() and len(row) < 10):
            return refusal(400, "row: expected a whole number", "ask for /api/network?study=0&row=0")
        return send_json(request, self._hub.network(key, int(row)))

    async def settings(self, request: Request) -> Response:
        return send(request, await self._reports.made(self._reports.settings, self._key(request)), "application/json")

    async def report(self, request: Request) -> Response:
        return send(request, await self._reports.made(self._reports.report, self._key(request)), "application/json")

    async def download(self, request: Request) -> Response:
        name, body = await self._reports.made(self._reports.download, self._key(request))
        answer = send(request, body, "text/html")
        answer.headers["content-disposition"] = f'attachment; filename="{name}.html"'
        return answer

    def _key(self, request: Request) -> str:
        """The study asked about. Raises: UnknownError."""
        key = request.query_params.get("study", "")
        self._hub.stamp(key)
        return key

    def _script(self, request: Request, body: Packed) -> Response:
        return send(request, body, "text/javascript", lasting=request.query_params.get("v") == body.tag)

    async def _stream(self, since: str) -> AsyncIterator[bytes]:
        """Patches as they come. A client that reads slowly has one wake-up waiting, and gets one patch for all."""
        loop, news = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(news.set)

        end = self._hub.subscribe(wake)
        try:
            yield f"retry: {_RETRY_MS}\n\n".encode()
            while not self._hub.closing:
                news.clear()
                if since != self._hub.version:
                    patch = await run_in_threadpool(self._hub.changes, since)
                    since = str(patch["version"])
                    yield b"event: patch\nid: " + since.encode() + b"\ndata: " + encode(patch) + b"\n\n"
                try:
                    await asyncio.wait_for(news.wait(), _ALIVE)
                except TimeoutError:
                    yield b": still here\n\n"
        finally:
            end()


def make_app(hub: Hub) -> Starlette:
    """The application, without its guard."""
    app = Starlette(
        routes=Dashboard(hub).routes(),
        exception_handlers={
            HTTPException: _http,
            UnknownError: _unknown,
            NasError: _unreadable,
            Exception: _unexpected,
        },
    )
    app.router.redirect_slashes = False
    return app


async def _http(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == 404:
        return refusal(404, "nothing here", "the page is at /")
    return refusal(status, "not allowed" if status == 405 else "refused", "this server only reads")


async def _unknown(_: Request, error: Exception) -> Response:
    return refusal(404, str(error), getattr(error, "hint", ""))


async def _unreadable(_: Request, error: Exception) -> Response:
    return refusal(503, str(error), getattr(error, "hint", ""))


async def _unexpected(_: Request, __: Exception) -> Response:
    return refusal(500, "the server failed", "the terminal in which it runs says why")
