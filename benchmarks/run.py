"""Runs every benchmark alone, one after the other, and writes `docs/benchmarks.md` from what came out.

    python benchmarks/run.py [NAME ...]      # any of: demo, training, estimates, responsible, answering, data, checks, store, help, cases
    python benchmarks/run.py --page          # only write the page from results that are there

Results are kept as JSON in `.bench/`, with date and machine, so that one part can be measured again. Run it on a machine
that does nothing else: a second busy process spoils every timing.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.util
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / ".bench"
CASES = Path(os.environ.get("WHYTUNE_CASES", ROOT.parent / "shared" / "cases"))
BANKING = CASES / "banking77" / "train.csv"


def script(name: str, *arguments: str) -> Any:
    """What a benchmark script printed, as JSON."""
    done = subprocess.run([sys.executable, "-W", "ignore", str(ROOT / "benchmarks" / name), *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    text = done.stdout[done.stdout.index("{") :]
    return json.JSONDecoder().raw_decode(text)[0]


def demo() -> dict[str, Any]:
    """Bundled cases, from nothing but a set-up machine to the report; WHYTUNE_BENCH_DEMOS names which."""
    found = {}
    for case in os.environ.get("WHYTUNE_BENCH_DEMOS", "tickets handbook reviews").split():
        with tempfile.TemporaryDirectory() as folder:
            begun = time.monotonic()
            done = subprocess.run(
                [sys.executable, "-m", "whytune", "demo", case, "--folder", folder, "--json"], cwd=folder, stdout=subprocess.PIPE, text=True, check=True
            )
            told = json.loads(done.stdout)
            decision = json.loads(subprocess.run([sys.executable, "-m", "whytune", "report", case, "--json"], cwd=folder, stdout=subprocess.PIPE, text=True, check=True).stdout)
            found[case] = {
                "seconds": time.monotonic() - begun, "verdict": told["verdict"]["code"], "sentence": told["verdict"]["sentence"],
                "arms": [{"arm": arm["arm"], **arm["primary"]} for arm in decision["arms"]], "bar": decision["rule"]["bar"],
                "peak_gib": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20,
            }  # fmt: skip
    return found


def start() -> dict[str, Any]:
    """`whytune --help`, as a process."""
    seconds = []
    for _ in range(11):
        begun = time.monotonic()
        subprocess.run([sys.executable, "-m", "whytune", "--help"], stdout=subprocess.DEVNULL, check=True)
        seconds.append(time.monotonic() - begun)
    return {"median_seconds": statistics.median(seconds), "runs": len(seconds)}


def cases() -> Any:
    """Real data sets through the whole flow."""
    out = KEPT / "cases.partial.json"
    subprocess.run([sys.executable, str(ROOT / "benchmarks" / "cases.py"), "--out", str(out)], cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    return {"cases": json.loads(out.read_text("utf-8"))}


PARTS: dict[str, Callable[[], Any]] = {
    "help": start,
    "demo": demo,
    "training": lambda: script("training.py", "--steps", "3", "--turns", "2", "--cache", str(Path.home() / ".cache" / "whytune"), *(("--rows", str(BANKING)) if BANKING.exists() else ())),
    "estimates": lambda: script("estimates.py"),
    "answering": lambda: script("answering.py", "--cases", str(CASES), "--rounds", "3"),
    "data": lambda: script("data.py", "--rows", "100000"),
    "near": lambda: script("near.py"),
    "checks": lambda: script("checks.py", "--cases", str(CASES)),
    "store": lambda: script("store.py", "--rows", "20000"),
    "responsible": lambda: script("responsible.py", *(("--rows", str(BANKING)) if BANKING.exists() else ())),
    "review": lambda: script("review.py"),
    # `transformers serve` needs what `pip install 'transformers[serving]'` brings; without it only our side is measured.
    "serving": lambda: script("serving.py", "--throughput", *(("--against-transformers",) if importlib.util.find_spec("fastapi") else ())),
    "web": lambda: script("web.py"),
    "live": lambda: script("live.py"),
    "cases": cases,
}


def machine() -> str:
    """What the figures were measured on."""
    model = next((line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), platform.processor())
    import torch

    return f"{os.cpu_count()} cores of {model}, Python {platform.python_version()}, torch {torch.__version__}"


def main() -> None:
    """Measure what is named, then write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(PARTS))
    parser.add_argument("--page", action="store_true", help="measure nothing")
    chosen = parser.parse_args()
    KEPT.mkdir(exist_ok=True)
    for name in [] if chosen.page else chosen.names or PARTS:
        print(f"measuring {name}", file=sys.stderr, flush=True)
        begun = time.monotonic()
        result = PARTS[name]()
        kept = {"date": datetime.date.today().isoformat(), "machine": machine(), "took_seconds": time.monotonic() - begun, "load": os.getloadavg()[0], "result": result}
        (KEPT / f"{name}.json").write_text(json.dumps(kept, indent=1), "utf-8")
    from page import page

    written = ROOT / "docs" / "benchmarks.md"
    written.write_text(page({path.stem: json.loads(path.read_text("utf-8")) for path in KEPT.glob("*.json")}, written.read_text("utf-8")), "utf-8")
    print("wrote docs/benchmarks.md", file=sys.stderr)


if __name__ == "__main__":
    main()
