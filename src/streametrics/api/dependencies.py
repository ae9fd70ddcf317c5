"""Provides the services that routes share, which `app` creates once."""

import asyncio
import re
from dataclasses import dataclass
from typing import Annotated, Any, cast

from fastapi import Depends, Request

from streametrics.api.readiness import ReadinessChecks
from streametrics.auth.principal import Principal
from streametrics.concurrency.ttl_cache import AsyncTtlCache
from streametrics.jobs.connections import Connections
from streametrics.jobs.service import JobService
from streametrics.jobs.streams import StreamService
from streametrics.status.reader import StatusReader
from streametrics.uploads.admission import Admission
from streametrics.uploads.receiver import Upload, UploadReceiver


@dataclass(frozen=True, slots=True)
class State:
    """The services behind the routes."""

    connections: Connections
    jobs: JobService
    streams: StreamService
    status_reader: StatusReader
    uploads: UploadReceiver
    admission: Admission
    health: ReadinessChecks
    #: Held while a request looks for an equal one and makes its job.
    equal_requests: asyncio.Lock
    #: The page that Prometheus reads.
    metrics_page: AsyncTtlCache[bytes]


# `async`, though nothing is waited for: the framework runs a plain function in a thread, for each request.
async def _state(request: Request) -> State:
    return cast(State, request.app.state.streametrics)


async def receive_upload(request: Request, state: State, **how: Any) -> Upload:  # noqa: ANN401
    """Receive a request's upload; `how` is of `UploadReceiver.receive`. Raises what that raises, ClientDisconnect."""
    length = request.headers.get("content-length", "")
    return await state.uploads.receive(
        request.headers.get("content-type", ""),
        int(length) if re.fullmatch("[0-9]{1,100}", length) else None,
        request.stream(),
        **how,
    )


StateOf = Annotated[State, Depends(_state)]


async def _principal(request: Request) -> Principal:
    principal = request.state.principal
    assert isinstance(principal, Principal)
    return principal


#: The principal of the request; `AuthenticationMiddleware` has put it there.
PrincipalOf = Annotated[Principal, Depends(_principal)]
