"""What a machine could do at best: the encoder's arithmetic, and the decoder's weights read once for each token.

The spectrogram, what a token reads of the sound and all between two products come on top. Our engines encode less than
a whole window where there is less speech, so a chunk with little of it may come near.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from streametrics.transcription import cpu
from streametrics.transcription.cpu import available_cores

#: Whisper's base model: blocks, width, positions of a window, mel bands, and words of the vocabulary (its checkpoint's
#: `dims`).
BLOCKS, STATE, POSITIONS, MELS, VOCABULARY = 6, 512, 1500, 80, 51_865
#: What a token reads of the decoder, in bytes: by block four squares of self-attention, two of cross-attention and
#: eight of the perceptron, and the vocabulary; a byte for each weight, as in int8, the smallest type in use here.
TOKEN_BYTES = BLOCKS * (4 + 2 + 8) * STATE**2 + VOCABULARY * STATE
TRIES = 7


@dataclass(frozen=True, slots=True)
class Limit:
    """Of one 30 s window. multiplied: floating-point operations in a second, read: bytes in a second, both measured."""

    multiplied: float
    read: float

    def chunk_s(self, tokens: float) -> float:
        return encoder_operations() / self.multiplied + tokens * TOKEN_BYTES / self.read

    def describe(self, tokens: float) -> str:
        return (
            f"encoder {encoder_operations() / 1e9:.0f} GFLOP a whole window at {self.multiplied / 1e9:.0f} GFLOP/s, "
            f"and {tokens:.0f} tokens with {TOKEN_BYTES / 1e6:.0f} MB each at {self.read / 1e9:.1f} GB/s; "
            "rates measured here, products of torch and a sum over memory"
        )


def encoder_operations() -> int:
    """Additions and multiplications of one window."""
    convolutions = 2 * POSITIONS * 3 * (2 * MELS * STATE + STATE * STATE)
    matrices = 2 * POSITIONS * 12 * STATE**2
    attention = 2 * 2 * POSITIONS**2 * STATE
    return convolutions + BLOCKS * (matrices + attention)


def measured() -> Limit:
    """On all cores, the best type for products that the processor has."""
    before = torch.get_num_threads()
    torch.set_num_threads(available_cores())
    try:
        return Limit(_products(torch.bfloat16 if cpu.multiplies_bfloat16() else torch.float32), _reading())
    finally:
        torch.set_num_threads(before)


def _products(dtype: torch.dtype) -> float:
    rows, matrix = torch.randn(POSITIONS, STATE).to(dtype), torch.randn(4 * STATE, STATE).to(dtype)
    return 2 * POSITIONS * STATE * 4 * STATE / _best(lambda: torch.nn.functional.linear(rows, matrix))


def _reading() -> float:
    numbers = torch.ones(64 * 2**20)
    return 4 * len(numbers) / _best(numbers.sum)


def _best(work: Callable[[], object]) -> float:
    """Seconds; a low quartile, for one lucky turn is no rate that can be kept up."""
    work()
    seconds = []
    for _ in range(TRIES):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return statistics.quantiles(seconds, n=4)[0]
