# SPDX-License-Identifier: Apache-2.0
"""Protects the control plane and the page from web pages of other origins.

A browser sends whatever request any page asks it to send, also to 127.0.0.1. It describes the sender in headers that a
page cannot change: the host name by which it reached this server (``Host``, also after DNS rebinding), the page that
asks (``Origin``), and how the two are related (``Sec-Fetch-Site``, https://www.w3.org/TR/fetch-metadata/). The paths of
the simulated services are open to everybody, as the real ones are.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

Endpoint = Callable[[Request], Awaitable[Response]]

DEFAULT_PORTS = {"http": 80, "https": 443}
ALLOWED_FETCH_SITES = (None, "same-origin", "none")
"""The ``Sec-Fetch-Site`` of programs (none), of the page itself, and of a person who typed the address."""


def same_origin_only(endpoint: Endpoint) -> Endpoint:
    """Wrap ``endpoint`` so that a request with a `refusal_reason` gets a 403 that tells it."""

    async def serve(request: Request) -> Response:
        if (reason := refusal_reason(request)) is not None:
            return JSONResponse({"error": reason}, status_code=403)
        return await endpoint(request)

    return serve


def refusal_reason(request: Request) -> str | None:
    """Return why ``request`` is refused; ``None`` if it is not."""
    host, port = request.headers.get("host", ""), request.scope["server"][1]
    if not _is_ours(host, scheme=request.url.scheme, port=port):
        return (
            f"Host is {_shown(host)}: the control plane and the page are at 127.0.0.1:{port} or localhost:{port} only"
        )
    origin = request.headers.get("origin")
    if origin is not None and origin.lower() != f"{request.url.scheme}://{host}".lower():
        return f"Origin is {_shown(origin)}: a page from elsewhere may not use the control plane"
    site = request.headers.get("sec-fetch-site")
    if site not in ALLOWED_FETCH_SITES and not _follows_a_link(request):
        return f"Sec-Fetch-Site is {_shown(site or '')}: a page from elsewhere may not use the control plane"
    return None


def _is_ours(host: str, *, scheme: str, port: int) -> bool:
    try:
        parts = urlsplit(f"//{host}")
        name, given = parts.hostname, parts.port
    except ValueError:
        return False
    if name is None or parts.netloc != host or "@" in host or (given or DEFAULT_PORTS.get(scheme)) != port:
        return False
    try:
        return name == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False


def _follows_a_link(request: Request) -> bool:
    """Return whether the browser opens the address because a person followed a link on another page.

    That changes nothing here, and shows the other page nothing.
    """
    headers = request.headers
    wanted = (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest"))
    return request.method == "GET" and wanted == ("navigate", "document")


def _shown(text: str) -> str:
    return repr(text[:200])
