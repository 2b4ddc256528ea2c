"""What is proven after the last step: the weights moved, and the files hold what was trained.

It also writes the adapter's folder: the weights and a configuration without anything of this machine, so that equal
weights are equal files. Example: an adapter whose `o_proj` of layer 3 still is zero is refused.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from whytune.answering.backends.models import FULL_MARK, FULL_WEIGHTS, calm, load
from whytune.errors import TrainingError
from whytune.records.candidate import Base
from whytune.training.machine import DtypeName
from whytune.training.plan import Proof
from whytune.training.rows import TrainingRow

WEIGHTS = "adapter_model.safetensors"
CONFIG = "adapter_config.json"


@dataclass(frozen=True)
class Fitted:
    """Trained weights as they lie on the disk, and how they are read again."""

    base: Base
    folder: Path
    dtype: DtypeName
    quantised: bool = False


def save_weights(model: Any, folder: Path) -> None:
    """The weights of this moment as a folder that answering can load: an adapter, or all of them."""
    with calm():
        if hasattr(model, "peft_config"):
            model.save_pretrained(str(folder), save_embedding_layers=False)
        else:
            model.save_pretrained(str(folder))
            _mark(folder, "")


def write_adapter(checkpoint: Path, folder: Path, base_name: str) -> None:
    """The trained weights of a checkpoint as a folder of two files, which appears whole or not at all."""
    aside = folder.with_name(f".saving-{folder.name}")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    if (checkpoint / CONFIG).is_file():
        shutil.copyfile(checkpoint / WEIGHTS, aside / WEIGHTS)
        config = json.loads((checkpoint / CONFIG).read_text("utf-8"))
        config["base_model_name_or_path"] = base_name
        # PEFT keeps this as a set, whose order changes from process to process.
        config["target_modules"] = sorted(config["target_modules"])
        (aside / CONFIG).write_text(json.dumps(config, indent=1, sort_keys=True) + "\n", "utf-8")
    else:
        shutil.copyfile(checkpoint / FULL_WEIGHTS, aside / FULL_WEIGHTS)
        _mark(aside, base_name)
    for file in aside.iterdir():
        handle = os.open(file, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    if folder.exists():
        shutil.rmtree(folder)
    os.rename(aside, folder)


def prove_moved(folder: Path, base: Base | None = None) -> Proof:
    """Every adapted layer differs from the base: its second factor begins at zero and is zero no more.

    base: needed where all weights were trained; then every matrix must differ from the base's.
    """
    from safetensors.torch import load_file

    if (folder / FULL_MARK).is_file() and base is not None:
        before = load(base, "float32").model.state_dict()
        moved = {
            name: bool((weight.float() != before[name].float()).any())
            for name, weight in load_file(str(folder / FULL_WEIGHTS)).items()
            if weight.dim() > 1
        }
    else:
        found = load_file(str(folder / WEIGHTS))
        moved = {name: bool(weight.any()) for name, weight in found.items() if ".lora_B." in name}
    still = sorted(name for name, yes in moved.items() if not yes)
    if still or not moved:
        raise TrainingError(
            "Layers of the adapter did not move in training",
            problems=[name.removeprefix("base_model.model.") for name in still[:20]]
            or ["there is no adapted layer"],
            next="raise learning_rate or epochs in the recipe, then train again",
        )
    return Proof("moved", f"the weights moved in each of {len(moved)} adapted layers")


def best_logits(model: Any, folder: Path, rows: Sequence[TrainingRow]) -> list[Any]:
    """What the model in memory says to some rows with the best weights; kept so that it can go before it is read anew."""
    _take_best(model, folder)
    return _logits(model.eval(), rows)


def prove_reload(before: Sequence[Any], fitted: Fitted, rows: Sequence[TrainingRow], place: Any) -> Proof:
    """Loaded anew from its files, the adapter gives the very logits that the trained model gave."""
    import torch

    fresh = load(fitted.base, fitted.dtype, fitted.folder, quantised=place.type if fitted.quantised else "").model
    apart = 0.0
    for here, there in zip(before, _logits(fresh if fitted.quantised else fresh.to(place), rows), strict=True):
        if not torch.equal(here, there):
            apart = max(apart, float((here - there).abs().max()), torch.finfo(torch.float32).tiny)
    if apart:
        raise TrainingError(
            f"The saved adapter does not give the logits of the trained model (apart by {apart:.2g})",
            where=str(fitted.folder),
            next="remove the run's folder and train again; if it stays, the base model's files changed in between",
        )
    return Proof("reload", f"loaded anew from its files, the logits of {len(rows)} rows are identical")


def _logits(model: Any, rows: Sequence[TrainingRow]) -> list[Any]:
    import torch

    place = next(model.parameters()).device
    with torch.no_grad():
        return [_core(model)(input_ids=torch.tensor([row.ids], device=place), use_cache=False).logits for row in rows]


def _take_best(model: Any, folder: Path) -> None:
    """The weights of the best look, into the model in memory."""
    from peft import set_peft_model_state_dict
    from safetensors.torch import load_file

    if (folder / FULL_MARK).is_file():
        model.load_state_dict(load_file(str(folder / FULL_WEIGHTS)), strict=False)
    else:
        set_peft_model_state_dict(model, load_file(str(folder / WEIGHTS)))


def _core(model: Any) -> Any:
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def _mark(folder: Path, base_name: str) -> None:
    said = {"base_model": base_name, "method": "full", "weights": FULL_WEIGHTS}
    (folder / FULL_MARK).write_text(json.dumps(said, indent=1, sort_keys=True) + "\n", "utf-8")
