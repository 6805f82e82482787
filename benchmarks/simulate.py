"""Simulated worlds of growing size: time must grow no faster than customers, memory not at all.

Usage: python benchmarks/simulate.py [CUSTOMERS ...]   (default 10000 100000; up to 10000000)
"""

import multiprocessing
import resource
import sys
import tempfile
import time
from pathlib import Path

from retention_demo import simulate


def measure(customers: int) -> tuple[float, float, float]:
    """Seconds, peak memory (GiB) and size on disk (GiB) of writing one world."""
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        simulate.write(Path(folder) / "world", customers, seed=1)
        seconds = time.perf_counter() - begun
        size = sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return seconds, peak / 2**20, size / 2**30


if __name__ == "__main__":
    sizes = [int(size) for size in sys.argv[1:]] or [10_000, 100_000]
    spawn = multiprocessing.get_context("spawn")
    times = {}
    print(f"{'customers':>12} {'seconds':>9} {'peak GiB':>9} {'disk GiB':>9}")
    for size in sizes:
        with spawn.Pool(1) as pool:
            seconds, peak, disk = pool.apply(measure, (size,))
        times[size] = seconds
        print(f"{size:12,} {seconds:9.1f} {peak:9.2f} {disk:9.3f}", flush=True)
    growth = (times[sizes[-1]] / times[sizes[0]]) / (sizes[-1] / sizes[0])
    print(f"goal simulate_time_per_customer_growth: {growth:.2f}, wanted <= 1.2")
