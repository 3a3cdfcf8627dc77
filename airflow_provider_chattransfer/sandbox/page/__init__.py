# SPDX-License-Identifier: Apache-2.0
"""The web page at ``/``: agents, queues and chats of both services, live.

Static files without a build step. It reads ``GET /sandbox/state`` and ``GET /sandbox/ledger`` and nothing else.
"""

from __future__ import annotations

from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..same_origin import same_origin_only

HEADERS = {
    "content-security-policy": "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}
MEDIA_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


def routes() -> list[Route]:
    """Return the route of ``/`` and one for each file that the page loads, below ``/sandbox/page/``."""
    static = [each.name for each in files(__name__).iterdir() if each.name.rpartition(".")[2] in MEDIA_TYPES]
    return [_route("/", "index.html"), *(_route(f"/sandbox/page/{name}", name) for name in sorted(static))]


def _route(path: str, name: str) -> Route:
    content = files(__name__).joinpath(name).read_bytes()

    async def serve(_: Request) -> Response:
        return Response(content, headers=HEADERS, media_type=MEDIA_TYPES[name.rpartition(".")[2]])

    return Route(path, same_origin_only(serve), methods=["GET"])
