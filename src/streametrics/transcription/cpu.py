"""Describes the processor: cores, quota, name and instruction sets. The sets are known on Linux alone."""

import math
import os
import platform
import sys
from functools import cache
from pathlib import Path, PurePosixPath


@cache
def flags() -> frozenset[str]:
    """Read the instruction sets, named as in /proc/cpuinfo (`avx512_bf16`); empty elsewhere."""
    return frozenset(_line("flags").split())


def multiplies_bfloat16() -> bool:
    """Tell whether the processor multiplies bfloat16 natively; elsewhere that is slower than float32."""
    return not flags().isdisjoint(("avx512_bf16", "amx_bf16"))


def adds_products_of_bytes_widely() -> bool:
    """Tell whether products of bytes are added up in 32 bits: in 16 bits, products of the full range overflow."""
    return not flags().isdisjoint(("avx512_vnni", "avx_vnni", "amx_int8"))


@cache
def name() -> str:
    """Return the name that its maker gave the processor."""
    return _line("model name") or platform.processor() or platform.machine()


def _line(beginning: str) -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(beginning)), "")


def has_nvidia_gpu() -> bool:
    return Path("/proc/driver/nvidia/version").exists() or Path("/dev/nvidia0").exists()


def available_cores() -> int:
    """Count the cores that this process may use: a container's share may be far below what the machine has."""
    if sys.platform != "linux":
        return os.cpu_count() or 1
    cores = len(os.sched_getaffinity(0))
    quota = cgroup_quota(Path("/sys/fs/cgroup"), Path("/proc/self/cgroup"))
    return cores if quota is None else min(cores, max(1, math.ceil(quota)))


def cgroup_quota(root: Path, membership: Path) -> float | None:
    """Read the tightest CPU limit of this process's control group and its parents, in cores; None without one."""
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        lines = []
    own = [PurePosixPath(line.removeprefix("0::").strip("/")) for line in lines if line.startswith("0::")]
    folders = {PurePosixPath(), *own, *(parent for path in own for parent in path.parents)}
    limits = [_limit(root / folder / "cpu.max") for folder in folders]
    # The first version of control groups, still found in older containers.
    limits.append(_limit(root / "cpu/cpu.cfs_quota_us", root / "cpu/cpu.cfs_period_us"))
    return min((limit for limit in limits if limit is not None), default=None)


def _limit(*files: Path) -> float | None:
    try:
        words = " ".join(file.read_text() for file in files).split()
        quota, period = (float(word) for word in words)
    except (OSError, ValueError):  # no such group, or "max": no limit
        return None
    return quota / period if quota > 0 and period > 0 else None
