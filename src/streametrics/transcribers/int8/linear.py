"""Matrices for the decoder, whose speed is that of reading its weights: int8 is a quarter of float32."""

import logging
import warnings
from collections.abc import Callable

import torch

from streametrics.transcribers import processor

logger = logging.getLogger(__name__)

#: Float rows in, shape (rows, in), float rows out, shape (rows, out).
Linear = Callable[[torch.Tensor], torch.Tensor]

#: Instruction sets that add products of eight bits into 32: without them the products of full range overflow.
_WIDE_SUMS = ("avx512_vnni", "avx_vnni", "amx_int8")


def linear(weight: torch.Tensor, bias: torch.Tensor | None) -> Linear:
    """`x @ weight.T + bias`, weight of shape (out, in): int8 with one scale per output, where torch offers it."""
    try:
        packed = _packed(weight.float())
    except (AttributeError, RuntimeError) as error:
        # torch announced that it will take quantised tensors out; the engine then still works, more slowly.
        logger.warning("torch has no int8 matrices here, so float32 is used: %s", error)
        full, shift = weight.float().contiguous(), None if bias is None else bias.float()
        return lambda rows: torch.nn.functional.linear(rows, full, shift)
    narrow = processor.flags().isdisjoint(_WIDE_SUMS)
    multiply = torch.ops.quantized.linear_dynamic
    shift = None if bias is None else bias.float()

    def apply(rows: torch.Tensor) -> torch.Tensor:
        # torch takes one scale for all rows: brought to one size first, a loud row takes no digits from a quiet one.
        size = rows.abs().amax(dim=1, keepdim=True).clamp_min(1e-8) if len(rows) > 1 else None
        product: torch.Tensor = multiply(rows if size is None else rows / size, packed, narrow)
        if size is not None:
            product *= size
        return product if shift is None else product.add_(shift)

    return apply


def _packed(weight: torch.Tensor) -> object:
    scales = (weight.abs().amax(dim=1) / 127).clamp_min(1e-8).double()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="torch.quantize_per", category=UserWarning)
        quantized = torch.quantize_per_channel(
            weight, scales, torch.zeros(len(scales), dtype=torch.long), 0, torch.qint8
        )
        return torch.ops.quantized.linear_prepack(quantized, None)
