"""What only a process of its own can show: how much memory many fits take."""

import os
import subprocess
import sys
import textwrap

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="peak memory is that of Unix"),
]

PEAK = """
import resource, sys
import numpy as np
from leastsq import curve_fit_many, models
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
x = np.linspace(0.2, 8, 8)
rng = np.random.default_rng(1)
curve_fit_many(models.michaelis_menten, x, models.michaelis_menten(x, 3.0, 2.0) * np.ones((3000, 1)), **{options})
y = np.empty(({fits}, 8), dtype=np.float32)
for first in range(0, len(y), 2**16):
    part = y[first : first + 2**16]
    part[:] = models.michaelis_menten(x, rng.uniform(2, 6, (len(part), 1)), rng.uniform(0.5, 4, (len(part), 1)))
    part += rng.normal(0, 0.02, part.shape)
before = peak()
fits = curve_fit_many(models.michaelis_menten, x, y, **{options})
after = peak()
results = sum(getattr(fits, name).nbytes for name in ("popt", "pcov", "chisq", "dof", "nfev", "status"))
assert fits.success.mean() > 0.999
print(after - before - results)
"""


@pytest.mark.parametrize("options", [{}, {"p0": [3.0, 2.0], "workers": 2}, {"sigma": 0.02}], ids=str)
def test_memory_is_that_of_data_and_results(options):
    """Three million fits in single precision: nothing grows with their number but what is handed in and out."""
    code = PEAK.format(options=options, fits=3_000_000)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    # Most of it is the pieces in the making: some megabytes each.
    assert int(done.stdout) < 64 * 2**20


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system does not bind processes to processors")
def test_all_processors_are_those_the_process_may_use():
    code = """
        import os
        from leastsq._many.workers import checked_workers
        os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
        print(checked_workers(-1))
        """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"
