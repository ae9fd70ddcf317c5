"""What real jobs leave on the metrics page."""

import requests
from prometheus_client.parser import text_string_to_metric_families

from tests.support.media import plain_wav, tone
from tests.support.stack import Stack, until

CHUNK = plain_wav(tone(3.0, 16_000), 16_000)


def page(stack: Stack) -> dict[str, float]:
    response = requests.get(f"{stack.url}/metrics", timeout=10)
    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith("text/plain; version=")
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(response.text):
        for sample in family.samples:
            found["|".join((sample.name, *(value for _, value in sorted(sample.labels.items()))))] = sample.value
    return found


def test_jobs_move_the_numbers_whichever_process_saw_them(service: Stack) -> None:
    before = page(service)
    wanted = {
        "streametrics_jobs_accepted_total|live": 2,
        "streametrics_jobs_ended_total||done": 2,
        "streametrics_jobs_erased_total": 1,
        "streametrics_uploads_refused_total|audio_unsupported": 1,
        "streametrics_uploads_refused_total|invalid_request": 1,
        "streametrics_audio_seconds_total": 6,
        "streametrics_stage_seconds_count|transcribe": 2,
        "streametrics_stage_seconds_count|summarize": 2,
        "streametrics_real_time_factor_count": 2,
    }

    task_ids = [service.submit(CHUNK) for _ in range(2)]
    for task_id in task_ids:
        service.finished(task_id)
    requests.delete(f"{service.url}/summarize/{task_ids[0]}", timeout=10)
    assert service.post(b"%PDF-1.7 is no sound at all" * 40).status_code == 415
    assert service.post(CHUNK, streamer=None).status_code == 422

    def moved() -> bool:
        now = page(service)
        return all(round(now.get(name, 0) - before.get(name, 0), 3) == by for name, by in wanted.items())

    until(moved, within_s=15, what="all processes have handed on what they counted")
    assert page(service)["streametrics_jobs_waiting|live"] == 0
    assert page(service)["streametrics_workers|true|transcribe"] >= 1


def test_waiting_and_cancelled_jobs_are_seen(fresh: Stack) -> None:
    fresh.start_api()
    task_ids = [fresh.submit(CHUNK) for _ in range(2)]
    until(lambda: page(fresh)["streametrics_jobs_waiting|live"] == 2, within_s=5, what="they are seen to wait")
    assert page(fresh)["streametrics_oldest_waiting_seconds|live"] > 0

    requests.delete(f"{fresh.url}/summarize/{task_ids[0]}", timeout=10)

    cancelled = "streametrics_jobs_ended_total|cancelled|error"
    until(lambda: page(fresh).get(cancelled) == 1, within_s=15, what="the cancel is counted")
    assert page(fresh)["streametrics_jobs_waiting|live"] == 1
