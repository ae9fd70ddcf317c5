"""How far the model server is: what the API sees of it, and what only those who call it know."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from streametrics.api.readiness import ReadinessChecks
from streametrics.cli import doctor
from streametrics.database.backlog import Backlog
from streametrics.domain.job import QueueName, Stage
from streametrics.jobs.connections import Connections
from streametrics.llm.base import Condition, ModelHealth
from streametrics.redis.worker_registry import RegisteredWorker
from streametrics.settings import Settings
from streametrics.summarization.fake import FakeSummarizer
from tests.support.model_server import ModelServer, closed_port, states

NOTHING = dict.fromkeys(QueueName, Backlog())
IDLE = dict.fromkeys(Stage, 0)


def ready(
    seen: Condition,
    *known: Condition,
    fallback: str = "extractive",
    waiting: dict[QueueName, Backlog] = NOTHING,
    in_work: dict[Stage, int] = IDLE,
) -> dict[str, Any]:
    """The body of `/health/ready` where everything else is well."""
    workers = [
        RegisteredWorker("t", "transcribe", True, {}),
        RegisteredWorker("s", "summarize", True, {}),
        *(
            RegisteredWorker(
                f"s{number}", "summarize", True, {"model_server": each, "model_server_detail": "They know."}
            )
            for number, each in enumerate(known)
        ),
    ]
    held = SimpleNamespace(
        settings=Settings(_env_file=None, summary_fallback=fallback),
        registry=SimpleNamespace(workers=lambda: workers, other_service=None),
        redis=SimpleNamespace(answers=lambda: True),
        database=SimpleNamespace(require_whole=lambda: None),
        audio=SimpleNamespace(require_usable=lambda: None),
        backlog=SimpleNamespace(by_queue=lambda: waiting, in_work=lambda: in_work),
    )
    writer = FakeSummarizer(report=ModelHealth(seen, "It is seen."))
    _, body = ReadinessChecks(cast(Connections, held), writer).ready()
    return body


@pytest.mark.parametrize(
    ("seen", "known", "told", "ok"),
    [
        (Condition.UNREACHABLE, (Condition.WORKING,), Condition.UNREACHABLE, False),
        (Condition.MODEL_MISSING, (Condition.FAILING,), Condition.MODEL_MISSING, False),
        (Condition.COLD, (Condition.WORKING,), Condition.COLD, True),  # it has been started again since
        (Condition.COLD, (Condition.WARMING,), Condition.WARMING, True),
        (Condition.WARM, (), Condition.WARM, True),
        (Condition.WARM, (Condition.WARM, Condition.WORKING), Condition.WORKING, True),
        (Condition.WARM, (Condition.WORKING, Condition.FAILING), Condition.FAILING, False),
    ],
)
def test_what_is_seen_is_joined_with_what_workers_know(
    seen: Condition, known: tuple[Condition, ...], told: Condition, ok: bool
) -> None:
    check = ready(seen, *known)["checks"]["model_server"]
    assert (check["condition"], check["ok"]) == (told, ok)
    assert check["detail"] == ("It is seen." if told is seen else "They know.")


def test_readiness_says_warming_while_a_model_is_loaded() -> None:
    assert ready(Condition.COLD, Condition.WARMING)["status"] == "warming"
    assert ready(Condition.COLD)["status"] == "ready"
    assert ready(Condition.UNREACHABLE)["status"] == "ready"
    assert ready(Condition.UNREACHABLE, fallback="error")["status"] == "not_ready"


def test_a_worker_that_is_there_and_takes_nothing_is_not_ready() -> None:
    # Given work that waits for a minute, and the settings' 15 s before a lost message is sent again
    waiting = NOTHING | {QueueName.SUMMARIZE: Backlog(2, 55.0)}
    stuck = ready(Condition.WARM, waiting=waiting)
    assert stuck["status"] == "not_ready"
    assert stuck["checks"]["transcribe_worker"]["ok"]
    assert not stuck["checks"]["summarise_worker"]["ok"]
    assert "work waits for 55 s and nobody takes it" in stuck["checks"]["summarise_worker"]["detail"]
    # Expect a worker that is busy with something else, and one that had no time yet, to be ready
    assert ready(Condition.WARM, waiting=waiting, in_work=IDLE | {Stage.SUMMARIZE: 1})["status"] == "ready"
    assert ready(Condition.WARM, waiting=NOTHING | {QueueName.LIVE: Backlog(9, 29.0)})["status"] == "ready"


def test_one_that_is_between_two_jobs_at_the_first_look_is_ready() -> None:
    looks = iter([IDLE, IDLE | {Stage.TRANSCRIBE: 1}])
    held = SimpleNamespace(
        settings=Settings(_env_file=None),
        backlog=SimpleNamespace(
            by_queue=lambda: NOTHING | {QueueName.LONG: Backlog(5, 900.0)}, in_work=lambda: next(looks)
        ),
    )
    there = [RegisteredWorker("t", "transcribe", True, {})]
    assert ReadinessChecks(cast(Connections, held), FakeSummarizer())._worker(there, Stage.TRANSCRIBE)["ok"]


def look(url: str, **more: Any) -> doctor.Check:
    return doctor.model_server(Settings(_env_file=None, ollama_url=url, **more))


def test_the_doctor_tells_live_ready_warm_and_working_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "MODEL_TRIAL_S", 0.6)
    with closed_port() as url:
        away = look(url)
        assert (away.verdict, away.mend) == (
            doctor.Verdict.WARN,
            f"Ollama does not answer at {url}: start it with 'ollama serve'.",
        )
        assert look(url, summary_fallback="error").verdict is doctor.Verdict.FAIL
    with ModelServer(models=("other:latest",)) as server:
        assert "ollama pull mistral" in look(server.url).mend
    with ModelServer(loaded=False) as server:
        cold = look(server.url)
        assert cold.verdict is doctor.Verdict.OK
        assert "not in memory" in cold.detail
        assert server.chats() == []
    with ModelServer() as server:
        working = look(server.url)
        assert working.verdict is doctor.Verdict.OK
        assert "It wrote a word in" in working.detail
    # Given a server that lists its models and never writes
    with ModelServer(states.silent_before_headers) as server:
        stuck = look(server.url)
        assert (stuck.verdict, stuck.mend) == (doctor.Verdict.WARN, "see its log, or start it again")
        assert "writes nothing: The model server wrote nothing within" in stuck.detail
        assert len(server.chats()) == 1
        assert look(server.url, summary_fallback="error").verdict is doctor.Verdict.FAIL
