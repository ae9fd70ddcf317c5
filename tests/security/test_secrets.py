"""No secret in any log: keys right and wrong, in headers, addresses and forms, and the passwords of servers."""

import subprocess
import sys
from pathlib import Path

import redis
import requests

from tests.support.media import plain_wav, tone
from tests.support.stack import FIELDS, RedisServer, Stack, database

#: Each is looked for in everything that the processes write.
INTERNAL = "internal-key-of-the-operator"
WRONG = ("wrong-key-in-a-header", "wrong-key-of-a-bearer", "wrong-key-in-the-query", "wrong-key-in-a-form")
PASSWORD = "password-of-the-queue"
MODEL_KEY = "key-of-the-model-server"


def test_no_secret_is_in_any_log(tmp_path: Path) -> None:
    # Given a queue with a password, and a service that logs all it can and has every kind of key
    (tmp_path / "queue").mkdir()
    server = RedisServer(tmp_path / "queue")
    server.start()
    with redis.Redis.from_url(server.url) as client:
        port = client.connection_pool.connection_kwargs["port"]
        client.config_set("requirepass", PASSWORD)
    settings = {"INTERNAL_API_KEY": INTERNAL, "OPENAI_API_KEY": MODEL_KEY, "LOG_LEVEL": "DEBUG"}
    settings |= {"SUMMARIZER": "openai_compatible", "OPENAI_BASE_URL": "http://127.0.0.1:9/v1", "OPENAI_MODEL": "m"}
    url = f"redis://:{PASSWORD}@127.0.0.1:{port}/0"
    with database(tmp_path) as database_url:
        service = Stack(tmp_path, url, database_url, settings)
        try:
            given = added_key(service)
            service.start_all()
            call(service, given)
            # When the queue goes away, which everybody writes of
            server.stop()
            requests.get(f"{service.url}/health/ready", timeout=60)
            requests.post(f"{service.url}/summarize/", headers={"X-API-Key": INTERNAL}, timeout=60, **upload())
        finally:
            service.stop()
            server.stop()
    # Expect nothing of it in what they wrote
    written = service.log()
    assert "event=accepted" in written and len(written) > 10_000
    for secret in (INTERNAL, PASSWORD, MODEL_KEY, given, *WRONG):
        assert secret not in written, next(line for line in written.splitlines() if secret in line)


def added_key(service: Stack) -> str:
    finished = subprocess.run(
        [sys.executable, "-m", "streametrics", "keys", "add", "bot", "--scope", "submit"],
        env=service.environment(),
        cwd=service.folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return finished.stdout.strip()


def upload() -> dict[str, object]:
    return {"data": FIELDS, "files": {"audio": ("a.wav", plain_wav(tone(1.0, 16_000), 16_000))}}


def call(service: Stack, given: str) -> None:
    """Requests with right keys and wrong ones, wherever a client might put one."""
    target = f"{service.url}/summarize/"
    for key in (INTERNAL, given):
        answer = requests.post(target, headers={"X-API-Key": key}, timeout=60, **upload())  # type: ignore[arg-type]
        assert answer.status_code == 200
        status = f"{service.url}/summarize/status/{answer.json()['task_id']}"
        bearer = {"Authorization": f"Bearer {key}"}
        assert requests.get(status, headers=bearer, params={"api_key": key}, timeout=60).status_code == 200
    refused = [
        requests.get(target, headers={"X-API-Key": WRONG[0]}, timeout=60),
        requests.get(target, headers={"Authorization": f"Bearer {WRONG[1]}"}, timeout=60),
        requests.get(target, params={"key": WRONG[2], "X-API-Key": INTERNAL}, timeout=60),
        requests.post(target, data={"key": WRONG[3], "api_key": INTERNAL}, timeout=60),
        requests.get(f"{service.url}/nowhere", params={"key": given}, timeout=60),
    ]
    assert {answer.status_code for answer in refused} == {401}
    for answer in refused:
        assert not any(secret in answer.text for secret in (INTERNAL, given, *WRONG))
