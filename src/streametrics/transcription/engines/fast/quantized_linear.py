"""Matrices for many rows at once, whose speed is that of arithmetic: narrow numbers take less of it.

Where the processor multiplies bfloat16 that is what is used, else int8, which takes half of float32's time. Every row
of the input has a scale of its own, so what is quiet is not lost beside what is loud, and every output has one. What
that does to the words is measured in docs/decisions/0025.
"""

import logging
from functools import partial

import torch
from torch.nn import functional

from streametrics.transcription import cpu
from streametrics.transcription.engines.fast.float16_linear import Linear

logger = logging.getLogger(__name__)

#: Steps on each side of zero: of what goes in, and of the weights. Where products of bytes are added in 16 bits, as
#: AVX2 does it, two of them overflow unless the weights are half as large.
INPUT_STEPS, WEIGHT_STEPS, SMALL_WEIGHT_STEPS = 127, 127, 63
#: What stands for zero in the input's unsigned bytes.
_ZERO = 128


def for_many_rows(weight: torch.Tensor, bias: torch.Tensor, dtype: torch.dtype, *, in_full: bool = False) -> Linear:
    """`x @ weight.T + bias`, weight of shape (out, in), x of `dtype` and any number of dimensions, the last is `in`.

    in_full: nothing narrower than `dtype`.
    """
    if dtype is torch.float32 and not in_full and (linear := narrow(weight, bias)) is not None:
        return linear
    return partial(functional.linear, weight=weight.to(dtype).contiguous(), bias=bias.to(dtype).contiguous())


def name_of(dtype: torch.dtype) -> str:
    """What `for_many_rows` multiplies here, for people to read."""
    if dtype is torch.float32 and narrow(torch.ones(16, 16), torch.zeros(16)) is not None:
        return "int8"
    return str(dtype).removeprefix("torch.")


def narrow(weight: torch.Tensor, bias: torch.Tensor) -> Linear | None:
    """The same for float32 in int8; None where torch or the processor does not offer it."""
    if not torch.backends.cpu.get_cpu_capability().startswith("AVX"):
        return None
    steps = WEIGHT_STEPS if cpu.adds_products_of_bytes_widely() else SMALL_WEIGHT_STEPS
    full = weight.float()
    scales = (full.abs().amax(dim=1) / steps).clamp_min(1e-12)
    rounded = (full / scales[:, None]).round().to(torch.int8)
    zeros, shift = torch.zeros(len(scales), dtype=torch.int32), bias.float()

    def apply(x: torch.Tensor) -> torch.Tensor:
        rows = x.reshape(-1, x.shape[-1])
        # Both ends, as their distance from zero would be one more tensor as large as the input.
        size = torch.maximum(rows.amax(dim=1, keepdim=True), -rows.amin(dim=1, keepdim=True)).clamp_min(1e-12)
        # Signed bytes are made twice as fast as unsigned ones; the highest bit makes one of the other.
        signed = (rows * (INPUT_STEPS / size)).round_().to(torch.int8)
        unsigned = signed.view(torch.uint8).bitwise_xor_(_ZERO)
        made = product(
            unsigned, 1 / INPUT_STEPS, _ZERO, packed, scales, zeros, None, 1.0, 0, torch.float32, "none", [], ""
        )
        return torch.addcmul(shift, made, size, out=made).view(*x.shape[:-1], -1)

    try:
        packed = torch.ops.onednn.qlinear_prepack(rounded, None)
        product = torch.ops.onednn.qlinear_pointwise
        apply(full[:1])
    except (AttributeError, RuntimeError) as error:
        logger.debug("torch has no products of int8 here: %s", error)
        return None
    return apply
