"""What a poll is measured against: a FastAPI route that makes one Redis read and returns the bytes.

    python -m benchmarks.bare_route PORT REDIS_URL

The same server with the same options as ours (uvloop, httptools, no log of requests), and nothing around the route.
"""

import sys

import redis.asyncio
import uvicorn
from fastapi import FastAPI, Response

PREFIX = "benchmark:body:"


def create_app(redis_url: str) -> FastAPI:
    """One route."""
    app = FastAPI()
    client = redis.asyncio.Redis.from_url(redis_url)

    @app.get("/summarize/status/{task_id}")
    async def status(task_id: str) -> Response:
        return Response(await client.get(PREFIX + task_id), media_type="application/json")

    return app


if __name__ == "__main__":
    uvicorn.run(
        create_app(sys.argv[2]),
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        log_config=None,
        access_log=False,
        server_header=False,
    )
