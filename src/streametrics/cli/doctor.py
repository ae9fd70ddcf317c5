"""Runs `python -m streametrics doctor`: checks everything that a job needs, and says how to mend what fails."""

import json
import shutil
import sys
import tempfile
import time
import wave
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from enum import StrEnum
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from streametrics.errors import StreametricsError, SummarizerError, SummaryUnusable
from streametrics.net import urls
from streametrics.preflight import broker, checks, ports, settings_errors
from streametrics.preflight import checks as self_check
from streametrics.settings import Settings
from streametrics.supervisor import embedded_valkey, readiness_probe

#: Less free space than this above what uploads leave free is worth a word, in bytes.
LOW_DISK_BYTES = 1_500_000_000
#: The sound that the decoder is tried with, in seconds.
PROBE_S = 0.5
#: How long the model may take for a word, in seconds: it is in memory, and may be busy with another's summary.
MODEL_TRIAL_S = 30.0


class Verdict(StrEnum):
    OK = "OK"
    WARN = "WARN"  #: it works, and something should be known
    FAIL = "FAIL"  #: jobs cannot be finished like this


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check. `mend` says what to do, and is empty where nothing is to be done."""

    name: str
    verdict: Verdict
    detail: str
    mend: str = ""


def main(*, as_json: bool) -> int:
    """Print every check; returns 1 where one failed."""
    checks = examine()
    if as_json:
        print(json.dumps([asdict(check) for check in checks], indent=2))
    else:
        for check in checks:
            print(f"{check.verdict:<5} {check.name:<10} {check.detail}")
            if check.mend:
                print(f"{'':<16} -> {check.mend}")
    return int(any(check.verdict is Verdict.FAIL for check in checks))


def examine() -> list[Check]:
    """Run every check, in the order in which a start meets it."""
    checks = [guarded("python", python), guarded("packages", packages)]
    try:
        settings = settings_errors.load_settings()
    except StreametricsError as error:
        return [*checks, Check("settings", Verdict.FAIL, str(error), "correct it in the environment or in .env")]
    checks.append(guarded("settings", lambda: settings_check(settings)))
    if checks[-1].verdict is Verdict.FAIL:
        return checks
    looks: dict[str, Callable[[Settings], Check]] = {
        "disk": disk,
        "database": database,
        "queue": queue,
        "weights": weights_check,
        "engine": engine,
        "decoder": decoder,
        "summary": model_server,
        "port": port,
    }
    return checks + [guarded(name, lambda look=look: look(settings)) for name, look in looks.items()]  # type: ignore[misc]


def guarded(name: str, look: Callable[[], Check]) -> Check:
    """Run a check; one that raises has failed, and says what broke."""
    try:
        return look()
    except StreametricsError as error:
        return Check(name, Verdict.FAIL, str(error))
    except Exception as error:  # noqa: BLE001 - whatever breaks is what this command is there to show
        return Check(name, Verdict.FAIL, f"{type(error).__name__}: {error}", "install again with ./start.sh")


def python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    return Check("python", Verdict.OK, f"{version} in {settings_errors.display(Path(sys.prefix))}")


def packages() -> Check:
    """Check that every requirement of ours is installed."""
    wrong = []
    for text in metadata.requires("streametrics-api") or []:
        requirement = Requirement(text)
        if requirement.marker is not None and not requirement.marker.evaluate():
            continue
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{requirement.name} is missing")
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            wrong.append(f"{requirement.name} {version} is not {requirement.specifier}")
    if wrong:
        return Check("packages", Verdict.FAIL, "; ".join(wrong), "run ./start.sh, or setup.bat on Windows")
    names = ("celery", "faster-whisper", "openai-whisper", "torch")
    return Check("packages", Verdict.OK, ", ".join(f"{name} {metadata.version(name)}" for name in names))


def settings_check(settings: Settings) -> Check:
    """Check what a start would refuse or warn of; the queue has a line of its own."""
    findings = [finding for finding in self_check.examine(settings) if not finding.about_queue]
    if refused := [finding.sentence for finding in findings if finding.refused]:
        return Check("settings", Verdict.FAIL, " ".join(refused), "correct it in the environment or in .env")
    warnings = [*checks.settings_warnings(), *(finding.sentence for finding in findings)]
    if warnings:
        return Check("settings", Verdict.WARN, " ".join(warnings), "correct it in .env")
    return Check("settings", Verdict.OK, "valid" + (", with .env" if Path(".env").is_file() else ""))


def disk(settings: Settings) -> Check:
    folder = settings.data_dir
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    detail = f"{free / 1e9:,.1f} GB free for {settings_errors.display(settings.data_dir)}"
    floor = settings.min_free_disk_mb * 1_000_000
    if free < floor + LOW_DISK_BYTES:
        verdict = Verdict.FAIL if free < floor else Verdict.WARN
        return Check("disk", verdict, detail, "free some space, or set DATA_DIR to a folder on a larger disk")
    return Check("disk", Verdict.OK, detail)


def database(settings: Settings) -> Check:
    from streametrics.database.address import require_usable

    file = settings.data_dir / "streametrics.db"
    if not settings.database_url and not file.exists():
        return Check("database", Verdict.OK, f"SQLite, made at the first start: {settings_errors.display(file)}")
    require_usable(settings.effective_database_url, setting=settings.database_setting)
    where = "PostgreSQL" if settings.database_url.startswith("postgres") else f"SQLite, {file.name}"
    return Check("database", Verdict.OK, f"{where}, answers and has its tables")


def queue(settings: Settings) -> Check:
    url = settings.effective_redis_url
    shown = urls.without_password(url)
    if ports.is_foreign_queue(settings):
        return Check("queue", Verdict.WARN, f"{shown} is another account's", "set REDIS_URL or QUEUE_PORT")
    if not broker.answers_now(url):
        if settings.redis_url:
            return Check("queue", Verdict.FAIL, f"{shown} does not answer", "start it, or correct REDIS_URL")
        embedded_valkey.binary()
        return Check("queue", Verdict.OK, f"none runs; ./start.sh starts the embedded Valkey at {shown}")
    found = broker.facts(url)
    detail = f"{found.software} {found.version} at {shown}, {found.maxmemory_policy}"
    if found.unsafe:
        return Check("queue", Verdict.FAIL, detail, found.unsafe)
    if found.warnings:
        return Check("queue", Verdict.WARN, detail, " ".join(found.warnings))
    return Check("queue", Verdict.OK, f"{detail}, kept on disk")


def weights_check(settings: Settings) -> Check:
    from streametrics.transcription import factory as transcriber_factory
    from streametrics.weights import cache as weights_cache

    model, wanted = (
        settings.whisper_model,
        transcriber_factory.weights_format(transcriber_factory.resolve_engine(settings)),
    )
    if wanted is None:
        return Check("weights", Verdict.OK, "none needed by the fake engine")
    if weights_cache.is_present(model, wanted, settings.model_dir, every_byte=True):
        return Check("weights", Verdict.OK, f"{model} ({wanted}) in {settings_errors.display(settings.model_dir)}")
    if model not in weights_cache.known_names():
        weights_cache.ensure(model, wanted, settings.model_dir)  # a path of one's own: says what is wrong with it
    mend = f"{settings_errors.display(Path(sys.executable))} -m streametrics weights fetch {model}"
    return Check(
        "weights", Verdict.WARN, f"{model} ({wanted}) is missing or damaged, and fetched at the next start", mend
    )


def engine(settings: Settings) -> Check:
    """Load the model and let it transcribe something."""
    from streametrics.transcription import factory as transcriber_factory
    from streametrics.transcription.base import warm

    if guarded("weights", lambda: weights_check(settings)).verdict is not Verdict.OK:
        return Check(
            "engine", Verdict.WARN, f"{transcriber_factory.resolve_engine(settings)}, not tried: no weights yet"
        )
    began = time.monotonic()
    transcriber = transcriber_factory.create(settings)
    warm(transcriber)
    taken_s = time.monotonic() - began
    return Check("engine", Verdict.OK, f"{transcriber.engine}, {transcriber.precision}, warm in {taken_s:.1f} s")


def decoder(settings: Settings) -> Check:
    from streametrics.audio import sniffing
    from streametrics.audio.decoder import AudioDecoder

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "probe.wav"
        with wave.open(str(file), "wb") as sound:
            sound.setnchannels(1)
            sound.setsampwidth(2)
            sound.setframerate(44_100)
            sound.writeframes(bytes(2 * int(44_100 * PROBE_S)))
        demuxer = sniffing.sniff(file.read_bytes()[: sniffing.HEAD_BYTES]) or "wav"
        with AudioDecoder() as child, child.decode(file, demuxer, max_audio_s=60, timeout_s=30) as decoding:
            heard_s = sum(block.size for block in decoding) / 16_000
    if abs(heard_s - PROBE_S) > 0.1:
        detail = f"{PROBE_S} s of sound came out as {heard_s:.2f} s"
        return Check("decoder", Verdict.FAIL, detail, "install the package 'av' again")
    return Check("decoder", Verdict.OK, f"PyAV {metadata.version('av')} decodes in its own process")


def model_server(settings: Settings) -> Check:
    """Check that the server answers, has the model, has it in memory, and writes: each is mended in another way."""
    from streametrics.llm.base import Condition
    from streametrics.summarization import factory as summarizer_factory

    health = summarizer_factory.create(settings).health()
    detail, mend = "", health.detail
    if health.has_model and not health.failing:
        if health.condition is not Condition.WARM:
            return Check("summary", Verdict.OK, health.detail)
        try:
            return Check("summary", Verdict.OK, f"{health.detail} It wrote a word in {_written_in_s(settings):.1f} s.")
        except SummarizerError as error:
            detail, mend = f": {health.detail} But it writes nothing: {error}", "see its log, or start it again"
    if settings.summary_fallback == "error":
        return Check("summary", Verdict.FAIL, f"SUMMARY_FALLBACK=error wants the model server{detail}", mend)
    return Check("summary", Verdict.WARN, f"summaries are extractive for the time being{detail}", mend)


def _written_in_s(settings: Settings) -> float:
    """Measure the seconds that the model needs for a word or two. Raises a SummarizerError."""
    from streametrics.llm import factory as chat_model_factory
    from streametrics.llm.base import Message

    once = settings.model_copy(update={"mistral_max_retries": 0, "mistral_timeout": MODEL_TRIAL_S})
    began = time.monotonic()
    with suppress(SummaryUnusable):  # it wrote, if only to itself
        chat_model_factory.create(once).chat([Message(role="user", content="Say yes.")], max_tokens=8)
    return time.monotonic() - began


def port(settings: Settings) -> Check:
    if ports.port_is_free(settings.host, settings.port):
        return Check("port", Verdict.OK, f"{settings.port} on {settings.host} is free")
    url = ports.local_url(settings)
    answer = readiness_probe.fetch(url)
    if answer is not None:
        detail = f"StreaMetrics answers at {url}: {answer.status}"
        if answer.status == "ready":
            return Check("port", Verdict.OK, detail)
        return Check("port", Verdict.WARN, detail, answer.waiting_for(tuple(answer.checks)))
    return Check(
        "port",
        Verdict.FAIL,
        f"{settings.port} on {settings.host} is used by something else",
        f"stop it, or set PORT={settings.port + 1}",
    )
