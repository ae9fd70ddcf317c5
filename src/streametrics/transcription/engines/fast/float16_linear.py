"""Linear layers with float16 weights, for the decoder: it is as fast as its weights are read, and these are half.

The checkpoints hold float16, so nothing is lost by it, and inputs stay float32: no row of a batch has a scale in
common with another, as it has in int8.
"""

import logging
import warnings
from collections.abc import Callable

import torch

logger = logging.getLogger(__name__)

#: Float rows in, shape (rows, in), float rows out, shape (rows, out).
Linear = Callable[[torch.Tensor], torch.Tensor]


def linear(weight: torch.Tensor, bias: torch.Tensor | None) -> Linear:
    """Make `x @ weight.T + bias`, weight of shape (out, in): in float16 where torch multiplies it, else in float32."""
    full = weight.float().contiguous()
    shift = torch.zeros(len(weight)) if bias is None else bias.float()
    for way in (_by_fbgemm, _by_quantized_kernels):
        try:
            return way(full, shift)
        except (AttributeError, RuntimeError) as error:
            # Only x86 with AVX2 has these kernels, and torch announced that it will take the first one out.
            logger.debug("torch has no float16 matrices of one kind here: %s", error)
    return lambda rows: torch.nn.functional.linear(rows, full, shift)


def has_float16() -> bool:
    """Tell whether `linear` multiplies float16 weights here."""
    full, shift = torch.ones(16, 16), torch.zeros(16)
    for way in (_by_fbgemm, _by_quantized_kernels):
        try:
            way(full, shift)(full)
        except (AttributeError, RuntimeError):
            continue
        return True
    return False


def _by_fbgemm(full: torch.Tensor, shift: torch.Tensor) -> Linear:
    """A call costs 25 µs less than the other way, and a token of the base model makes 36."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="fbgemm_", category=UserWarning)
        packed = torch.fbgemm_pack_gemm_matrix_fp16(full)
        multiply = torch.fbgemm_linear_fp16_weight_fp32_activation
        multiply(full[:1, :], packed, shift)  # it warns once, here
    return lambda rows: multiply(rows, packed, shift)


def _by_quantized_kernels(full: torch.Tensor, shift: torch.Tensor) -> Linear:
    packed = torch.ops.quantized.linear_prepack_fp16(full, shift)
    multiply = torch.ops.quantized.linear_dynamic_fp16
    return lambda rows: multiply(rows, packed)
