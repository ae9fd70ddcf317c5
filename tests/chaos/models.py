"""Row 10: a model server in every state that one gets into; the transcript is delivered in all."""

from pathlib import Path

from tests.chaos import journal
from tests.chaos.figures import Figure, all_of, none_of
from tests.chaos.form import Form
from tests.chaos.ledger import Ledger
from tests.chaos.load import status, submit
from tests.chaos.service import REAL, Service, service
from tests.chaos.sounds import sound
from tests.contract.test_summarizers import ENDINGS
from tests.support.model_server import ModelServer
from tests.support.stack import until

SETTINGS = {
    "SUMMARIZER": "ollama",
    "MISTRAL_TIMEOUT": "2.5",
    "MISTRAL_MAX_RETRIES": "2",
    "MISTRAL_RETRY_DELAY": "0.01",
    "BREAKER_FAILURES": "1000",
}


def run(form: Form, folder: Path) -> list[Figure]:
    """The scripts and their documented endings are those of the contract's tests; here the whole service meets them."""
    delivered, otherwise = 0, []
    with (
        ModelServer() as server,
        service(folder, OLLAMA_URL=server.url, **SETTINGS) as running,
        Ledger(folder / "ledger.jsonl") as ledger,
    ):
        running.add_api()
        running.add_worker("all", "solo", "live,long,summarise", app=REAL)
        running.wait_until_ready()
        for name, script, ending in ENDINGS:
            server.script(*script)
            body = _finished(running, ledger)
            result = body.get("result") or {}
            delivered += result.get("text") == "word0"
            if not _is(result, ending):
                codes = [warning["code"] for warning in result.get("warnings", [])]
                otherwise.append(f"{name}: {body.get('code') or codes or result.get('summary_source')}")
            form.progress(f"{name}: {body['status']}")
        verdict = ledger.judge(journal.read(running.database))
    states = len(ENDINGS)
    harm = verdict.lost + verdict.twice + verdict.changed + verdict.wrong
    return [
        all_of("10", "states of the model server in which the transcript is delivered", delivered, states),
        all_of("10", "states that end as documented", states - len(otherwise), states, "; ".join(otherwise)),
        none_of("10", "jobs lost, changed, doubled or failed by it", len(harm), states),
    ]


def _finished(running: Service, ledger: Ledger) -> dict[str, object]:
    task_id = submit(running, ledger, sound())

    def look() -> dict[str, object] | None:
        body = status(running, ledger, task_id)
        return body if body["status"] in ("done", "error") else None

    return until(look, within_s=120, what=f"job {task_id} ends")


def _is(result: dict[str, object], ending: str) -> bool:
    """An ending is a summary by the model, or the code of the warning on one without it."""
    warnings = [warning["code"] for warning in result.get("warnings", [])]
    if ending.endswith("."):
        return (result.get("summary"), result.get("summary_source"), warnings) == (ending, "ollama", [])
    return (result.get("summary_source"), warnings) == ("extractive", [ending])
