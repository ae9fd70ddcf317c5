"""Provides the services that routes share, which `app` creates once."""

import asyncio
import re
from dataclasses import dataclass
from typing import Annotated, Literal, cast

from anyio import to_thread
from fastapi import Depends, Header, Query, Request

from streametrics.api import idempotency
from streametrics.api.readiness import ReadinessChecks
from streametrics.api.service_status import ServiceStatusReader
from streametrics.auth.api_keys import ApiKeys
from streametrics.auth.principal import Principal
from streametrics.concurrency.ttl_cache import AsyncTtlCache
from streametrics.database.api_keys import KeyRecords
from streametrics.errors import InvalidRequest
from streametrics.jobs.connections import Connections
from streametrics.jobs.recaps import RecapService
from streametrics.jobs.service import JobService
from streametrics.jobs.stream_control import StreamControl
from streametrics.jobs.streamers import StreamerService
from streametrics.jobs.streams import StreamService
from streametrics.status.reader import StatusReader
from streametrics.uploads.admission import Admission, IsRepetition
from streametrics.uploads.fields import FILE_FIELD
from streametrics.uploads.receiver import Fields, ReadFields, Upload, UploadReceiver

#: Of lists: the items of a page where nothing is said, and the most.
PAGE, MAX_PAGE = 20, 100
PageLimit = Annotated[int, Query(ge=1, le=MAX_PAGE, description="The most on one page.")]
#: Behind a place in a list by age.
PlaceCursor = Annotated[
    str | None,
    Query(max_length=200, description="`next_cursor` of the page before.", json_schema_extra={"format": "cursor"}),
]
#: Behind a number in a list.
NumberCursor = Annotated[
    str | None,
    Query(
        max_length=200, description="`next_cursor` of the page before.", json_schema_extra={"format": "number-cursor"}
    ),
]
#: Described as paths of their own: one answer of several types is more than generated clients can read.
HiddenFormat = Annotated[Literal["json", "txt", "srt", "vtt"], Query(include_in_schema=False)]
HiddenChapterFormat = Annotated[
    Literal["json", "youtube", "markdown", "vtt", "ffmetadata"], Query(include_in_schema=False)
]


@dataclass(frozen=True, slots=True)
class State:
    """The services behind the routes."""

    connections: Connections
    jobs: JobService
    streams: StreamService
    recaps: RecapService
    stream_control: StreamControl
    streamers: StreamerService
    status_reader: StatusReader
    uploads: UploadReceiver
    admission: Admission
    health: ReadinessChecks
    service_status: ServiceStatusReader
    api_keys: ApiKeys
    keys: KeyRecords
    #: Held while a request looks for an equal one and makes its job.
    equal_requests: asyncio.Lock
    #: The page that Prometheus reads.
    metrics_page: AsyncTtlCache[bytes]


# `async`, though nothing is waited for: the framework runs a plain function in a thread, for each request.
async def _state(request: Request) -> State:
    return cast(State, request.app.state.streametrics)


async def receive_upload(
    request: Request,
    state: State,
    read_fields: ReadFields[Fields],
    *,
    file_field: str = FILE_FIELD,
    wants_hash: bool = False,
    is_repetition: IsRepetition | None = None,
) -> Upload[Fields]:
    """Receive a request's upload; see `UploadReceiver.receive`. Raises what that raises, ClientDisconnect."""
    length = request.headers.get("content-length", "")
    return await state.uploads.receive(
        request.headers.get("content-type", ""),
        int(length) if re.fullmatch("[0-9]{1,100}", length) else None,
        request.stream(),
        file_field=file_field,
        read_fields=read_fields,
        wants_hash=wants_hash,
        is_repetition=is_repetition,
    )


def repetition_of(
    state: State, principal: Principal, route: str, key: str | None, *, tries_again: bool = False
) -> IsRepetition | None:
    """Make the question whether a call was carried out before; None where it has no key. See `JobService.is_made`."""
    if key is None:
        return None

    async def is_repetition() -> bool:
        return await to_thread.run_sync(
            lambda: state.jobs.is_made(principal.owner, route, key, tries_again=tries_again)
        )

    return is_repetition


StateOf = Annotated[State, Depends(_state)]


async def _principal(request: Request) -> Principal:
    principal = request.state.principal
    assert isinstance(principal, Principal)
    return principal


#: The principal of the request; `AuthenticationMiddleware` has put it there.
PrincipalOf = Annotated[Principal, Depends(_principal)]

_IdempotencyHeader = Annotated[
    str | None,
    Header(
        alias=idempotency.HEADER,
        min_length=1,
        max_length=255,
        pattern=r"^[!-~]+$",
        description="Of your own, new for each request that is not a repetition, such as a UUID. For a day the same "
        "request with the same key is carried out once, and its answer says `Idempotent-Replayed: true`.",
        json_schema_extra={"format": "idempotency-key"},
    ),
]


async def _idempotency_key(given: _IdempotencyHeader = None) -> str | None:
    return None if given is None else idempotency.bare(given)


#: The key, read before the body is: with quotation marks, as its draft has it, or without them, as most send it.
IdempotencyKey = Annotated[str | None, Depends(_idempotency_key)]


async def _refuse_unknown_parameters(request: Request) -> None:
    """Refuse parameters that the route does not know, such as a `format` that it has not. Raises InvalidRequest."""
    known = {field.alias for field in request.scope["route"].dependant.query_params}
    for name in request.query_params:
        if name not in known:
            there = f"{', '.join(sorted(known))} can be given" if known else "there are none"
            raise InvalidRequest(f"There is no parameter {name[:40]!r} at this address: {there}.")


#: A dependency of routers whose routes name all of their parameters.
KnownParameters = Depends(_refuse_unknown_parameters)
