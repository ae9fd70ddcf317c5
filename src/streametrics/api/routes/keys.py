"""Routes of `/v1/keys`: keys are listed, made and revoked, as by the command `keys`, each within its own scope."""

from anyio import to_thread
from fastapi import APIRouter, Request, Response

from streametrics.api.dependencies import (
    MAX_PAGE,
    IdempotencyKey,
    KnownParameters,
    PageLimit,
    PlaceCursor,
    PrincipalOf,
    State,
    StateOf,
)
from streametrics.api.idempotency import call_of, replayed
from streametrics.api.json_body import body_of, checked, read_object
from streametrics.api.key_bodies import KeyList, KeyMade, KeyWanted, key_body, made_body
from streametrics.api.openapi import problems
from streametrics.api.paging import one_page, place_cursor, read_place
from streametrics.auth.api_keys import checked_name, digest_of, new_key
from streametrics.auth.key_rules import may_see_key, require_is_of_use, require_may_make, require_may_revoke
from streametrics.auth.principal import KeyRecord, NewKey, Principal, Scope
from streametrics.database.jobs import Place
from streametrics.errors import KeyUnknown

#: Room for a name, a scope and another name, however they are escaped.
MAX_BODY_BYTES = 4_000
_REASONS = {
    403: "A scope that is too small for this key, or a page or Host that may not call.",
    404: "There is no such key, or it is none of the caller's.",
    409: "There is a key of this name, or there are as many as the caller may make.",
    422: "A field is missing, too long or not valid.",
    503: "The database is away: nothing was changed.",
}

_SHOWN_BEFORE = (
    "The answer to the first of these calls held the key, and nothing keeps it: if it was lost, revoke this key "
    "and make another one."
)

router = APIRouter(prefix="/v1/keys", tags=["keys"], dependencies=[KnownParameters])


@router.get(
    "",
    summary="List keys, the oldest first: a `submit` key itself and what reads for it, an administrator all",
    operation_id="listKeys",
    response_model=KeyList,
    responses=problems(401, 403, 422, 503, reasons=_REASONS),
)
def list_keys(
    state: StateOf,
    principal: PrincipalOf,
    limit: PageLimit = MAX_PAGE,
    cursor: PlaceCursor = None,
) -> KeyList:
    after = None if cursor is None else read_place(cursor)
    found = state.keys.all()
    seen = sorted((record for record in found if may_see_key(principal, record)), key=_place)
    rest = [record for record in seen if after is None or _place(record) > after]
    page, cursor_behind = one_page(rest, limit, lambda record: place_cursor(_place(record)))
    return KeyList(data=[key_body(record, _names(found)) for record in page], next_cursor=cursor_behind)


@router.post(
    "",
    status_code=201,
    summary="Make a key; the answer holds it, this once",
    operation_id="createKey",
    response_model=KeyMade,
    responses=problems(401, 403, 404, 409, 422, 503, reasons=_REASONS),
    openapi_extra=body_of(KeyWanted),
)
async def create_key(
    request: Request,
    response: Response,
    state: StateOf,
    principal: PrincipalOf,
    idempotency_key: IdempotencyKey = None,
) -> KeyMade:
    wanted = checked(KeyWanted, await read_object(request, max_bytes=MAX_BODY_BYTES))
    scope = Scope(wanted.scope)
    require_may_make(principal, scope)
    reads_for = None if wanted.reads_for is None else checked_name(wanted.reads_for)
    key = new_key()
    made = NewKey(checked_name(wanted.name), scope, digest_of(key.encode()), reads_for)
    is_first = not await state.api_keys.has_keys()
    require_is_of_use(scope, reads_for=reads_for, is_first=is_first, is_admins=principal.scope is Scope.ADMIN)

    call = call_of("POST /v1/keys", idempotency_key, principal, wanted.model_dump())

    def add() -> tuple[str, bool, list[KeyRecord]]:
        key_id, is_replay = state.connections.idempotent_calls.once(
            call, lambda: state.keys.add(made, maker=principal, call=call)
        )
        return key_id, is_replay, state.keys.all()

    key_id, is_replay, found = await to_thread.run_sync(add, limiter=state.admission.writers)
    await state.api_keys.read_again()
    response.headers.update({"Cache-Control": "no-store", **replayed(is_replay)})
    record = next((record for record in found if record.key_id == key_id), None)
    if record is None:
        raise KeyUnknown("The key that this call made was revoked meanwhile.")
    if is_replay:
        return made_body(record, _names(found), None, _SHOWN_BEFORE)
    return made_body(record, _names(found), key, _note(record, is_first=is_first))


@router.delete(
    "/{key_id}",
    status_code=204,
    response_class=Response,
    summary="Revoke a key: it is refused from now on",
    operation_id="deleteKey",
    responses=problems(401, 403, 404, 422, 503, reasons=_REASONS),
)
async def delete_key(key_id: str, state: StateOf, principal: PrincipalOf) -> None:
    await to_thread.run_sync(_revoke, state, principal, key_id, limiter=state.admission.writers)
    await state.api_keys.read_again()


def _revoke(state: State, principal: Principal, key_id: str) -> None:
    record = next((record for record in state.keys.all() if record.key_id == key_id), None)
    if record is None or not may_see_key(principal, record):
        raise KeyUnknown
    require_may_revoke(principal, record)
    state.keys.remove(key_id, remover=principal)


def _note(record: KeyRecord, *, is_first: bool) -> str:
    note = "This is the only time that the key is shown: keep it now, as only its digest is stored."
    if is_first:
        note += " It is the first key: from now on every call needs one (X-API-Key: …)."
    return note


def _place(record: KeyRecord) -> Place:
    return Place(record.created_at, record.key_id)


def _names(records: list[KeyRecord]) -> dict[str, str]:
    return {record.key_id: record.name for record in records}
