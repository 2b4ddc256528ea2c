"""Runs the main job on real, public data sets and tells what each arm scored and which verdict came out.

    python benchmarks/cases.py [CASE ...] [--out results.json]

The data is looked for in the folder that WHYTUNE_CASES names (default: ../shared/cases beside this repository); see
`docs/benchmarks.md` for what each case is and where it comes from. Nothing is recorded beforehand; a case whose data is
absent is left out and named. Every case is a project in a temporary workspace, started through the command line.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CASES = Path(os.environ.get("WHYTUNE_CASES", ROOT.parent / "shared" / "cases"))
TWELVE = (
    "card_arrival", "card_linking", "exchange_rate", "lost_or_stolen_card", "top_up_failed", "pin_blocked",
    "request_refund", "change_pin", "terminate_account", "verify_my_identity", "transfer_timing", "cash_withdrawal_charge",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """What to hand to `whytune init`, and what to change in the file it writes."""

    name: str
    task: str
    files: tuple[str, ...]
    flags: tuple[str, ...]
    edits: dict[str, str] = field(default_factory=dict)


ALL = (
    Case("banking77-12", "categorization", ("banking77/train.csv",), ("--bar", "0.75", "--limit", "400", *(x for label in TWELVE for x in ("--label", label)))),
    Case("tweeteval", "sentiment", ("tweeteval_sentiment/val_text.txt",), ("--bar", "0.65", "--limit", "300", "--labels-file", "{cases}/tweeteval_sentiment/val_labels.txt", "--mapping-file", "{cases}/tweeteval_sentiment/mapping.txt"), {"epochs = 3.0": "epochs = 2.0"}),
    Case("restaurant8k", "extraction", ("restaurant8k/train_3.json",), ("--bar", "0.8", "--limit", "200")),
    Case("cricket", "qna", ("cricket/ipl20rowsoutput.jsonl",), ("--bar", "0.7", "--documents", "{cases}/cricket/IPL_Data.csv"), {"epochs = 3.0": "epochs = 1.0", "k = 3": "k = 1", "words = 120": "words = 200"}),
    Case("dialogsum", "summarization", ("dialogsum/dialogsum.dev.jsonl",), ("--bar", "0.4", "--limit", "120"), {"epochs = 3.0": "epochs = 2.0"}),
    Case("banking77-77", "categorization", ("banking77/train.csv",), ("--bar", "0.75", "--limit", "1000"), {"epochs = 3.0": "epochs = 2.0"}),
)


def whytune(*arguments: str, cwd: Path, ok: tuple[int, ...] = (0,)) -> str:
    """Run the command line; raise with its words where it fails."""
    done = subprocess.run([sys.executable, "-m", "whytune", *arguments], cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode not in ok:
        raise SystemExit(f"whytune {' '.join(arguments)}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout


def run(case: Case, workspace: Path) -> dict[str, Any]:
    """One case from files to verdict."""
    flags = [flag.format(cases=CASES) for flag in case.flags]
    files = [part for name in case.files for part in ("--from", str(CASES / name))]
    whytune("init", case.name, "--task", case.task, *files, *flags, "--margin", "0.05", "--yes", cwd=workspace)
    toml = workspace / case.name / "whytune.toml"
    text = toml.read_text("utf-8")
    for old, new in case.edits.items():
        assert old in text, old
        text = text.replace(old, new, 1)
    toml.write_text(text, "utf-8")
    begun = time.monotonic()
    whytune("run", case.name, "--json", cwd=workspace)
    seconds = time.monotonic() - begun
    decision = json.loads(whytune("decide", case.name, "--json", cwd=workspace, ok=(0, 3, 6)))
    data = json.loads(whytune("data", "show", case.name, "--json", cwd=workspace))
    adapters = json.loads(whytune("train", case.name, "--json", cwd=workspace))["adapters"]
    return {
        "case": case.name, "task": case.task, "seconds": seconds, "verdict": decision["verdict"]["code"],
        "sentence": decision["verdict"]["sentence"], "rule": decision["rule"], "counts": data["dataset"]["counts"], "removed": data["dataset"]["removed"],
        "arms": [
            {"arm": arm["arm"], **arm["primary"], "cost_per_1000": arm["spending"]["cost_per_1000"], "median_seconds": arm["spending"]["median_seconds"], "beside": {m["name"]: m["value"] for m in arm["beside"]}}
            for arm in decision["arms"]
        ],
        "attribution": decision["attribution"], "training": [{"tokens": a["tokens"], "seconds": a["seconds"], "dtype": a["dtype"], "rows": a["rows"]} for a in adapters],
        "peak_memory_bytes": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024,
    }  # fmt: skip


def table(results: list[dict[str, Any]]) -> str:
    """The results as Markdown."""
    lines = ["| case | rows train/dev/test | arm | metric | value | 95 % interval | n | s/answer | verdict | minutes |", "|---|---|---|---|---|---|---|---|---|---|"]
    for result in results:
        counts = "/".join(str(result["counts"].get(split, 0)) for split in ("train", "dev", "test"))
        for place, arm in enumerate(result["arms"]):
            head = (result["case"], counts) if place == 0 else ("", "")
            tail = (result["verdict"], f"{result['seconds'] / 60:.1f}") if place == 0 else ("", "")
            cells = (*head, arm["arm"], arm["name"], f"{arm['value']:.3f}", f"{arm['low']:.3f} to {arm['high']:.3f}", str(arm["n"]), f"{arm['median_seconds']:.3f}", *tail)
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Run the cases that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", help=f"any of {', '.join(case.name for case in ALL)}")
    parser.add_argument("--out", type=Path, help="write the results as JSON, after each case")
    chosen = parser.parse_args()
    results: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="whytune-cases-") as folder:
        for case in ALL:
            if chosen.cases and case.name not in chosen.cases:
                continue
            if not all((CASES / name).exists() for name in case.files):
                print(f"{case.name}: left out, no data in {CASES}", file=sys.stderr)
                continue
            results.append(run(case, Path(folder)))
            print(f"{case.name}: {results[-1]['verdict']} in {results[-1]['seconds']:.0f} s", file=sys.stderr, flush=True)
            if chosen.out:
                chosen.out.write_text(json.dumps(results, indent=1), "utf-8")
    print(table(results))


if __name__ == "__main__":
    main()
