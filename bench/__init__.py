"""Measurements, side by side with peers. Each is a command: `python -m bench.NAME --help`."""

import os

# Speed is told for one core: threads of numpy, waiting for each other, would be counted as work.
for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
