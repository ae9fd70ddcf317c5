"""Routes of `/docs` and `/redoc`: the API's description as a page, with nothing from the outside world.

They and the description itself are open, as they are the same in every installation; a key is given in the page and
sent with the calls that are tried there.
"""

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.staticfiles import NotModifiedResponse
from starlette.types import Scope

DOCS_PATHS = ("/docs", "/redoc", "/openapi.json")
ASSETS_PREFIX = "/docs/assets/"

_HEADERS = {
    # Both libraries write styles into the page, Swagger shows its icons as data, and Redoc searches in a worker that it
    # makes of text.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "font-src 'self' data:; connect-src 'self'; worker-src blob:; child-src blob:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}

_REDOC = "redoc.standalone.js"
_FOREIGN_LOGO = b"https://cdn.redoc.ly/redoc/logo-mini.svg"

router = APIRouter(include_in_schema=False)


@router.get("/docs")
async def swagger() -> HTMLResponse:
    """Show the description with calls to try."""
    return _page("StreaMetrics API", styles=("swagger-ui.css",), scripts=("swagger-ui-bundle.js", "swagger.js"))


@router.get("/redoc")
async def redoc() -> HTMLResponse:
    """Show the description for reading."""
    return _page("StreaMetrics API, for reading", scripts=(_REDOC, "redoc.js"))


@lru_cache(maxsize=1)
def _redoc(file: str) -> bytes:
    """Read Redoc's script without the address of its maker's logo, which the page would ask for in vain."""
    return Path(file).read_bytes().replace(_FOREIGN_LOGO, b"data:,")


class _Assets(StaticFiles):
    def file_response(self, full_path: Any, stat_result: Any, scope: Scope, status_code: int = 200) -> Response:  # noqa: ANN401 - starlette's own
        if Path(full_path).name == _REDOC:
            script = _redoc(str(full_path))
            response = Response(script, media_type="text/javascript", status_code=status_code)
            response.headers["ETag"] = f'"{hashlib.sha256(script).hexdigest()[:32]}"'
            if self.is_not_modified(response.headers, Headers(scope=scope)):
                response = NotModifiedResponse(response.headers)
        else:
            response = super().file_response(full_path, stat_result, scope, status_code)
        # Its name stays when a new version comes, so a browser asks each time; the ETag spares it the transfer.
        response.headers["Cache-Control"] = "no-cache"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


#: The scripts and styles of these pages: of Swagger UI and Redoc, and our own.
ASSETS = _Assets(packages=[("fastapi_offline", "static"), ("streametrics", "api/assets")])


def _page(title: str, *, scripts: tuple[str, ...], styles: tuple[str, ...] = ()) -> HTMLResponse:
    # Relative addresses, as a proxy may show us below a path of its own.
    folder = ASSETS_PREFIX.removeprefix("/")
    head = "".join(f'<link rel="stylesheet" href="{folder}{name}">' for name in styles)
    body = "".join(f'<script src="{folder}{name}"></script>' for name in scripts)
    return HTMLResponse(
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">'
        f'<title>{title}</title>{head}</head><body><div id="page"></div>'
        f"<noscript>This page needs JavaScript; the description is at openapi.json.</noscript>{body}</body></html>",
        headers=_HEADERS,
    )
