"""What is proven after the last step: the weights moved, and the files hold what was trained.

It also writes the adapter's folder: the weights and a configuration without anything of this machine, so that equal
weights are equal files. Example: an adapter whose `o_proj` of layer 3 still is zero is refused.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from whytune.answering.backends.models import load
from whytune.errors import TrainingError
from whytune.records.candidate import Base
from whytune.training.machine import DtypeName
from whytune.training.plan import Proof
from whytune.training.rows import TrainingRow

WEIGHTS = "adapter_model.safetensors"
CONFIG = "adapter_config.json"


def write_adapter(checkpoint: Path, folder: Path, base_name: str) -> None:
    """The adapter of a checkpoint as a folder of two files, which appears whole or not at all."""
    aside = folder.with_name(f".saving-{folder.name}")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    shutil.copyfile(checkpoint / WEIGHTS, aside / WEIGHTS)
    config = json.loads((checkpoint / CONFIG).read_text("utf-8"))
    config["base_model_name_or_path"] = base_name
    # PEFT keeps this as a set, whose order changes from process to process.
    config["target_modules"] = sorted(config["target_modules"])
    (aside / CONFIG).write_text(json.dumps(config, indent=1, sort_keys=True) + "\n", "utf-8")
    for file in (aside / WEIGHTS, aside / CONFIG):
        handle = os.open(file, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    if folder.exists():
        shutil.rmtree(folder)
    os.rename(aside, folder)


def prove_moved(folder: Path) -> Proof:
    """Every adapted layer differs from the base: its second factor begins at zero and is zero no more."""
    from safetensors.torch import load_file

    weights = load_file(str(folder / WEIGHTS))
    seconds = {name: weight for name, weight in weights.items() if ".lora_B." in name}
    still = sorted(name for name, weight in seconds.items() if not weight.any())
    if still or not seconds:
        raise TrainingError(
            "Layers of the adapter did not move in training",
            problems=[name.removeprefix("base_model.model.") for name in still[:20]]
            or ["there is no adapted layer"],
            next="raise learning_rate or epochs in the recipe, then train again",
        )
    return Proof("moved", f"the weights moved in each of {len(seconds)} adapted layers")


def prove_reload(
    model: Any, base: Base, folder: Path, rows: Sequence[TrainingRow], dtype: DtypeName
) -> Proof:
    """Loaded anew from its files, the adapter gives the very logits of the model in memory."""
    import torch
    from peft import set_peft_model_state_dict
    from safetensors.torch import load_file

    set_peft_model_state_dict(model, load_file(str(folder / WEIGHTS)))
    model.eval()
    place = next(model.parameters()).device
    fresh = load(base, dtype, folder).model.to(place)
    apart = 0.0
    with torch.no_grad():
        for row in rows:
            ids = torch.tensor([row.ids], device=place)
            here = model.get_base_model()(input_ids=ids, use_cache=False).logits
            there = fresh.get_base_model()(input_ids=ids, use_cache=False).logits
            if not torch.equal(here, there):
                apart = max(apart, float((here - there).abs().max()), torch.finfo(torch.float32).tiny)
    if apart:
        raise TrainingError(
            f"The saved adapter does not give the logits of the trained model (apart by {apart:.2g})",
            where=str(folder),
            next="remove the run's folder and train again; if it stays, the base model's files changed in between",
        )
    return Proof("reload", f"loaded anew from its files, the logits of {len(rows)} rows are identical")
