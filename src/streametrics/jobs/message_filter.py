"""Checks messages as they come out of Redis, before Celery and kombu act on them.

Whoever can write to the queue could else have a worker run any task with any arguments and limits, or end it by a
message of another form. A task message says two things, which task and which job, and only these are taken from it.
"""

import base64
import json
import re
import uuid
from typing import Any

from streametrics.domain.job import QueueName, Stage

#: The tasks that each queue is for.
TASKS = {Stage.TRANSCRIBE: "streametrics.transcribe", Stage.SUMMARIZE: "streametrics.summarise"}
INCREMENTAL_NOTES = "streametrics.write_ahead"
_TASKS_OF: dict[str, tuple[str, ...]] = {
    QueueName.LIVE: (TASKS[Stage.TRANSCRIBE],),
    QueueName.LONG: (TASKS[Stage.TRANSCRIBE],),
    QueueName.SUMMARIZE: (TASKS[Stage.SUMMARIZE], INCREMENTAL_NOTES),
}
_ID = re.compile(r"[A-Za-z0-9_.-]{1,200}")
#: What reading a value that may be anything raises.
GARBAGE = (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError)


def task_message(raw: Any, queue: str) -> dict[str, Any]:  # noqa: ANN401
    """Make a task message anew out of what a queue held. Raises one of `GARBAGE` where it is none of ours."""
    headers, properties = _entry(raw, "headers"), _entry(raw, "properties")
    [[task_id], *_] = _body(raw)
    task, message_id = headers["task"], headers["id"]
    if task not in _TASKS_OF[queue] or not _is_id(task_id) or not _is_id(message_id):
        raise ValueError("no task message of ours")
    tag = properties.get("delivery_tag")
    return {
        "body": base64.b64encode(json.dumps([[task_id], {}, _NOTHING_AFTERWARDS]).encode()).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {
            **{"lang": "py", "task": task, "id": message_id, "root_id": message_id, "parent_id": None},
            **{"shadow": None, "eta": None, "expires": None, "group": None, "group_index": None},
            **{"retries": 0, "timelimit": [None, None], "ignore_result": True, "replaced_task_nesting": 0},
            **{"argsrepr": repr([task_id]), "kwargsrepr": "{}", "stamped_headers": None, "stamps": {}},
            "origin": headers["origin"] if _is_id(str(headers.get("origin")).replace("@", ".")) else None,
        },
        "properties": {
            **{"correlation_id": message_id, "reply_to": "", "delivery_mode": 2, "priority": 0},
            "delivery_info": {"exchange": "", "routing_key": queue},
            "body_encoding": "base64",
            "delivery_tag": tag if _is_id(tag) else str(uuid.uuid4()),
        },
    }


_NOTHING_AFTERWARDS = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}


def require_readable(raw: Any, *, is_command: bool) -> None:  # noqa: ANN401
    """Check a message of another kind: a remote command, its reply, an event. Raises one of `GARBAGE`."""
    properties = _entry(raw, "properties")
    delivery = _entry(properties, "delivery_info")
    texts = (properties["delivery_tag"], delivery["exchange"], delivery["routing_key"])
    if not all(isinstance(text, str) for text in texts) or not isinstance(raw.get("headers") or {}, dict):
        raise TypeError("no message")
    match _body(raw):
        case {"method": str()} as body if isinstance(body.get("arguments") or {}, dict):
            return
        case dict() | list() if not is_command:
            return
    raise TypeError("no message")


def _body(raw: Any) -> Any:  # noqa: ANN401 - whatever JSON it is
    if raw["content-type"] != "application/json" or raw["properties"]["body_encoding"] != "base64":
        raise ValueError("not JSON")
    return json.loads(base64.b64decode(raw["body"], validate=True))


def _entry(value: Any, name: str) -> dict[str, Any]:  # noqa: ANN401
    if not isinstance(value, dict) or not isinstance(value.get(name), dict):
        raise TypeError(f"no {name}")
    found: dict[str, Any] = value[name]
    return found


def _is_id(value: object) -> bool:
    return isinstance(value, str) and _ID.fullmatch(value) is not None
