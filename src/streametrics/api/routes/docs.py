"""Routes of `/docs` and `/redoc`: the API's description as a page, with nothing from the outside world.

They and the description itself are open, as they are the same in every installation; a key is given in the page and
sent with the calls that are tried there.
"""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from starlette.responses import Response

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

router = APIRouter(include_in_schema=False)


@router.get("/docs")
async def swagger() -> HTMLResponse:
    """Show the description with calls to try."""
    return _page("StreaMetrics API", styles=("swagger-ui.css",), scripts=("swagger-ui-bundle.js", "swagger.js"))


@router.get("/redoc")
async def redoc() -> HTMLResponse:
    """Show the description for reading."""
    return _page("StreaMetrics API, for reading", scripts=("redoc.standalone.js", "redoc.js"))


class _Assets(StaticFiles):
    def file_response(self, *args: Any, **options: Any) -> Response:  # noqa: ANN401 - starlette's own
        response = super().file_response(*args, **options)
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
