"""How many processes the kernel has killed for lack of memory: tells such a death from others.

A process killed by SIGKILL may have been killed by anyone. The kernel counts its own kills before
it sends the signal, in the control group of the process killed, and over the whole machine.
"""

from __future__ import annotations

import re
from pathlib import Path

_CGROUP_NAME = re.compile(r"^0::(/.*)$", re.MULTILINE)
_COUNT = re.compile(r"^oom_kill (\d+)$", re.MULTILINE)


def n_oom_kills(root: Path = Path("/")) -> int | None:
    """Kills in this process's control group so far; else on the machine; None where no one tells.

    Of `memory.events` (control groups of version 2), else of `/proc/vmstat`, which counts those of
    other containers too. `root` is where the file system begins.
    """
    for place in (_memory_events(root), root / "proc/vmstat"):
        if place is not None and (count := _COUNT.search(_content(place))):
            return int(count[1])
    return None


def _memory_events(root: Path) -> Path | None:
    name = _CGROUP_NAME.search(_content(root / "proc/self/cgroup"))
    return root / "sys/fs/cgroup" / name[1].lstrip("/") / "memory.events" if name else None


def _content(path: Path) -> str:
    """Content of a file of the kernel's; empty where it is not there, or not ours to read."""
    try:
        return path.read_text()
    except OSError:
        return ""
