"""The route that tells how the whole service is."""

from fastapi import APIRouter

from streametrics.api.dependencies import KnownParameters, StateOf
from streametrics.api.openapi import problems
from streametrics.api.service_status import ServiceStatus

router = APIRouter(prefix="/v1", tags=["service"], dependencies=[KnownParameters])


@router.get(
    "/status",
    summary="How the service is: readiness, workers, queues, disk and model server",
    operation_id="getServiceStatus",
    response_model=ServiceStatus,
    responses=problems(401, 403, 503, reasons={503: "The keys cannot be read, as the database is away."}),
)
async def get_service_status(state: StateOf) -> ServiceStatus:
    return await state.service_status.read()
