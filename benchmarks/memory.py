"""What a process holds in memory, as Linux counts it; megabytes are 1,000,000 bytes."""

from pathlib import Path


def resident_mb(pid: int | str = "self") -> float:
    """Resident now."""
    return _field_mb(pid, "VmRSS")


def peak_mb(pid: int | str = "self") -> float:
    """The most that was resident since `reset_peak`."""
    return _field_mb(pid, "VmHWM")


def reset_peak(pid: int | str = "self") -> None:
    """Count the peak from here on."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def family(pid: int) -> list[int]:
    """The process and all that it started."""
    found = [pid]
    for listing in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in listing.read_text().split():
            found += family(int(child))
    return found


def _field_mb(pid: int | str, name: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise LookupError(name)
