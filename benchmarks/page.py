"""Writes `docs/benchmarks.md` from what the benchmarks measured; it measures nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Kept = Mapping[str, Any]
INTRO = """# Benchmarks

The figures come from the scripts behind `make bench` (`python benchmarks/run.py NAME` for one part), which anyone can run
again; where a part was put together from several runs, it says so. Each part names its date and machine; `load` is how busy the machine was when it ended, and a figure measured on a busy
machine is a figure of a busy machine. Ratios compare two ways in one run on the same machine.

The [coverage simulations](coverage.md) of our intervals are a page of their own.
"""
SOURCES = """The data sets are public: banking77 and restaurant8k (PolyAI, CC BY 4.0), TweetEval sentiment (research use), DialogSum
(CC BY-NC-SA 4.0), and the cricket table with its question/answer pairs from the repository that this product's flowchart
comes from. None of them is part of this project; `WHYTUNE_CASES` names the folder that holds them.
"""


def page(kept: Mapping[str, Kept], before: str = "") -> str:
    """The whole page. A part without a result here stays as it is in the page before, or is left out."""
    stood = {part.partition("\n")[0]: part for part in before.split("\n## ")[1:]}
    writers = {"demo": _demo, "cases": _cases, "training": _training, "estimates": _estimates, "responsible": _responsible, "answering": _answering, "data": _plain, "near": _plain, "checks": _checks, "store": _plain, "review": _plain, "serving": _serving, "help": _plain, "web": _web, "live": _live}
    titles = {
        "demo": "`make demo`, after set-up", "cases": "Real data, from files to verdict", "training": "Training speed", "estimates": "What a run was expected to take, and took", "answering": "Answering speed",
        "responsible": "Every responsible-AI probe, base against tuned",
        "data": "100,000 rows: import, split, certificate, checks", "near": "Exact and near-duplicates of 1,000,000 texts", "checks": "Every check over 10,000 and 100,000 rows", "store": "Store and search", "review": "Review queue with 50 people", "serving": "Serving: what the gateway adds", "web": "The site with 50 use cases, 10,000 cases, 500 runs; fifty people and five live runs", "live": "A training that somebody watches in the browser", "help": "`whytune --help`",
    }  # fmt: skip
    parts = [INTRO]
    for name, title in titles.items():
        if name in kept:
            found = kept[name]
            parts.append(f"## {title}\n\n{found['date']}, {found['machine']}; load {found['load']:.1f}. {found.get('note', '')}\n\n{writers[name](found['result'])}")
        elif title in stood:
            parts.append(f"## {stood[title].rstrip()}\n")
    return "\n".join(parts).rstrip() + "\n"


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head), *("| " + " | ".join(str(cell) for cell in row) + " |" for row in rows)]
    return "\n".join(lines) + "\n"


def _arms(arms: Sequence[Mapping[str, Any]]) -> str:
    return "<br>".join(f"{arm['arm']} {arm['value']:.3f} ({arm['low']:.3f} to {arm['high']:.3f})" for arm in arms)


def _demo(result: Mapping[str, Any]) -> str:
    rows = [
        (case, f"{found['seconds'] / 60:.1f}", f"{found['peak_gib']:.1f}", found["bar"], found["arms"][0]["n"], _arms(found["arms"]), found["verdict"])
        for case, found in result.items()
    ]
    said = "\n".join(f"- **{case}**: {found['sentence']}" for case, found in result.items())
    return f"Bars: at most 10 minutes and 6 GiB on two idle cores.\n\n{_table(('case', 'minutes', 'peak GiB so far', 'bar', 'n', 'arms (95 % interval)', 'verdict'), rows)}\n{said}\n"


def _cases(result: Mapping[str, Any]) -> str:
    rows, said = [], []
    for found in result["cases"]:
        counts = "/".join(str(found["counts"].get(split, 0)) for split in ("train", "dev", "test"))
        removed = ", ".join(f"{reason} {n}" for reason, n in found["removed"].items()) or "none"
        tokens = ", ".join(f"{each['tokens'] / each['seconds']:.0f} tokens/s" for each in found["training"]) or "none"
        rows.append((found["case"], counts, removed, f"{found['arms'][0]['name']} ≥ {found['rule']['bar']}", _arms(found["arms"]), f"{found['seconds'] / 60:.1f}" if found["seconds"] else "not timed", tokens, found["verdict"]))
        said.append(f"- **{found['case']}**: {found['sentence']}" + (f" {found['attribution']['sentence']}" if found["attribution"] else ""))
    head = ("case", "train/dev/test", "removed", "rule", "arms on test (95 % interval)", "minutes", "training, dev looks included", "verdict")
    return f"{SOURCES}\n{_table(head, rows)}\n" + "\n".join(said) + "\n"


def _training(result: Mapping[str, Any]) -> str:
    speed, work = result["tokens_per_second"], result["tokens_per_processor_second"]
    rows = [(name.replace("_", " "), value, work[name]) for name, value in speed.items()]
    return (
        f"{result['model']}, LoRA rank 16 on all linear layers, {result['dtype']}, {result['threads']} threads; {result['rows']} rows of {result['mean_length']} tokens on average, "
        f"the longest {result['longest']}. Non-padding tokens of full sequences, the best of {result['turns']} turns of {result['steps']} steps each.\n\n"
        f"{_table(('', 'tokens a second', 'tokens a processor second'), rows)}\n"
        f"- uneven rows against TRL's defaults: **{result['uneven_ratio']}x** (bar {result['uneven_bar']}x)\n"
        f"- even rows against TRL at its best settings: **{result['even_ratio']}x** (bar {result['even_bar']}x)\n\n"
        "TRL's defaults train every token, in batches of 8, and compute activations twice; ours trains only the answers, computes logits only there, and what "
        "all rows of a batch begin with once. Uneven: both sides draw from the same rows, in batches of their own making. "
        f"{result['note']}.\n"
    )


def _answering(result: Mapping[str, Any]) -> str:
    speed, work = result["answers_per_second"], result["answers_per_processor_second"]
    rows = [(name.replace("_", " "), value, work[name]) for name, value in speed.items()]
    return (
        f"{result['n']} prompts of {result['tokens_in']} tokens with a shared list of labels, 16 new tokens; {result['dtype']}, {result['threads']} threads; median of {result['rounds']}.\n\n"
        f"{_table(('', 'answers a second', 'answers a processor second'), rows)}\n"
        f"- free text: **{result['ratio_free']}x** a one-by-one `generate` loop (bar 4x); labels: **{result['ratio_labels']}x** (bar 12x)\n"
        f"- free answers that are the slow way's, word for word: {result.get('same', '?')} of {result['n_one_by_one']}\n"
    )


def _checks(result: Mapping[str, Any]) -> str:
    rows = [(f"{found['rows']:,}", found["task"], found["cpu_seconds"], _dearest(found["by_check"])) for found in result["results"]]
    return f"CPU-seconds; bars: 6 for 10,000 rows, 60 for 100,000.\n\n{_table(('rows', 'task', 'CPU-seconds', 'the dearest checks'), rows)}"


def _dearest(by_check: Mapping[str, float]) -> str:
    return ", ".join(f"`{name}` {spent:.1f}" for name, spent in sorted(by_check.items(), key=lambda one: -one[1])[:4])


def _web(result: Mapping[str, Any]) -> str:
    pages, crowd = result["pages"], result["crowd"]
    rows = [(f"`{url}`", one["first_ms"], one["median_ms"], one["p95_ms"], one["processor_ms"], f"{one['bytes']:,}") for url, one in pages["pages"].items()]
    visits = ", ".join(f"`{url}` {size / 1000:.0f} KB" for url, size in pages["first_visit_bytes"].items())
    slow = ", ".join(f"`{url}`" for url in pages["above_200_ms"]) or "none"
    return (
        f"Bars: a first visit of at most 150 KB; 95 of 100 answers within 200 ms; fifty people and five live runs on one process without an error.\n\n"
        f"- one request after the other: 95 of 100 within **{pages['p95_ms']} ms**; the slowest page 95 of 100 times within {pages['worst_p95_ms']} ms; the dearest takes {pages['most_processor_ms']} ms of processor time; above 200 ms: {slow}\n"
        f"- the first page after a start: {pages['first_page_after_a_start_ms']} ms\n"
        f"- bytes of a first visit, everything included: {visits}\n"
        f"- {crowd['people']} people who think {crowd['think_seconds']} s, {crowd['live_runs']} trainings going on with their pages open, {crowd['seconds']} s: {crowd['pages']:,} pages, **{sum(crowd['errors'].values())} errors**; "
        f"median {crowd['median_ms']} ms, p95 {crowd['p95_ms']} ms, p99 {crowd['p99_ms']} ms, all at once on a server that has just started; after its first seconds p95 **{crowd['settled_p95_ms']} ms**; {crowd['processor_ms_a_page']} ms of processor time a page, live streams included; the server took {crowd['server_processor_percent']} % of a core, "
        f"the trainings made {crowd['training_steps']:,} steps meanwhile and {crowd['points_heard']:,} points of their curves were heard; load {crowd['load_before']} before, {crowd['load_after']} after\n\n"
        f"{_table(('page', 'first ms', 'median ms', 'p95 ms', 'processor ms', 'bytes'), rows)}"
    )


def _serving(result: Mapping[str, Any]) -> str:
    added, bar = result["overhead"], "Bars: the gateway takes at most 2 ms beside the model at the median; at least as many tokens a second as `transformers serve`.\n\n"
    said = (
        f"- one short question after the other, {added['parts']} parts of 300: the gateway takes **{added['inside_ms']:.2f} ms** of each answer beside the model ({added['inside_ms_least']:.2f} to {added['inside_ms_most']:.2f}), from the request's arrival to the answer's last byte; an operator reads the same at `/metrics`\n"
        f"- whoever asks waits {added['gateway_ms']:.2f} ms, {added['overhead_ms']:.2f} ms more ({added['overhead_ms_least']:.2f} to {added['overhead_ms_most']:.2f}) than inside the engine's own process ({added['engine_ms']:.2f} ms): {added['empty_http_ms']:.2f} ms are an empty HTTP request, and the engine is slower in a process that does other things between two questions\n"
        f"- processor time: {added['gateway_cpu_ms']:.2f} ms an answer, {added['engine_cpu_ms']:.2f} ms of them the engine's where it is alone\n"
    )
    if "throughput" not in result:
        return bar + said
    rows = []
    for name, title in (("whytune", "whytune"), ("transformers", "`transformers serve`"), ("transformers_batching", "`transformers serve --continuous-batching`")):
        if name in result["throughput"]:
            one, ratio = result["throughput"][name], result["throughput"].get(f"ratio_to_{name}")
            rows.append((title, f"{one['tokens_a_second']:.1f}", f"{one['answers_a_second']:.2f}", one["tokens"], f"{one['seconds']:.0f}", f"{ratio:.2f}" if ratio else ""))
    return f"{bar}{said}\nThe bundled model under load, greedy, the same questions to each server:\n\n{_table(('server', 'tokens a second', 'answers a second', 'tokens', 'seconds', 'whytune to it'), rows)}"


def _live(result: Mapping[str, Any]) -> str:
    rows = []
    for name, title in (("seconds_a_step", "seconds a step"), ("processor_seconds_a_step", "processor seconds a step, training and server")):
        one = result[name]
        rows.append((title, f"{one['alone']:.5f}", f"{one['watched']:.5f}", f"{one['more_percent']:+.2f} % ({one['low_percent']:+.2f} to {one['high_percent']:+.2f})"))
    return (
        f"Bar: a live page adds at most 1 % to training time. {result['pairs']} pairs of stretches of {result['seconds_each']:.0f} s of one training, {result['steps']:,} steps in all; medians, and the mean of the pairs' ratios with its 95 % interval.\n\n"
        f"{_table(('', 'nobody looks', 'a page is open', 'difference'), rows)}\n"
        f"- the server took {result['server_processor_percent_alone']} % of a core while nobody looked, **{result['server_processor_percent_watched']} %** with the page open\n"
        f"- by that account an open page costs **{result['server_processor_percent_watched'] - result['server_processor_percent_alone']:.2f} %** of one core, which is what a training on that core would lose; the differences above also hold what the machine itself drifts from stretch to stretch\n"
        f"- what the training does to be followed at all, watched or not: {result['notes_microseconds_a_step']:.0f} microseconds of processor time a step\n"
    )


def _estimates(result: Mapping[str, Any]) -> str:
    def off(told: float, was: float) -> str:
        return f"{told:,g} ({100 * (told / was - 1):+.0f} %)"

    rows = [
        (name.replace("_", " "), f"{run['steps']} of {run['batch']}, longest {run['longest']}",
         off(run["memory_mb_added_up"], run["memory_mb"]), off(run["memory_mb_expected"], run["memory_mb"]), f"{run['memory_mb']:,}",
         off(run["seconds_added_up"], run["seconds"]), off(run["seconds_expected"], run["seconds"]), run["seconds"])
        for name, run in result["runs"].items()
    ]  # fmt: skip
    head = ("run", "steps", "MB before", "MB after three steps", "MB at the peak", "seconds before", "seconds after three steps", "seconds of the steps")
    return (
        f"Each run is a process of its own with {result['threads']} thread, float32; dev is looked at as in a project. *Before*: added up from sizes, and this machine's rate, before a model is "
        f"loaded. *After three steps*: corrected by three measured steps on the longest batch; that is the figure a run is held to. Bars: memory within {100 * result['memory_bar']:.0f} %, time within {100 * result['time_bar']:.0f} %.\n\n{_table(head, rows)}"
    )


def _responsible(result: Mapping[str, Any]) -> str:
    rows = [(each["dimension"], f"`{each['probe']}`", each["status"], each["n"]) for each in result["results"]]
    phases = "; ".join(f"{name} {spent:.0f} s" for name, spent in result["phases"].items() if name)
    planted = ""
    if held := result.get("canaries"):
        spent = "; ".join(f"{name} {seconds:.0f} s" for name, seconds in held["phases"].items() if name)
        planted = f"\n\nThe privacy run before it, which trains once more with canaries planted: **{held['seconds'] / 60:.1f} minutes**, {held['cpu_seconds']:.0f} processor seconds. {spent}."
    return (
        f"The bundled model with an adapter of {result['train_rows']} rows and one epoch, {result['labels']} labels, {result['items']} rows a probe, {result['threads']} threads. "
        f"**{result['seconds'] / 60:.1f} minutes** by the clock, {result['cpu_seconds']:.0f} processor seconds (bar: 10 minutes); {result['answers']:,} answers, "
        f"{result['tokens_computed']:,} tokens read and {result['tokens_out']:,} written, {result['tokens_per_second']:,} a second. {phases}.{planted}\n\n{_table(('dimension', 'probe', 'status', 'n'), rows)}"
    )


def _plain(result: Mapping[str, Any], path: str = "") -> str:
    rows: list[tuple[str, object]] = []

    def walk(value: Any, name: str) -> None:
        if isinstance(value, Mapping):
            for key, inner in value.items():
                walk(inner, f"{name} {key}".strip())
        else:
            rows.append((name.replace("_", " "), f"{value:,.3f}".rstrip("0").rstrip(".") if isinstance(value, float) else value))

    walk(result, path)
    return _table(("figure", "value"), rows)
