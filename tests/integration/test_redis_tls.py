"""A queue behind TLS: API, workers and Celery take `rediss://` with a certificate of one's own, and no other one."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from streametrics.preflight import broker
from tests.support.media import encode, tone
from tests.support.ports import free_port
from tests.support.stack import Stack, database, until


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `cert.pem`, which is its own authority's, and `key.pem`."""
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=DNS:localhost", "-keyout", "key.pem", "-out", "cert.pem"),
        ],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    return folder


@pytest.fixture(scope="module")
def address(certificate: Path) -> Iterator[str]:
    """The address of a Redis that speaks TLS alone, without options."""
    if shutil.which("redis-server") is None:
        assert not os.environ.get("CI"), "no redis-server"
        pytest.skip("no redis-server")
    port = free_port()
    command = ["redis-server", "--port", "0", "--tls-port", str(port), "--tls-auth-clients", "no", "--save", ""]
    command += ["--tls-cert-file", "cert.pem", "--tls-key-file", "key.pem"]
    with subprocess.Popen(command, cwd=certificate, stdout=subprocess.DEVNULL) as server:
        url = f"rediss://localhost:{port}/0"
        client = redis.Redis.from_url(f"{url}?ssl_cert_reqs=none")

        def answers() -> bool:
            with contextlib.suppress(redis.ConnectionError):
                return bool(client.ping())
            return False

        until(answers, within_s=10, what="Redis answers")
        client.close()
        yield url
        server.terminate()


def test_a_job_goes_through_a_queue_behind_tls(address: str, certificate: Path, tmp_path: Path) -> None:
    with database(tmp_path) as database_url:
        stack = Stack(tmp_path, f"{address}?ssl_ca_certs={certificate / 'cert.pem'}", database_url)
        try:
            stack.start_api()
            stack.start_worker(queues="live,long,summarise", pool="solo")
            # A poll reads the job's version in the event loop, by a client of its own
            status = stack.finished(stack.submit(encode(tone(1.0, 16_000), "wav")))
        finally:
            stack.stop()
        assert status["status"] == "done"
        assert "job versions not read" not in stack.log()


def test_a_certificate_that_nobody_knows_is_refused_with_what_to_set(address: str) -> None:
    with pytest.raises(broker.QueueNotTrusted, match=r"ssl_ca_certs=.*ssl_cert_reqs=none"):
        broker.answers(address)
    assert broker.answers(f"{address}?ssl_cert_reqs=none")


@pytest.mark.parametrize("url", ["foo", "http://localhost:6379", "rediss://localhost:1/0?ssl_cert_reqs=CERT_SOME"])
def test_what_is_no_address_is_said(url: str) -> None:
    with pytest.raises(broker.QueueAddressInvalid, match=r"^REDIS_URL=.* is no queue's address"):
        broker.require_address(url)
