"""Routes that tell whether the service lives, and whether it can work. Open without a key.

Whoever can connect may ask them in a loop, so none takes a thread, and the checks run once a second at most.
"""

from fastapi import APIRouter, Request, Response

from streametrics.api.dependencies import StateOf
from streametrics.api.openapi import answered, refusals

READY_PATH = "/health/ready"

router = APIRouter()


@router.get("/", summary="A greeting", responses=refusals(403))
async def welcome() -> dict[str, str]:
    return {"message": "Welcome to StreaMetrics's API"}


@router.get("/health/live", summary="Whether the API process answers", responses=refusals(403))
async def live() -> dict[str, str]:
    return {"status": "live"}


@router.get(
    READY_PATH,
    summary="Whether jobs are taken and finished; 503 and the reason when not",
    responses=answered(503, "Not ready: `checks` says why.") | refusals(403),
)
async def ready(request: Request, state: StateOf) -> Response:
    answer = await state.health.answer(request.scope.get("client"))
    return Response(answer.body, status_code=answer.status_code, media_type="application/json")
