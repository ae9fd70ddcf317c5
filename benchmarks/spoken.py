"""Labeled speech for the accuracy benchmark: real voices in five languages, joined into chunks as a stream has them.

The voices are Asterisk's announcements (CC BY-SA 3.0, Digium and others), as Debian packages them in 16 kHz with their
texts: one speaker a language, short sentences. They are fetched with `apt-get download`, which needs no rights, checked
by hash and kept outside the repository.
"""

import gzip
import random
import re
import shutil
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks import wordless
from streametrics.audio.pcm import SAMPLE_RATE_HZ, Samples
from streametrics.weights.download import exclusive, file_hash
from tests.support.sounds import read

CACHE = Path("~/.cache/streametrics/benchmark-speech").expanduser()
VERSION = "1.6.1-1"
#: Hashes of each language's two packages: the texts, and the sounds.
PACKAGES = {
    "en": (
        "973e797d28e37fa6ca3c0a9d6fa717e77cf1268ae916bf09fd3503113cdffa50",
        "38c5261820b406dcb0ecb37675720da2b0864850690690352ca52707eb623806",
    ),
    "es": (
        "9afdab7f559f036649fb406e625899306ca1004df8ebe39c30bfbd5912d66f74",
        "e4e3b4281057d3b81b779298fd6be705f57411513955c518eed1bcaabbd615b8",
    ),
    "fr": (
        "04c82c78c570c43a7136cbc5e2488d0c470b775468dff9fbce4a131b18cf1056",
        "7add61d5e42279ecff1bbdf842a5a946ac3644fac9a0fe44384731aa7270c8e0",
    ),
    "it": (
        "3884d9457e12f21caa018c18f0d587df5d53ebea14b673d8453a134c5941ab3b",
        "46b4cf7afc508a5fcfc051b7ea233251c0d195dd4ef83cc4b7facb4c6429b016",
    ),
    "ru": (
        "28a61616bb0cd3345a7ea532dec4df9f071e5d0fa9f8c1a563ea9669002f39ab",
        "673b4238a6b8269960f055d868c6a11083f7a0d00979167cb01554046b48ed9b",
    ),
}
#: Chunks end below the 30 s of a live one; sentences are this far apart.
CHUNK_S = 29.5
PAUSE_S = (0.3, 1.0)
#: Below three words there is no sentence; above this length a prompt is not a chunk's part.
MIN_WORDS = 3
#: Numbers and signs can be read aloud in more than one way, and brackets hold what is not read at all.
_UNCLEAR = re.compile(r"\d|[#*@\[\](){}<>/_&+=:]|[.?]\w")
#: What is mixed in, by name: a sound of 30 s.
BACKGROUNDS = {
    "white": lambda: wordless.colored("white", -20),
    "music": lambda: wordless.chords(12, drums=True),
    "crowd": lambda: wordless.babble(34),
}


class SpeechMissing(Exception):
    """The packages of speech are not there and cannot be fetched; the message says how to get them."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """A chunk of speech: its samples, what is said in it, its language, and what it was mixed with."""

    name: str
    samples: Samples
    text: str
    language: str
    background: str = "clean"


def chunks(words: int, languages: tuple[str, ...] = tuple(PACKAGES), *, most_s: float = CHUNK_S) -> list[Spoken]:
    """Clean chunks of at most so many seconds, with at least so many words in each language. Raises SpeechMissing."""
    return [chunk for language in languages for chunk in _joined(language, words, most_s)]


def with_background(chunk: Spoken, background: str, ratio_db: float) -> Spoken:
    """The chunk with another sound `ratio_db` below the level of its speech (pauses do not count)."""
    noise = np.resize(BACKGROUNDS[background](), len(chunk.samples))
    loud = np.abs(chunk.samples) > 0.02 * np.max(np.abs(chunk.samples))
    speech_power = float(np.mean(np.square(chunk.samples[loud])))
    gain = np.sqrt(speech_power / float(np.mean(np.square(noise))) / 10 ** (ratio_db / 10))
    mixed = chunk.samples + gain * noise
    mixed = (mixed / max(1.0, float(np.max(np.abs(mixed))))).astype(np.float32)
    label = f"{background} {ratio_db:g} dB"
    return Spoken(f"{chunk.name} {label}", mixed, chunk.text, chunk.language, label)


def noisy(clean: list[Spoken]) -> list[Spoken]:
    """Each chunk once more, with the next of three backgrounds, at 10 and 5 dB by turns.

    What a chunk is mixed with is a matter of its place in its language alone, so a larger set holds a smaller one.
    """
    names, seen, found = list(BACKGROUNDS), Counter[str](), []
    for chunk in clean:
        # Languages begin at different backgrounds, so that few chunks of each still know all of them.
        number = seen[chunk.language] + list(PACKAGES).index(chunk.language)
        seen[chunk.language] += 1
        found.append(with_background(chunk, names[number % len(names)], (10, 5)[number // len(names) % 2]))
    return found


def _joined(language: str, words: int, most_s: float) -> list[Spoken]:
    """Sentences in an order drawn by lot, with pauses, until there are enough words."""
    sentences = _sentences(language)
    lot = random.Random(language)  # noqa: S311 - a fixed seed is the point
    lot.shuffle(sentences)
    found: list[Spoken] = []
    parts: list[Samples] = []
    texts: list[str] = []
    for file, text in sentences:
        if sum(len(chunk.text.split()) for chunk in found) >= words:
            break
        sound = read(file)
        if sum(map(len, parts)) + len(sound) > most_s * SAMPLE_RATE_HZ and parts:
            found.append(Spoken(f"{language} {len(found)}", np.concatenate(parts), " ".join(texts), language))
            parts, texts = [], []
        pause = np.zeros(round(lot.uniform(*PAUSE_S) * SAMPLE_RATE_HZ), dtype=np.float32)
        parts += [sound, pause]
        texts.append(text)
    return found


def _sentences(language: str) -> list[tuple[Path, str]]:
    """Files and what is said in them, of the announcements whose text leaves no doubt how it is read."""
    folder = _unpacked(language)
    [texts] = folder.glob("usr/share/doc/*/core-sounds-*.txt.gz")
    [sounds] = folder.glob("usr/share/asterisk/sounds/*/")
    with gzip.open(texts, "rt", encoding="utf-8-sig") as opened:
        lines = [line.strip().partition(":") for line in opened if ":" in line and not line.startswith(";")]
    found = []
    for name, _, text in lines:
        file, text = sounds / f"{name}.g722", text.replace("...", " ").strip(' "')
        if file.is_file() and len(text.split()) >= MIN_WORDS and not _UNCLEAR.search(text):
            found.append((file, text))
    return found


def _unpacked(language: str) -> Path:
    folder = CACHE / language
    with exclusive(CACHE / ".lock"):
        if not folder.is_dir():
            partial = CACHE / f"{language}.partial"
            shutil.rmtree(partial, ignore_errors=True)
            names = (f"asterisk-core-sounds-{language}", f"asterisk-core-sounds-{language}-g722")
            for name, sha256 in zip(names, PACKAGES[language], strict=True):
                subprocess.run(["dpkg-deb", "-x", str(_package(name, sha256)), str(partial)], check=True)
            partial.replace(folder)
    return folder


def _package(name: str, sha256: str) -> Path:
    file = CACHE / f"{name}_{VERSION}_all.deb"
    said = ""
    if not file.is_file():
        try:
            command = ["apt-get", "download", f"{name}={VERSION}"]
            said = subprocess.run(command, cwd=CACHE, capture_output=True, text=True, check=False).stderr.strip()
        except FileNotFoundError:
            said = "there is no apt-get here"
    if not file.is_file():
        raise SpeechMissing(f"{file.name} cannot be fetched ({said}): run 'apt-get update', or put it into {CACHE}")
    if file_hash(file) != sha256:
        file.unlink()
        raise SpeechMissing(f"{file.name} is not the file whose hash is known; it was deleted")
    return file
