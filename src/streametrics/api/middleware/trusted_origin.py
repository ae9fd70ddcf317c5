"""Refuses requests by the address they came in on, the Host they name, and the page they come from.

Any web page can post a form to `localhost` without asking (no preflight), and a rebound name makes that page
look local; so Origin and Host are checked before anything is read. Keys are `authentication`'s work.
"""

import re

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from streametrics.api.error_responses import refuse
from streametrics.api.server.slow_clients import MAX_HEAD_BYTES
from streametrics.auth.api_keys import ApiKeys
from streametrics.errors import Forbidden, HeadTooLarge, StreametricsError
from streametrics.net.addresses import is_address, is_loopback
from streametrics.settings import KEY_MIN_LENGTH, Settings

#: The browser extension's own origin.
EXTENSION_ORIGIN = "chrome-extension://oebogjkjhmaifchplglelphhlefhiico"

#: A Host header is a name or an IPv4 address, or an IPv6 address in brackets; then perhaps a port. Nothing else is
#: repaired: what a parser of addresses would forgive, a forger could use.
_HOST = re.compile(r"(?:(?P<name>[A-Za-z0-9._-]+)|\[(?P<ipv6>[0-9A-Fa-f:.]+)\])(?::[0-9]{1,5})?")


class TrustedOriginMiddleware:
    """Checks address, Host and Origin of every request, in this order. Pure ASGI: it reads no body."""

    def __init__(self, app: ASGIApp, settings: Settings, api_keys: ApiKeys) -> None:
        self._app = app
        self._api_keys = api_keys
        self._internal_key_length = len(settings.internal_api_key)
        self._hosts = {host.lower() for host in settings.allowed_hosts}
        self._origins = set(allowed_origins(settings))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            _check_head(scope)
            await self._check_address(scope)
            self._check_host(scope, headers)
            self._check_origin(scope, headers)
        except StreametricsError as error:
            await refuse(error, scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _check_address(self, scope: Scope) -> None:
        """Refuse an open address without a long key, also where uvicorn was started by hand."""
        server = scope.get("server")
        if server is None or is_loopback(server[0]):
            return
        if self._internal_key_length:
            is_safe = self._internal_key_length >= KEY_MIN_LENGTH
        else:
            is_safe = await self._api_keys.has_keys()
        if not is_safe:
            raise Forbidden(
                f"Without a key of {KEY_MIN_LENGTH} characters or more this service answers on loopback addresses "
                "only: set INTERNAL_API_KEY."
            )

    def _check_host(self, scope: Scope, headers: Headers) -> None:
        given = headers.getlist("host")
        name = host_name(given[0]) if len(given) == 1 else ""
        server = scope.get("server")
        # An address cannot be rebound, a name can.
        is_own_address = server is not None and name == server[0] and is_address(name)
        if not (is_loopback(name) or name in self._hosts or is_own_address):
            raise Forbidden("This Host name is not served here: add it to ALLOWED_HOSTS.")
        if not scope["path"].startswith("/"):
            # `GET http://other.example/` names a host of its own, beside the header that was checked.
            raise Forbidden("The request's target is not a path.")

    def _check_origin(self, scope: Scope, headers: Headers) -> None:
        given = headers.getlist("origin")
        if not given:
            self._check_fetch_metadata(scope, headers)
            return
        own = {f"{scheme}://{headers['host'].lower()}" for scheme in ("http", "https")}
        if len(given) > 1 or given[0] not in self._origins | own:
            raise Forbidden("Pages of this origin may not use the service: add it to ALLOWED_ORIGINS.")

    def _check_fetch_metadata(self, scope: Scope, headers: Headers) -> None:
        """Refuse a page's pictures, scripts and frames, which send no Origin; browsers say where they come from.

        A link that a person follows is fine, and so is what only an extension with leave can send: a request in
        the mode `cors` without an Origin.
        """
        if headers.get("sec-fetch-site", "none") in ("none", "same-origin"):
            return
        mode = headers.get("sec-fetch-mode")
        is_link = mode == "navigate" and headers.get("sec-fetch-dest") == "document"
        if not (mode == "cors" or (is_link and scope.get("method") in ("GET", "HEAD"))):
            raise Forbidden("Pages of other origins may not use the service.")


def _check_head(scope: Scope) -> None:
    """Refuse a head that is too large, whatever server and parser let it pass, or come with other requests at once."""
    # "GET", a space, the target, " HTTP/1.1"; a colon and a space in each header; each line's end, and an empty line.
    query = scope.get("query_string", b"")
    target = len(scope.get("raw_path") or scope["path"]) + len(query) + bool(query)
    size_bytes = len(scope.get("method", "GET")) + 1 + target + 11 + 2
    size_bytes += sum(len(name) + len(value) + 4 for name, value in scope["headers"])
    if size_bytes > MAX_HEAD_BYTES:
        raise HeadTooLarge


def allowed_origins(settings: Settings) -> list[str]:
    """List the pages of other origins that may call: the extension, and what the settings add."""
    return [EXTENSION_ORIGIN, *settings.allowed_origins]


def host_name(host: str) -> str:
    """Extract the name of a Host header, without port and brackets, in lower case; empty for a malformed one."""
    match = _HOST.fullmatch(host)
    if match is None:
        return ""
    return (match["name"] or match["ipv6"]).lower().removesuffix(".")
