"""What is freed goes back to the system, though something that was made later is still in use."""

import ctypes
import re
from pathlib import Path

import pytest

from streametrics.worker import malloc_trim

BLOCK, COUNT = 64 * 1024, 2_000


def resident_mb() -> float:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="not glibc")
def test_what_was_freed_below_something_in_use_goes_back() -> None:
    c = ctypes.CDLL(None)
    c.malloc.restype, c.malloc.argtypes, c.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
    blocks = [c.malloc(BLOCK) for _ in range(COUNT)]
    for block in blocks:
        ctypes.memset(block, 1, BLOCK)
    last = c.malloc(BLOCK)
    for block in blocks:
        c.free(block)
    before_mb = resident_mb()

    malloc_trim.trim_heap()

    assert before_mb - resident_mb() > 0.8 * BLOCK * COUNT / 2**20
    c.free(last)


def test_where_the_c_library_has_no_such_thing_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: None) -> ctypes.CDLL:
        raise TypeError("Windows wants a name")

    monkeypatch.setattr(ctypes, "CDLL", missing)
    assert malloc_trim._find_malloc_trim() is None

    monkeypatch.setattr(malloc_trim, "_MALLOC_TRIM", None)
    malloc_trim.trim_heap()
