"""Exact duplicates and verified near-duplicates of many generated texts: seconds and memory, as JSON.

    python benchmarks/near.py --rows 1000000

The texts are those of `data.py`: support tickets, 4 % of them repeated word for word, 4 % with a word more. Everything
runs in this process; the memory is this process's peak, the texts themselves included.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time

from data import generate
from whytune.datasets.dedup import near
from whytune.text import normalise


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    chosen = parser.parse_args()
    texts = [text for text, _ in generate(chosen.rows, seed=7)]
    load, begun, cpu = os.getloadavg()[0], time.perf_counter(), time.process_time()
    kept = list({normalise(text): text for text in texts}.values())
    exact = time.perf_counter() - begun
    pairs = sum(1 for _ in near(kept, 0.8))
    found = {
        "rows": len(texts), "after_exact": len(kept), "near_pairs": pairs, "exact_seconds": exact, "seconds": time.perf_counter() - begun,
        "cpu_seconds": time.process_time() - cpu, "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, "load": load,
    }  # fmt: skip
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
