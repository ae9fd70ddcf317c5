"""openai-whisper's weights and rules on a CPU, several times as fast: bfloat16 or int8 encoder, float16 decoder, and
a vocabulary that is searched in int8.

Why it is fast, and what was tried, is in docs/decisions/0012.
"""

import pickle
import warnings
from collections.abc import Sequence
from pathlib import Path

import torch
import whisper

from streametrics.audio.pcm import SAMPLE_RATE_HZ
from streametrics.errors import TranscriptionFailed
from streametrics.transcription import cpu
from streametrics.transcription.engine import SpeechWindow
from streametrics.transcription.engines.base import MOST_LANES, Led
from streametrics.transcription.engines.fast.decoder import Decoder
from streametrics.transcription.engines.fast.encoder import Encoder
from streametrics.transcription.engines.fast.execution_context import Lane, Tokenizers
from streametrics.transcription.engines.fast.float16_linear import has_float16
from streametrics.transcription.engines.fast.logit_filters import Rules
from streametrics.transcription.engines.fast.quantized_linear import name_of
from streametrics.transcription.engines.fast.sampling import Sampler
from streametrics.transcription.engines.fast.thread_budget import Cores


class FastWhisper(Led):
    """A model that was loaded from a `.pt` file. `cpu_threads`: cores to compute with."""

    engine = "openai-whisper-fast"
    #: More windows in a pass gain little: the encoder shares nothing, and the decoder's weights are shared by then.
    windows_at_once = 4
    gains_by_halves = True
    #: What is heard makes room for the next, so more sounds may wait than the passes hold.
    sounds_at_once = 8

    def __init__(self, file: Path, *, model: str, cpu_threads: int) -> None:
        self.model = model
        torch.set_num_threads(cpu_threads)
        dtype = torch.bfloat16 if cpu.multiplies_bfloat16() else torch.float32
        self.precision = _precision(dtype)
        try:
            loaded = whisper.load_model(str(file), device="cpu")
        except (RuntimeError, KeyError, TypeError, pickle.UnpicklingError) as error:
            raise TranscriptionFailed(f"The Whisper model in {file} cannot be loaded: {error}") from error
        tokenizers = Tokenizers(multilingual=loaded.is_multilingual, languages=loaded.num_languages)
        with warnings.catch_warnings():
            # The library forgets to close its vocabulary, once; where warnings are errors, that is one.
            warnings.simplefilter("ignore", ResourceWarning)
            tokenizer = tokenizers.of("en")
        self.known_languages: Sequence[str] = tuple(tokenizer.all_language_codes) if loaded.is_multilingual else ("en",)
        assert tokenizer.no_speech is not None
        cores, rules = Cores(cpu_threads), Rules(tokenizer, loaded.dims.n_vocab)
        with torch.inference_mode():
            encoder = Encoder(loaded.encoder, dtype)
            decoder = Decoder(loaded.decoder, dtype, words=tokenizer.eot, cores=cores)
        self.lanes = [
            Lane(
                encoder,
                Sampler(decoder, rules, no_speech_token=tokenizer.no_speech),
                tokenizers,
                cores,
                mels=loaded.dims.n_mels,
            )
            for _ in range(min(cpu_threads, MOST_LANES))
        ]
        # The first pass prepares memory; `base.warm` does not get here, as a tone is no voice.
        list(self.lanes[0].decode([SpeechWindow(torch.zeros(SAMPLE_RATE_HZ).numpy(), 1.0)], ["en"]))


def _precision(encoder: torch.dtype) -> str:
    """For people to read: what encoder and decoder multiply here."""
    said = "float16" if has_float16() else "float32"
    return f"{name_of(encoder)} encoder and {said} decoder on cpu"
