"""The pages behind the `type` of a problem: what its code means. Open, as it is the same everywhere."""

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from starlette.exceptions import HTTPException

from streametrics.api.html import Element, Page
from streametrics.api.problems import FRAMEWORK_CODES, TYPE_PREFIX
from streametrics.errors import StreametricsError

router = APIRouter(include_in_schema=False)


@router.get(TYPE_PREFIX + "{code}")
async def explain(code: str) -> HTMLResponse:
    """Say what a code means."""
    sentence = _meanings().get(code)
    if sentence is None:
        raise HTTPException(404)
    page = Page(code, (Element("main", (Element("h1", (code,)), Element("p", (sentence,)))),))
    return HTMLResponse(page.html(), headers=page.headers())


def _meanings() -> dict[str, str]:
    """List what each code means: the first class of errors that has it says so."""
    found = dict(FRAMEWORK_CODES)
    classes: list[type[StreametricsError]] = [StreametricsError]
    for kind in classes:
        found.setdefault(kind.code, " ".join((kind.__doc__ or "").split()))
        classes += kind.__subclasses__()
    return found
