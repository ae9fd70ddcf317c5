"""The API fuzzed from its own description by Schemathesis: all checks, stateful, with and without a key."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.stack import stack

KEY = "the operator's own key, long enough"

#: Checks that the contract of `/summarize/` contradicts, each with its reason.
NOT_OURS = {
    "use_after_free": "a job that was ended by DELETE goes on answering, as `cancelled`, and 410 once it is erased",
}

#: 410 is the right answer to a valid request for a result that was erased.
CONFIGURATION = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "3xx", 401, 403, 404, 409, 410, 429, "5xx"]
"""


@pytest.mark.parametrize("key", ["", KEY], ids=["without a key", "with a key"])
def test_the_api_is_what_its_description_says(key: str, tmp_path: Path) -> None:
    # Given the real processes, with much room, so that a refusal is about the request
    with stack(tmp_path, INTERNAL_API_KEY=key, MAX_WAITING="100000") as service:
        service.start_all()
        url = f"{service.url}/openapi.json"
        headers = {"X-API-Key": key} if key else {}
        # When it is fuzzed
        (tmp_path / "schemathesis.toml").write_text(CONFIGURATION)
        command = [str(Path(sys.executable).parent / "schemathesis"), "run", url, "--checks", "all"]
        command += ["--exclude-checks", ",".join(NOT_OURS), "--phases", "examples,coverage,fuzzing,stateful"]
        command += ["--max-examples", "25", "--seed", "1", "--generation-database", "none"]
        command += ["--suppress-health-check", "all", "--no-color", "--request-timeout", "60"]
        if not key:
            command += ["--exclude-operation-id", "createKey"]  # the first key would close the door to all that follows
        for name, value in headers.items():
            command += ["-H", f"{name}:{value}"]
        root = Path(__file__).parent.parent.parent
        hooks = {"SCHEMATHESIS_HOOKS": "tests.security.openapi_hooks", "PYTHONPATH": str(root)}
        finished = subprocess.run(
            command, env={**os.environ, **hooks}, cwd=tmp_path, capture_output=True, text=True, timeout=400
        )
        # Expect no answer that the description does not know, no crash, and no error in the service's log
        print(finished.stdout[-3000:])
        assert finished.returncode == 0, finished.stdout[-12_000:] + finished.stderr[-2_000:]
        assert "unexpected error" not in service.log()
