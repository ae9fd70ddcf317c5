"""What this machine's processor is called, and which instruction sets it has. Known on Linux alone."""

import platform
from functools import cache
from pathlib import Path


@cache
def flags() -> frozenset[str]:
    """Names as in /proc/cpuinfo, such as `avx512_bf16`; empty elsewhere."""
    return frozenset(_line("flags").split())


def multiplies_bfloat16() -> bool:
    """Whether it has instructions for products of bfloat16; elsewhere they are slower than those of float32."""
    return not flags().isdisjoint(("avx512_bf16", "amx_bf16"))


def adds_products_of_bytes_widely() -> bool:
    """Whether it has instructions that add products of bytes in 32 bits: in 16, those of full range overflow."""
    return not flags().isdisjoint(("avx512_vnni", "avx_vnni", "amx_int8"))


@cache
def name() -> str:
    """As its maker calls it."""
    return _line("model name") or platform.processor() or platform.machine()


def _line(beginning: str) -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(beginning)), "")
