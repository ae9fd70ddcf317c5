"""Who may call: the address a request came in on, the Host it names, the page it comes from, and the key.

Any web page can post a form to `localhost` without asking (no preflight), and a rebound name makes that page
look local; so Origin and Host are checked before anything is read.
"""

import hmac
import ipaddress
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from streametrics.errors import Forbidden, StreametricsError, Unauthorized
from streametrics.rendering import error_response
from streametrics.settings import Settings

#: The browser extension's own origin.
EXTENSION_ORIGIN = "chrome-extension://oebogjkjhmaifchplglelphhlefhiico"

#: Open without a key: nothing of anybody's job is told there.
OPEN_PATHS = ("/", "/health/live", "/health/ready")


class Guard:
    """Checks address, Host, Origin and key of every request, in this order. Pure ASGI: it reads no body."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._key = settings.internal_api_key.encode()
        self._hosts = {host.lower() for host in settings.allowed_hosts}
        self._origins = allowed_origins(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            self._check_address(scope)
            self._check_host(scope, headers)
            self._check_origin(headers)
            self._check_key(scope, headers)
        except StreametricsError as error:
            await error_response(error)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _check_address(self, scope: Scope) -> None:
        """Starting uvicorn by hand on an open address must not open a door."""
        server = scope.get("server")
        if not self._key and server is not None and not is_loopback(server[0]):
            raise Forbidden("Without INTERNAL_API_KEY this service answers on loopback addresses only.")

    def _check_host(self, scope: Scope, headers: Headers) -> None:
        name = host_name(headers.get("host", ""))
        server = scope.get("server")
        # An address cannot be rebound, a name can.
        is_own_address = server is not None and name == server[0] and _is_address(name)
        if not (is_loopback(name) or name in self._hosts or is_own_address):
            raise Forbidden("This Host name is not served here: add it to ALLOWED_HOSTS.")

    def _check_origin(self, headers: Headers) -> None:
        origin = headers.get("origin")
        if origin is None or origin.rstrip("/") in self._origins:
            return
        if urlsplit(origin).netloc.lower() == headers.get("host", "").lower():
            return
        raise Forbidden("Pages of this origin may not use the service: add it to ALLOWED_ORIGINS.")

    def _check_key(self, scope: Scope, headers: Headers) -> None:
        # A preflight cannot carry the key; it is answered for allowed origins only and does nothing.
        preflight = scope["method"] == "OPTIONS" and "access-control-request-method" in headers
        if not self._key or scope["path"] in OPEN_PATHS or preflight:
            return
        scheme, _, token = headers.get("authorization", "").partition(" ")
        given = headers.get("x-api-key") or (token.strip() if scheme.lower() == "bearer" else "")
        if not hmac.compare_digest(given.encode(), self._key):
            raise Unauthorized


def allowed_origins(settings: Settings) -> list[str]:
    """Pages of other origins that may call: the extension, and what the settings add."""
    return [EXTENSION_ORIGIN, *settings.allowed_origins]


def host_name(host: str) -> str:
    """The name in a Host header, without port and brackets, in lower case; empty for a malformed one."""
    if not set(host).isdisjoint("@/?#\\ "):
        return ""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def is_loopback(name: str) -> bool:
    """Whether a name or address can only mean this machine."""
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
