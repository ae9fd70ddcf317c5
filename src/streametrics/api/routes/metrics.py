"""The route that Prometheus reads."""

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse

from streametrics.api import prometheus
from streametrics.api.dependencies import StateOf
from streametrics.api.openapi import refusals

router = APIRouter()


@router.get(
    "/metrics",
    summary="Counters and gauges of the whole service, in Prometheus' text format",
    response_class=PlainTextResponse,
    responses=refusals(401, 403, 503),
)
async def metrics(state: StateOf) -> Response:
    return Response(await state.metrics_page.get(), media_type=prometheus.CONTENT_TYPE)
