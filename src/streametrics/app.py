"""Creates the FastAPI application: its routes, errors and middleware. Never imports an engine."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from anyio import to_thread
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect
from starlette.routing import Match, Mount

from streametrics import __version__
from streametrics.api import idempotency, problems, prometheus, rate_limit
from streametrics.api.dependencies import State
from streametrics.api.error_responses import error_response
from streametrics.api.middleware import fast_polling, request_id
from streametrics.api.middleware.authentication import AuthenticationMiddleware
from streametrics.api.middleware.head_requests import HeadMiddleware
from streametrics.api.middleware.trusted_origin import TrustedOriginMiddleware, allowed_origins
from streametrics.api.openapi import describe
from streametrics.api.readiness import ReadinessChecks
from streametrics.api.routes import (
    docs,
    job_chapters,
    job_submission,
    jobs,
    keys,
    markers,
    metrics,
    openai_audio,
    recaps,
    service_status,
    status,
    stream_control,
    streamers,
    streams,
    summarize,
)
from streametrics.api.routes import health as health_routes
from streametrics.api.routes import problems as problem_pages
from streametrics.api.service_status import ServiceStatusReader
from streametrics.auth.api_keys import ApiKeys
from streametrics.concurrency.ttl_cache import AsyncTtlCache
from streametrics.database.api_keys import KeyRecords
from streametrics.database.engine import Database
from streametrics.database.timeouts import ANSWERING
from streametrics.domain.status import error_body
from streametrics.errors import DatabaseUnavailable, FieldFault, InvalidRequest, StreametricsError, TooBusy
from streametrics.jobs.connections import Connections
from streametrics.jobs.joining import JoiningThread
from streametrics.jobs.maintenance import Maintenance
from streametrics.jobs.recaps import RecapService
from streametrics.jobs.service import JobService
from streametrics.jobs.stream_control import StreamControl
from streametrics.jobs.streamers import StreamerService
from streametrics.jobs.streams import StreamService
from streametrics.observability.metrics import REFUSED
from streametrics.redis.job_versions import JobVersionReader
from streametrics.settings import PRIVATE_UMASK, Settings
from streametrics.status.reader import StatusReader
from streametrics.summarization import factory as summarizer_factory
from streametrics.uploads.admission import Admission
from streametrics.uploads.receiver import UploadReceiver

logger = logging.getLogger(__name__)


def create_app(settings: Settings | None = None) -> FastAPI:
    """Create the application. The database has to be migrated already: only `up` and `api` do that."""
    settings = settings or Settings()
    # Of the same connections as all else: what one call has found out about the database, the next one knows.
    api_keys = ApiKeys(settings.internal_api_key, lambda: app.state.streametrics.keys.all())

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        os.umask(PRIVATE_UMASK)  # also where a server of one's own runs this application
        connections = Connections(settings, timeouts=ANSWERING)
        await to_thread.run_sync(connections.announce_service)
        job_service, streams_served = JobService(connections), StreamService(connections)
        control = StreamControl(connections, streams_served)
        version_reader = JobVersionReader(settings.effective_redis_url)
        status_reader = StatusReader(job_service, version_reader)
        admission = Admission(settings, connections.backlog.by_queue, connections.audio.free_bytes)
        health = ReadinessChecks(connections, summarizer_factory.create(settings))
        app.state.streametrics = State(
            connections=connections,
            jobs=job_service,
            streams=streams_served,
            recaps=RecapService(connections, streams_served),
            stream_control=control,
            streamers=StreamerService(connections, control),
            status_reader=status_reader,
            uploads=UploadReceiver(settings, connections.audio, admission),
            admission=admission,
            health=health,
            service_status=ServiceStatusReader(connections, health),
            api_keys=api_keys,
            keys=KeyRecords(connections.database),
            equal_requests=asyncio.Lock(),
            metrics_page=AsyncTtlCache(lambda: prometheus.page(connections), prometheus.PAGE_VALID_S),
        )
        await api_keys.has_keys()  # known from here on, also while the database is away
        _forget_changed_jobs(connections.database, app.state.streametrics.status_reader)
        maintenance, joining = Maintenance(connections), JoiningThread(connections)
        maintenance.start()
        joining.start()
        yield
        await to_thread.run_sync(joining.stop)
        await to_thread.run_sync(maintenance.stop)
        await status_reader.close()
        with suppress(DatabaseUnavailable):
            await to_thread.run_sync(connections.withdraw_service)
        await version_reader.close()
        connections.close()

    app = FastAPI(
        title="StreaMetrics API",
        version=__version__,
        lifespan=lifespan,
        redirect_slashes=False,
        docs_url=None,  # the framework's pages load scripts from elsewhere; `routes.docs` has ours
        redoc_url=None,
    )
    app.include_router(docs.router)
    app.include_router(problem_pages.router)
    app.mount(docs.ASSETS_PREFIX, docs.ASSETS)
    app.include_router(health_routes.router)
    app.include_router(metrics.router)
    app.include_router(status.router)
    app.include_router(summarize.router)
    app.include_router(job_submission.router)
    app.include_router(jobs.router)
    app.include_router(job_chapters.router)
    app.include_router(streams.router)
    app.include_router(recaps.router)
    app.include_router(stream_control.router)
    app.include_router(streamers.router)
    app.include_router(markers.router)
    app.include_router(openai_audio.router)
    app.include_router(keys.router)
    app.include_router(service_status.router)
    describe(app)
    app.add_exception_handler(StreametricsError, _render)
    app.add_exception_handler(ClientDisconnect, _render_disconnect)
    app.add_exception_handler(HTTPException, _render_http)
    app.add_exception_handler(RequestValidationError, _render_validation)
    app.add_exception_handler(Exception, _render_unexpected)
    _add_middleware(app, settings, api_keys)
    return app


def _forget_changed_jobs(database: Database, status_reader: StatusReader) -> None:
    """Let the reader forget what it told of jobs that this process erases, ends or changes, in its event loop."""
    loop = asyncio.get_running_loop()

    def forget(task_ids: frozenset[str] | None) -> None:
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(status_reader.forget, task_ids)

    database.listen(forget)


def _add_middleware(app: FastAPI, settings: Settings, api_keys: ApiKeys) -> None:
    # The last one added is the first to see a request.
    app.add_middleware(fast_polling.FastPollingMiddleware)
    app.add_middleware(HeadMiddleware)
    app.add_middleware(AuthenticationMiddleware, api_keys=api_keys)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=allowed_origins(settings),
        allow_methods=["GET", "POST", "PATCH", "DELETE"],
        allow_headers=["X-API-Key", "Authorization", "Content-Type", idempotency.HEADER],
        expose_headers=[
            "Retry-After",
            "Location",
            request_id.HEADER,
            idempotency.REPLAYED_HEADER,
            rate_limit.POLICY_HEADER,
            rate_limit.HEADER,
        ],
    )
    app.add_middleware(TrustedOriginMiddleware, settings=settings, api_keys=api_keys)
    app.add_middleware(request_id.RequestIdMiddleware)


async def _render(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, StreametricsError)
    if request.method == "POST" and request.url.path.rstrip("/") == "/summarize":
        request.app.state.streametrics.connections.metrics.count(REFUSED, error.code)
    answer = error_response(error, request.url.path)
    if isinstance(error, TooBusy) and problems.is_below(request.url.path):
        answer.headers.update(rate_limit.exhausted(request.app.state.streametrics))
    return answer


async def _render_disconnect(request: Request, error: Exception) -> JSONResponse:
    """Render that a body ended too soon, though hardly anybody is left to read it. Nothing was kept of it."""
    sentence = "The upload ended before its form did: send it again."
    return error_response(InvalidRequest(sentence), request.url.path)


async def _render_validation(request: Request, error: Exception) -> JSONResponse:
    """Render what is wrong with parameters that the framework checks; only routes below `/v1` have such."""
    assert isinstance(error, RequestValidationError)
    faults = [FieldFault(tuple(map(str, each["loc"][1:])), str(each["msg"])) for each in error.errors()]
    named = "; ".join(f"{'/'.join(fault.path)}: {fault.detail}".removeprefix(": ") for fault in faults)
    refused = InvalidRequest(f"This cannot be read. {named}.")
    refused.faults = tuple(faults)
    return error_response(refused, request.url.path)


async def _render_http(request: Request, error: Exception) -> JSONResponse:
    """Render the framework's own refusals, such as a path that does not exist."""
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = ", ".join(sorted(_allowed_methods(request)))
    refusal = problems.FrameworkRefusal(error.status_code, headers)
    if problems.is_below(request.url.path):
        return error_response(refusal, request.url.path)
    body = error_body(str(error.detail), refusal.code)
    return JSONResponse(body, status_code=error.status_code, headers=headers)


def _allowed_methods(request: Request) -> set[str]:
    """Find the methods of all routes at a request's path; the framework knows those of the first alone."""
    routes = [route for route in request.app.routes if not isinstance(route, Mount)]
    found = {
        method
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in routes)
    }
    # A mount has files to be read.
    return (found or {"GET"}) | ({"HEAD"} if "GET" in found or not found else set())


async def _render_unexpected(request: Request, error: Exception) -> JSONResponse:
    logger.error("unexpected error at %s", request.url.path, exc_info=error)
    sentence = "Something unexpected went wrong inside the service; its log says more."
    return error_response(StreametricsError(sentence), request.url.path)
