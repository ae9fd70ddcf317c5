"""What another account of this machine finds: private files, and a worker that obeys nobody without a password."""

import stat
from pathlib import Path

import psutil
import redis
from celery import Celery

from tests.support.media import plain_wav, tone
from tests.support.stack import Stack, database, redis_server, stack, until


def test_all_that_a_service_writes_is_for_its_account_alone(tmp_path: Path) -> None:
    with stack(tmp_path) as service:
        service.start_all()
        service.finished(service.submit(plain_wav(tone(1.0, 16_000), 16_000)))

        processes = [psutil.Process(each.pid) for each in service._processes]
        processes += [child for each in list(processes) for child in each.children(recursive=True)]
        umasks = {Path(f"/proc/{each.pid}/status").read_text().split("Umask:")[1].split()[0] for each in processes}
        written = [path for path in (tmp_path / "data").rglob("*") if not path.is_symlink()]
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in written}

    assert len(processes) >= 5  # an API, two workers, a child of one, and its decoder
    assert umasks == {"0077"}
    assert not {name: oct(mode) for name, mode in modes.items() if mode & 0o077}


def test_a_worker_on_a_queue_without_a_password_obeys_no_command(tmp_path: Path) -> None:
    with redis_server(tmp_path) as url, database(tmp_path) as database_url:
        with redis.Redis.from_url(url) as client:
            port, number = (client.connection_pool.connection_kwargs[name] for name in ("port", "db"))
            client.config_set("requirepass", "")
        service = Stack(tmp_path, f"redis://127.0.0.1:{port}/{number}", database_url, {})
        try:
            worker = service.start_worker(pool="solo")
            with Celery(broker=service.redis_url) as stranger:
                # A command reaches those only that listen to them yet, some time after the worker's first heartbeat
                until(lambda: stranger.control.ping(timeout=0.5, limit=1), within_s=30, what="it listens to commands")
                stranger.control.shutdown()
                stranger.control.cancel_consumer("live")
                # Expect it to be there afterwards, and to answer questions
                [answer] = stranger.control.ping(timeout=5, limit=1)
                queues = stranger.control.inspect(timeout=5).active_queues()
                [refusal] = stranger.control.pool_grow(1, reply=True, timeout=5, limit=1)
            assert list(answer.values()) == [{"ok": "pong"}]
            assert list(refusal.values()) == [{"error": "refused, as the queue has no password"}]
            assert {queue["name"] for each in queues.values() for queue in each} == {"live", "long"}
            assert worker.poll() is None
        finally:
            service.stop()
