"""Names the arithmetics that an engine can be made to compute with on one machine.

Whisper's greedy decoding takes another turn where two tokens are nearly as likely, and rounding decides which: the
processor's instructions, and the libraries' choice among them, change the words. These variables force the choices of
other processors on this one, as far as it has their instructions; they are read when a library is loaded, so each
arithmetic wants a process of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from streametrics.transcription import cpu

#: Read by `use`, in the process that is to compute so: whether the fast engine's encoder is in bfloat16.
BFLOAT16 = "STREAMETRICS_BENCHMARK_BFLOAT16"


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """Forces a choice by environment variables. needs: the processor's flags without which it would change nothing."""

    name: str
    environment: Mapping[str, str] = field(default_factory=dict)
    needs: frozenset[str] = frozenset()


NATIVE = Arithmetic("native")
_AVX512, _VNNI = frozenset({"avx512f"}), frozenset({"avx512_vnni"})
_TILES = frozenset({"amx_tile", "avx512_bf16"})
_AVX2 = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}
_INT8_ENCODER, _BF16_ENCODER = {BFLOAT16: "0"}, {BFLOAT16: "1"}

_OF_ENGINES: dict[str, tuple[Arithmetic, ...]] = {
    "faster-whisper": (
        NATIVE,
        Arithmetic("oneDNN with AVX2", {"ONEDNN_MAX_CPU_ISA": "AVX2"}, _AVX512),
        Arithmetic("oneDNN with AVX-512", {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE"}, _VNNI),
        Arithmetic("oneDNN with VNNI", {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE_VNNI"}, _TILES),
        Arithmetic("CTranslate2 with AVX2", {"CT2_FORCE_CPU_ISA": "AVX2"}, _AVX512),
    ),
    "openai-whisper-fast": (
        NATIVE,
        Arithmetic("bf16 without tiles", {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE_BF16"}, _TILES),
        Arithmetic("int8 encoder", _INT8_ENCODER, frozenset({"avx512_bf16"})),
        Arithmetic("int8 encoder with AVX2", _INT8_ENCODER | _AVX2, frozenset({"avx512_bf16"})),
        Arithmetic("bf16 in software", _BF16_ENCODER, frozenset({"avx2"})),
    ),
    "openai-whisper": (NATIVE, Arithmetic("ATen with AVX2", _AVX2, _AVX512)),
}


def of(engine: str) -> list[Arithmetic]:
    """Lists the arithmetics that differ here, the machine's own first."""
    here = [each for each in _OF_ENGINES[engine] if each.needs <= cpu.flags()]
    if cpu.multiplies_bfloat16():
        return [each for each in here if each.environment != _BF16_ENCODER]
    return here


def use(environment: Mapping[str, str]) -> None:
    """Applies what no library reads by itself; called before an engine is loaded."""
    if BFLOAT16 in environment:
        cpu.multiplies_bfloat16 = lambda: environment[BFLOAT16] == "1"
