"""An ordinary Celery tool sees our workers and tasks."""

import requests

from tests.support.media import plain_wav, tone
from tests.support.ports import free_port
from tests.support.stack import Stack, until


def test_flower_shows_the_tasks_of_a_job(fresh: Stack) -> None:
    port = free_port()
    fresh.settings["FLOWER_UNAUTHENTICATED_API"] = "true"
    fresh.start_all()
    fresh._start("flower", ["-m", "celery", "-A", "streametrics.celery_app", "flower", f"--port={port}"])

    def workers() -> set[str]:
        try:
            answer = requests.get(f"http://127.0.0.1:{port}/api/workers?refresh=1", timeout=10)
        except requests.ConnectionError:
            return set()
        return {name.split("@")[0] for name in answer.json()} if answer.ok else set()

    until(lambda: workers() >= {"transcribe", "summarise"}, within_s=60, what="Flower sees both workers")
    task_id = fresh.submit(plain_wav(tone(2.0, 16_000), 16_000))
    fresh.finished(task_id)

    def states() -> dict[str, str]:
        tasks = requests.get(f"http://127.0.0.1:{port}/api/tasks", timeout=10).json()
        return {task["name"]: task["state"] for uuid, task in tasks.items() if uuid.startswith(task_id)}

    done = {"streametrics.transcribe": "SUCCESS", "streametrics.summarise": "SUCCESS"}
    until(lambda: states() == done, within_s=20, what="Flower shows both tasks as successful")
