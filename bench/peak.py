"""Wall-clock time and peak memory of a command with all its children.

`python -m bench.peak COMMAND...` runs the command and prints one line of JSON at its end. Memory is
the sum of proportional set sizes (pages shared by n processes count 1/n each) of the process tree,
looked at once a second: a peak shorter than that is missed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

PERIOD_S = 1.0


def tree(root: int) -> set[int]:
    """Process ids of `root` and its descendants; children that left the tree are not seen."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        parents[int(folder.name)] = int(fields[1])
    found = {root}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def pss_bytes(pid: int) -> int:
    """Proportional set size of a process; 0 where it has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


def main(command: list[str]) -> int:
    """Run `command`; print its time and the peak of its tree; return its exit code."""
    begun = time.monotonic()
    process = subprocess.Popen(command)
    peak = 0
    while process.poll() is None:
        peak = max(peak, sum(pss_bytes(pid) for pid in tree(process.pid)))
        time.sleep(PERIOD_S)
    seconds = round(time.monotonic() - begun, 1)
    facts = {"seconds": seconds, "peak_gib": round(peak / 2**30, 2), "exit": process.returncode}
    sys.stdout.write(json.dumps(facts) + "\n")
    return process.returncode


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
