"""Print how many bytes beyond the user's own arrays one fit of a million points takes at its peak.

    python benchmarks/peak_memory.py {leastsq,scipy.optimize} {Dfun,differences} {short,full}

One process measures one fit, because memory that was used once may be used again unseen. What counts is the largest
resident memory during the call, less the resident memory just before it. The system's own record of it
(VmHWM) is read: `ru_maxrss` would start from the size of the process that started this one.
"""

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

# Every large array comes from the system when it is made and goes back when it is dropped.
PLAIN_MALLOC = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "0"}

STATUS = Path("/proc/self/status")
FORGET_PEAK = Path("/proc/self/clear_refs")
AVAILABLE = FORGET_PEAK.exists()  # elsewhere the peak cannot be told from what came before the call


def peak_of(module: str, jacobian: str, outputs: str) -> int:
    """Measure in a process of its own."""
    command = [sys.executable, __file__, module, jacobian, outputs]
    done = subprocess.run(command, env=os.environ | PLAIN_MALLOC, check=True, capture_output=True, text=True)
    return int(done.stdout)


def main(module: str, jacobian: str, outputs: str) -> None:
    """Fit once and print the extra bytes."""
    from timed_problems import Decay

    leastsq = import_module(module).leastsq
    analytic = jacobian == "Dfun"
    problem = Decay(100, analytic)

    def fit() -> Any:
        keywords = {"Dfun": problem.jacobian, "col_deriv": True} if analytic else {}
        return leastsq(problem.residuals, problem.x0, full_output=outputs == "full", **keywords)

    fit()  # loads what is loaded on first use
    problem = Decay(10**6, analytic)
    FORGET_PEAK.write_text("5")
    before = status_bytes("VmRSS")
    fit()
    print(status_bytes("VmHWM") - before)


def status_bytes(field: str) -> int:
    """Read a size from the process's status."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(field))
    return 1024 * int(line.split()[1])


if __name__ == "__main__":
    main(*sys.argv[1:])
