"""Runs openai-whisper's weights and decoding rules on a CPU, several times as fast as the library.

The encoder computes in bfloat16 or int8, the decoder in float16, and the output projection searches in int8.

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
from streametrics.transcription.engines import alignment_heads
from streametrics.transcription.engines.base import MAX_EXECUTION_CONTEXTS, BatchingTranscriber
from streametrics.transcription.engines.fast.decoder import TokenDecoder
from streametrics.transcription.engines.fast.encoder import SpectrogramEncoder
from streametrics.transcription.engines.fast.execution_context import FastExecutionContext, Tokenizers
from streametrics.transcription.engines.fast.float16_linear import has_float16
from streametrics.transcription.engines.fast.logit_filters import TimestampGrammar
from streametrics.transcription.engines.fast.quantized_linear import precision_name
from streametrics.transcription.engines.fast.sampling import Sampler
from streametrics.transcription.engines.fast.thread_budget import ThreadBudget


class OpenAIWhisperFast(BatchingTranscriber):
    """Transcribes with a model from a `.pt` file. `cpu_threads`: cores to compute with."""

    engine = "openai-whisper-fast"
    #: More windows in a batch gain little: the encoder shares nothing, and the decoder's weights are shared by then.
    max_batch_windows = 4
    benefits_from_half_windows = True
    #: A finished window makes room for the next, so more requests may wait than the batches hold.
    max_batch_requests = 8

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
        budget, grammar = ThreadBudget(cpu_threads), TimestampGrammar(tokenizer, loaded.dims.n_vocab)
        heads = alignment_heads.of(
            blocks=loaded.dims.n_text_layer,
            heads=loaded.dims.n_text_head,
            mels=loaded.dims.n_mels,
            is_multilingual=loaded.is_multilingual,
        )
        with torch.inference_mode():
            encoder = SpectrogramEncoder(loaded.encoder, dtype)
            decoder = TokenDecoder(loaded.decoder, dtype, words=tokenizer.eot, budget=budget, alignment_heads=heads)
        self.execution_contexts = [
            FastExecutionContext(
                encoder,
                Sampler(decoder, grammar, no_speech_token=tokenizer.no_speech),
                tokenizers,
                budget,
                mels=loaded.dims.n_mels,
            )
            for _ in range(min(cpu_threads, MAX_EXECUTION_CONTEXTS))
        ]
        # The first batch prepares memory; `base.warm` does not get here, as a tone is no speech.
        list(self.execution_contexts[0].decode([SpeechWindow(torch.zeros(SAMPLE_RATE_HZ).numpy(), 1.0)], ["en"]))


def _precision(encoder: torch.dtype) -> str:
    """Describe for people what encoder and decoder multiply here."""
    decoder = "float16" if has_float16() else "float32"
    return f"{precision_name(encoder)} encoder and {decoder} decoder on cpu"
