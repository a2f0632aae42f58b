"""Answers in the shapes that this server gives: packed bodies, JSON, and refusals in one line."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from nas.dashboard.hub import Packed, encode

_WORTH = 1_000  # bytes from which a body is compressed


def packed(body: str, level: int = 6) -> Packed:
    """A body that stays as it is, compressed once."""
    plain = body.encode()
    return Packed(plain, gzip.compress(plain, level, mtime=0), hashlib.sha256(plain).hexdigest()[:16])


def send(request: Request, body: Packed, kind: str, lasting: bool = False) -> Response:
    """The body, compressed where the client takes it. `lasting`: its address changes when it does."""
    tag = f'W/"{body.tag}"'
    headers = {"etag": tag, "vary": "accept-encoding"}
    if lasting:
        headers["cache-control"] = "public, max-age=31536000, immutable"
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(body.zipped, headers={**headers, "content-encoding": "gzip"}, media_type=kind)
    return Response(body.plain, headers=headers, media_type=kind)


def send_json(request: Request, document: Any) -> Response:
    """A document, compressed where that is worth it."""
    plain = encode(document)
    if len(plain) < _WORTH:
        return Response(plain, media_type="application/json")
    return send(request, Packed(plain, gzip.compress(plain, 4, mtime=0), ""), "application/json")


def refusal(status: int, error: str, hint: str = "", headers: Mapping[str, str] | None = None) -> Response:
    """What was wrong and what to do, as one line of JSON."""
    return Response(encode({"error": error, "hint": hint}) + b"\n", status, headers, media_type="application/json")
