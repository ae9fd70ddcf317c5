"""`/docs` and `/redoc` in the real service: from this machine alone, with and without keys; and HEAD."""

import re
from collections.abc import Iterator

import pytest
import requests

from tests.support.stack import Stack, stack

KEY = "the operator's own key, long enough"
PAGES = ("/docs", "/redoc")


def ask(service: Stack, method: str, path: str, **headers: str) -> requests.Response:
    return requests.request(method, service.url + path, headers=headers, timeout=30, allow_redirects=False)


@pytest.fixture(scope="module", params=["", KEY], ids=["without a key", "with a key"])
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with stack(tmp_path_factory.mktemp("docs"), INTERNAL_API_KEY=request.param) as made:
        made.start_api()
        yield made


def test_the_pages_load_nothing_from_elsewhere(service: Stack) -> None:
    for path in PAGES:
        page = ask(service, "GET", path)
        assert page.status_code == 200
        assert page.headers["Content-Type"].startswith("text/html")
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
        # Expect every address in it to lead to us, to be there, and to be what it is used for
        loaded = re.findall(r'(src|href)="([^"]+)"', page.text)
        assert [address for _, address in loaded if "//" in address] == []
        assets = [(kind, address) for kind, address in loaded if address != "data:,"]
        assert assets
        for kind, address in assets:
            asset = ask(service, "GET", f"/{address}")
            assert asset.status_code == 200
            assert asset.headers["Content-Type"].startswith("text/javascript" if kind == "src" else "text/css")
            # Nor may a script ask for a picture of its maker's, whatever the policy says then
            assert b"cdn.redoc" not in asset.content
            assert ask(service, "GET", f"/{address}", **{"If-None-Match": asset.headers["ETag"]}).content == b""
    assert ask(service, "GET", "/openapi.json").json()["components"]["schemas"]["Result"]


@pytest.mark.parametrize("name", ["..%2f..%2fapp.py", "../routes/docs.py", "__init__.py", "%00", ""])
def test_no_other_file_can_be_asked_for(name: str, service: Stack) -> None:
    answer = requests.Request("GET", service.url).prepare()
    answer.url = f"{service.url}/docs/assets/{name}"
    with requests.Session() as session:
        status = session.send(answer, timeout=30).status_code
    assert status in (401, 403, 404)


def test_head_is_answered_as_get_without_the_body(service: Stack) -> None:
    key = service.settings["INTERNAL_API_KEY"]
    headers = {"X-API-Key": key} if key else {}
    unknown = "/summarize/status/3a6e1f6e-0000-4000-8000-000000000000"
    for path in ("/", "/health/live", "/health/ready", *PAGES, "/openapi.json", unknown, "/metrics", "/nothing"):
        got, head = (ask(service, method, path, **headers) for method in ("GET", "HEAD"))
        assert (head.status_code, head.content) == (got.status_code, b""), path
        assert head.headers["Content-Type"] == got.headers["Content-Type"], path
        if path not in ("/metrics", "/health/ready"):  # these tell something else each time
            assert head.headers["Content-Length"] == got.headers["Content-Length"] == str(len(got.content)), path
    assert ask(service, "HEAD", "/metrics").status_code == (401 if key else 200)
    assert ask(service, "HEAD", "/summarize/", **headers).status_code == 405


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/v1/jobs/x", "DELETE, GET, HEAD"),
        ("PUT", "/v1/jobs", "GET, HEAD, POST"),
        ("GET", "/summarize/x", "DELETE"),
        ("GET", "/summarize/", "POST"),
        ("DELETE", "/health/live", "GET, HEAD"),
        ("POST", "/docs/assets/swagger.js", "GET, HEAD"),
    ],
)
def test_a_method_that_is_not_allowed_is_told_which_are(method: str, path: str, allowed: str, service: Stack) -> None:
    key = service.settings["INTERNAL_API_KEY"]
    answer = ask(service, method, path, **({"X-API-Key": key} if key else {}))
    assert (answer.status_code, answer.headers["Allow"]) == (405, allowed)
