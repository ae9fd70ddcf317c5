"""Measures which engine is the fastest here: each transcribes the same clip in a process of its own.

`trial.ogg` is 26 s of speech: a sentence of John F. Kennedy's inaugural address of 1961, a work of the United States'
government and so in the public domain, and three of LibriVox's reading of "Sense and Sensibility", which is too.
"""

import json
import logging
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from streametrics.audio.decoder import AudioDecoder
from streametrics.audio.pcm import Samples, to_float32
from streametrics.settings import Settings
from streametrics.transcription import benchmark_cache, cpu
from streametrics.transcription import factory as transcriber_factory

#: An engine that needs longer than this to load and transcribe the clip is not taken, in seconds.
TIME_LIMIT_S = 60.0
#: The best of so many rounds counts, as other programs disturb.
ROUNDS = 2

logger = logging.getLogger(__name__)


def is_due(settings: Settings) -> bool:
    """Tell whether `auto` chooses between engines that were never measured on this machine."""
    return (
        settings.whisper_engine == "auto"
        and len(transcriber_factory.candidates(settings)) > 1
        and not transcriber_factory.measured(settings)
    )


def measure(settings: Settings) -> dict[str, float]:
    """Measure the seconds that each candidate takes for the clip, and save them; one that fails is left out."""
    seconds: dict[str, float] = {}
    for engine in transcriber_factory.candidates(settings):
        arguments = [sys.executable, "-P", "-m", __name__, engine, settings.whisper_model, str(settings.model_dir)]
        try:
            finished = subprocess.run(arguments, capture_output=True, text=True, timeout=TIME_LIMIT_S, check=True)
            seconds[engine] = float(json.loads(finished.stdout.splitlines()[-1]))
        except (subprocess.SubprocessError, OSError, ValueError, IndexError) as error:
            logger.warning("the engine '%s' could not be measured: %s", engine, error)
    if seconds:
        benchmark_cache.save(settings.model_dir, benchmark_cache.machine_fingerprint(cpu.available_cores()), seconds)
    return seconds


def clip() -> Samples:
    """Decode the clip. It is not repeated for length: that would look like a loop, and engines retry on loops."""
    with (
        AudioDecoder() as decoder,
        decoder.decode(Path(__file__).with_name("trial.ogg"), "ogg", max_audio_s=60, timeout_s=30) as blocks,
    ):
        return to_float32(np.concatenate(list(blocks)))


def main(engine: str, model: str, model_dir: str) -> None:
    """Run in the child process: load, transcribe, and print the seconds of the fastest round."""
    settings = Settings.model_validate({"whisper_engine": engine, "whisper_model": model, "model_dir": model_dir})
    samples = clip()
    transcriber = transcriber_factory.create(settings)
    rounds = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        transcriber.transcribe(samples, speech_language="en")
        rounds.append(time.perf_counter() - began)
    print(json.dumps(round(min(rounds), 3)))


if __name__ == "__main__":
    main(*sys.argv[1:4])
