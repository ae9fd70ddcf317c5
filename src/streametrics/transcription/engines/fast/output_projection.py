"""Scores of the whole vocabulary: int8 finds the words that are likely, and those are scored again exactly.

The vocabulary is the decoder's largest matrix by far, and read once for every token. int8 is a quarter of it, and an
error of its scores matters only among the likely ones.
"""

import logging
import warnings

import numpy as np
import torch

from streametrics.transcription import cpu
from streametrics.transcription.engines.fast.float16_linear import Linear, linear

logger = logging.getLogger(__name__)

#: Words this close to the best by their int8 scores are scored again. The truly best word was never seen more than
#: 0.8 below (docs/decisions/0012), so it is among them.
LIKELY_WITHIN = 3.0


class Vocabulary:
    """Scores for rows of the decoder's output: `weight` is the token embedding, shape (tokens, state).

    words: how many tokens are text. Those behind them (the end, languages, timestamps) always have exact scores:
    timestamps are compared with words by their sum.
    """

    def __init__(self, weight: torch.Tensor, *, words: int) -> None:
        self._words = words
        self._weight = weight
        self._signs = linear(weight[words:], None)
        self._rough = _int8(weight[:words].float())
        self._exact = None if self._rough else linear(weight[:words], None)

    def __call__(self, rows: torch.Tensor) -> torch.Tensor:
        """Rows of shape (rows, state) to scores, float32, shape (rows, tokens)."""
        scores = torch.empty(len(rows), len(self._weight))
        scores[:, self._words :] = self._signs(rows)
        words = scores[:, : self._words]
        if self._rough is None:
            assert self._exact is not None
            words[:] = self._exact(rows)
            return scores
        words[:] = self._rough(rows)
        for row, found in zip(rows, words, strict=True):
            # numpy finds a few among many several times as fast as torch does.
            likely = torch.from_numpy(np.flatnonzero(found.numpy() >= float(found.max()) - LIKELY_WITHIN))
            found[likely] = self._weight[likely].float() @ row
        return scores


def _int8(weight: torch.Tensor) -> Linear | None:
    """`x @ weight.T` with one scale per output; None where torch does not offer it."""
    scales = (weight.abs().amax(dim=1) / 127).clamp_min(1e-8).double()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="torch.quantize_per", category=UserWarning)
            quantized = torch.quantize_per_channel(
                weight, scales, torch.zeros(len(scales), dtype=torch.long), 0, torch.qint8
            )
            packed = torch.ops.quantized.linear_prepack(quantized, None)
    except (AttributeError, RuntimeError) as error:
        # torch announced that it will take quantised tensors out; every word then has its exact score, more slowly.
        logger.debug("torch has no int8 matrices here: %s", error)
        return None
    multiply, narrow = torch.ops.quantized.linear_dynamic, not cpu.adds_products_of_bytes_widely()
    # torch takes one scale for all rows, from the least number to the greatest. So that a row's scores do not depend
    # on its neighbours, each is brought to one size, and a last one that holds both ends makes the scale a constant.
    ends = torch.zeros(1, weight.shape[1])
    ends[0, 0], ends[0, 1] = -1.0, 1.0

    def apply(rows: torch.Tensor) -> torch.Tensor:
        size = rows.abs().amax(dim=1, keepdim=True).clamp_min(1e-8)
        product: torch.Tensor = multiply(torch.cat([rows / size, ends]), packed, narrow)
        return product[:-1].mul_(size)

    return apply
