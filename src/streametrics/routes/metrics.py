"""What Prometheus reads."""

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse

from streametrics import metrics_page
from streametrics.routes.descriptions import refusals
from streametrics.routes.state import StateOf

router = APIRouter()


@router.get(
    "/metrics",
    summary="Counters and gauges of the whole service, in Prometheus' text format",
    response_class=PlainTextResponse,
    responses=refusals(401, 403, 503),
)
def metrics(state: StateOf) -> Response:
    page = metrics_page.render(state.jobs.live.counts(), state.jobs.waiting.by_queue(), state.jobs.live.workers())
    return Response(page, media_type=metrics_page.CONTENT_TYPE)
