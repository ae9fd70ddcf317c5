"""Whose key is it? The API keys with a clock of its own, and the rules of scopes and owners."""

import asyncio
import threading
import uuid
from itertools import pairwise

import pytest

from streametrics.api.middleware.authentication import wanted_scope
from streametrics.auth.api_keys import CACHE_TTL_S, ApiKeys, BadKeyName, checked_name, digest_of, new_key, one_form
from streametrics.auth.key_rules import may_see_key, require_may_make, require_may_revoke
from streametrics.auth.principal import LOCAL, KeyRecord, Principal, Scope, may_see
from streametrics.errors import DatabaseUnavailable, ScopeTooSmall, Unauthorized

KEY = "sm_one"


def record(key: str, *, scope: Scope = Scope.SUBMIT, owner: str = "ada") -> KeyRecord:
    return KeyRecord(str(uuid.uuid4()), "name", scope, owner, digest_of(key.encode()), 0.0)


class Store:
    """A database of keys that counts how often it is read, and may be away."""

    def __init__(self, *records: KeyRecord) -> None:
        self.records = list(records)
        self.reads = 0
        self.away = False
        self.now = 0.0

    def load(self) -> list[KeyRecord]:
        self.reads += 1
        if self.away:
            raise DatabaseUnavailable
        return list(self.records)

    def api_keys(self, internal: str = "") -> ApiKeys:
        return ApiKeys(internal, self.load, clock=lambda: self.now)


def principal(api_keys: ApiKeys, key: str | None) -> Principal:
    return asyncio.run(api_keys.principal(None if key is None else key.encode()))


def test_without_any_key_everybody_on_this_machine_may_do_everything() -> None:
    assert principal(Store().api_keys(), None) == LOCAL
    assert principal(Store().api_keys(), "whatever") == LOCAL


def test_a_key_is_found_and_a_wrong_one_is_not() -> None:
    api_keys = Store(record(KEY)).api_keys("internal")
    assert principal(api_keys, KEY) == Principal("ada", Scope.SUBMIT)
    assert principal(api_keys, "internal") == Principal("local", Scope.ADMIN)
    for wrong in (None, "", "sm_", KEY + " ", digest_of(KEY.encode()), "ada"):
        with pytest.raises(Unauthorized):
            principal(api_keys, wrong)


def test_a_thousand_requests_are_one_query_and_a_removal_counts_soon() -> None:
    store = Store(record(KEY))
    api_keys = store.api_keys()

    async def ask_often() -> None:
        await asyncio.gather(*(api_keys.principal(KEY.encode()) for _ in range(1000)))

    asyncio.run(ask_often())
    assert store.reads == 1
    store.records = [record("another")]
    store.now += CACHE_TTL_S
    with pytest.raises(Unauthorized):
        principal(api_keys, KEY)
    assert store.reads == 2


def test_a_change_that_this_process_makes_counts_at_once() -> None:
    store = Store(record(KEY))
    api_keys = store.api_keys()

    async def change() -> None:
        await api_keys.principal(KEY.encode())
        store.records = [record("another")]
        await api_keys.read_again()

    asyncio.run(change())
    with pytest.raises(Unauthorized):
        principal(api_keys, KEY)
    assert principal(api_keys, "another").owner == "ada"


def test_a_load_that_began_before_a_change_does_not_bring_a_removed_key_back() -> None:
    # Given a load of the keys that hangs
    store = Store(record(KEY))
    began, may_end = threading.Event(), threading.Event()

    def load_slowly() -> list[KeyRecord]:
        found = store.load()
        if store.reads == 1:
            began.set()
            assert may_end.wait(timeout=30)
        return found

    api_keys = ApiKeys("", load_slowly, clock=lambda: 0.0)

    async def change() -> None:
        early = asyncio.create_task(api_keys.principal(KEY.encode()))
        assert await asyncio.to_thread(began.wait, 30)
        # When the key is removed meanwhile, and the load ends after that
        store.records = [record("another")]
        await api_keys.read_again()
        may_end.set()
        assert (await early).owner == "ada"
        # Expect later requests to go by what is known since
        with pytest.raises(Unauthorized):
            await api_keys.principal(KEY.encode())

    asyncio.run(change())


NAMES = ["bot", "Zoë 🎮", "配信者", "مُذيع", "बॉट", "می\u200cخواهم", "👩\u200d🔬", "Ελλη", "ผู้ประกาศ", "x" * 64]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_may_be_of_any_script(name: str) -> None:
    assert checked_name(name) == one_form(name)


@pytest.mark.parametrize(
    "name", ["", " ", " a", "a ", "a\nb", "a\x00", "a\u202eb", "\ud800", "bot\u200c", "bo\u200dt", "x" * 65, "x" * 1000]
)
def test_a_name_that_nobody_can_read_is_refused(name: str) -> None:
    with pytest.raises(BadKeyName):
        checked_name(name)


def test_two_spellings_of_an_accent_are_one_name() -> None:
    assert checked_name("cafe\u0301") == checked_name("caf\u00e9")


def key_of(scope: Scope, owner: str, key_id: str = "k") -> KeyRecord:
    return KeyRecord(key_id, "name", scope, owner, "", 0.0)


def test_a_key_sees_itself_and_what_reads_for_it() -> None:
    ada, root = Principal("ada", Scope.SUBMIT, "ada"), Principal("root", Scope.ADMIN, "root")
    seen = [key_of(Scope.SUBMIT, "ada", "ada"), key_of(Scope.READ, "ada")]
    unseen = [key_of(Scope.SUBMIT, "ada", "second"), key_of(Scope.READ, "bob"), key_of(Scope.ADMIN, "root", "root")]
    assert [may_see_key(ada, record) for record in seen + unseen] == [True, True, False, False, False]
    assert all(may_see_key(root, record) for record in seen + unseen)
    assert all(may_see_key(LOCAL, record) for record in seen + unseen)


def test_no_key_raises_a_scope() -> None:
    ada = Principal("ada", Scope.SUBMIT, "ada")
    require_may_make(ada, Scope.READ)
    require_may_revoke(ada, key_of(Scope.READ, "ada"))
    for scope in (Scope.SUBMIT, Scope.ADMIN):
        with pytest.raises(ScopeTooSmall):
            require_may_make(ada, scope)
        with pytest.raises(ScopeTooSmall):
            require_may_revoke(ada, key_of(scope, "ada"))
        require_may_make(LOCAL, scope)


def test_what_was_known_holds_while_the_database_is_away() -> None:
    store = Store(record(KEY))
    api_keys = store.api_keys()
    principal(api_keys, KEY)
    store.away, store.now = True, 100.0
    assert principal(api_keys, KEY).owner == "ada"
    with pytest.raises(Unauthorized):
        principal(api_keys, None)


def test_nobody_gets_in_while_the_keys_were_never_read() -> None:
    store = Store()
    store.away = True
    for key in (None, KEY):
        with pytest.raises(DatabaseUnavailable):
            principal(store.api_keys(), key)


def test_keys_and_ids_cannot_be_guessed() -> None:
    made = [new_key() for _ in range(1000)]
    assert len(set(made)) == 1000
    assert all(len(key.removeprefix("sm_")) >= 43 for key in made)  # 32 bytes, six bits a character


def test_scopes_grow() -> None:
    for smaller, larger in pairwise(Scope):
        assert larger.allows(smaller) and not smaller.allows(larger)


@pytest.mark.parametrize(
    ("method", "path", "wanted"),
    [
        ("GET", "/", None),
        ("GET", "/health/ready", None),
        ("POST", "/summarize", Scope.SUBMIT),
        ("POST", "/summarize/", Scope.SUBMIT),
        ("POST", "/summarize/x/resummarize", Scope.SUBMIT),
        ("DELETE", "/summarize/x", Scope.SUBMIT),
        ("BREW", "/summarize/x", Scope.SUBMIT),
        ("GET", "/summarize/status/x", Scope.READ),
        ("GET", "/metrics", Scope.ADMIN),
        ("GET", "/docs", None),
        ("GET", "/redoc", None),
        ("GET", "/openapi.json", None),
        ("GET", "/docs/assets/swagger.js", None),
        ("GET", "/docs/assets", Scope.ADMIN),
        ("GET", "/problems/job_unknown", None),
        ("GET", "/problems", Scope.ADMIN),
        ("GET", "/v1/jobs", Scope.READ),
        ("HEAD", "/v1/jobs/x/transcript", Scope.READ),
        ("DELETE", "/v1/jobs/x", Scope.SUBMIT),
        ("GET", "/v1/jobsx", Scope.ADMIN),
        ("GET", "/v1/keys", Scope.SUBMIT),
        ("DELETE", "/v1/keys/x", Scope.SUBMIT),
        ("GET", "/v1/keysx", Scope.ADMIN),
        ("GET", "/v1/status", Scope.READ),
        ("GET", "/v1/status/", Scope.ADMIN),
        ("GET", "/docs/", Scope.ADMIN),
        ("GET", "/docs/oauth2-redirect", Scope.ADMIN),
        # Neither a beginning nor another spelling opens what is closed.
        ("GET", "/health/live/", Scope.ADMIN),
        ("GET", "//", Scope.ADMIN),
        ("GET", "//health/live", Scope.ADMIN),
        ("GET", "/health", Scope.ADMIN),
        ("GET", "/Health/live", Scope.ADMIN),
        ("GET", "/health/live/../../metrics", Scope.ADMIN),
        ("GET", "/summarizer", Scope.ADMIN),
        ("GET", "", Scope.ADMIN),
    ],
)
def test_every_path_wants_a_scope(method: str, path: str, wanted: Scope | None) -> None:
    assert wanted_scope(method, path) == wanted


def test_a_job_is_its_owners_and_the_administrators() -> None:
    assert may_see(Principal("ada", Scope.READ), "ada")
    assert may_see(Principal("root", Scope.ADMIN), "ada")
    assert not may_see(Principal("bob", Scope.SUBMIT), "ada")
    assert not may_see(Principal("ada", Scope.SUBMIT), "local")
