"""Authenticates requests by key, and checks the key's scope. Behind CORS preflights, which carry no key."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as RequestScope

from streametrics.api.error_responses import refuse
from streametrics.api.problems import TYPE_PREFIX, FrameworkRefusal, is_below
from streametrics.api.routes.docs import ASSETS_PREFIX, DOCS_PATHS
from streametrics.auth.api_keys import ApiKeys
from streametrics.auth.principal import Scope
from streametrics.errors import ScopeTooSmall, StreametricsError, Unauthorized

#: Open without a key: nothing about any job is told there.
OPEN_PATHS = ("/", "/health/live", "/health/ready", *DOCS_PATHS)
#: Also with the name of a format behind them.
_AUDIO = ("/v1/audio/transcriptions", "/v1/audio/translations")


class AuthenticationMiddleware:
    """Puts the principal into the request's state, or refuses: 401 without a known key, 403 for a smaller scope."""

    def __init__(self, app: ASGIApp, api_keys: ApiKeys) -> None:
        self._app = app
        self._api_keys = api_keys

    async def __call__(self, scope: RequestScope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        # A websocket's scope has no method: it is a GET.
        wanted = wanted_scope(scope.get("method", "GET"), scope["path"])
        if wanted is not None:
            try:
                principal = await self._api_keys.principal(_given_key(Headers(scope=scope)))
                if not principal.scope.allows(wanted):
                    if is_below(scope["path"]) and _scope_below_v1("GET", scope["path"]) is None:
                        raise FrameworkRefusal(404)  # as for every key: there is nothing that a larger one could do
                    raise ScopeTooSmall(f"This key has the scope '{principal.scope}'; this request wants '{wanted}'.")
            except StreametricsError as error:
                await refuse(error, scope, receive, send)
                return
            scope.setdefault("state", {})["principal"] = principal
        await self._app(scope, receive, send)


def _given_key(headers: Headers) -> bytes | None:
    """Find the key as it was sent, in bytes. Raises Unauthorized where there are several."""
    given = [value.encode("latin-1") for value in headers.getlist("x-api-key")]
    for value in headers.getlist("authorization"):
        scheme, _, token = value.partition(" ")
        if scheme.lower() == "bearer":
            given.append(token.strip().encode("latin-1"))
    if len(set(given)) > 1:
        raise Unauthorized("Several keys were sent: send one.")
    return given[0] if given else None


def wanted_scope(method: str, path: str) -> Scope | None:
    """Tell the scope that a request needs once there are keys; None where it is open to all.

    Whatever is not named here needs `admin`, so a route that is new is closed until somebody says otherwise.
    """
    if path in OPEN_PATHS or path.startswith((ASSETS_PREFIX, TYPE_PREFIX)):
        return None
    if path == "/summarize" or path.startswith("/summarize/"):
        return Scope.READ if method in ("GET", "HEAD") else Scope.SUBMIT
    if is_below(path):
        return _scope_below_v1(method, path) or Scope.ADMIN
    return Scope.ADMIN


def _scope_below_v1(method: str, path: str) -> Scope | None:
    """Tell the scope of a route below `/v1`; None where there is no such route."""
    if path == "/v1/jobs" or path.startswith("/v1/jobs/"):
        return Scope.READ if method in ("GET", "HEAD") else Scope.SUBMIT
    if path == "/v1/search" or f"{path}/".startswith(("/v1/streams/", "/v1/streamers/")):
        return Scope.READ if method in ("GET", "HEAD") else Scope.SUBMIT
    if path.partition(".")[0] in _AUDIO or path == "/v1/keys" or path.startswith("/v1/keys/"):
        return Scope.SUBMIT
    if path in ("/v1/models", "/v1/status") or path.startswith("/v1/models/"):
        return Scope.READ
    return None
