"""Which models fit: small first, a reason for each that does not, and nothing claimed that is not known."""

from __future__ import annotations

from pathlib import Path

import pytest

from whytune.errors import ModelError, SettingsError, UsageError
from whytune.records.catalogue import ModelEntry
from whytune.workspace import catalogue
from whytune.workspace.catalogue import Needs, fit
from whytune.workspace.workspace import Workspace

ROOM = 24 * 10**9
SMALL = ModelEntry(name="small", base="hub:some/small", parameters=135_000_000, context=2048, licence="apache-2.0")


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setenv("WHYTUNE_CACHE", str(tmp_path / "cache"))
    return Workspace.open(tmp_path, create=True)


def test_what_fits_comes_first_and_the_smallest_of_it(room: Workspace) -> None:
    found = catalogue.fits(room, free=ROOM)
    fitting = [each.entry.parameters for each in found if each.fits and each.trainable]
    assert found[0].entry.base == "bundled"
    assert fitting == sorted(fitting)
    assert [each.fits for each in found] == sorted((each.fits for each in found), reverse=True)
    for each in found:
        assert each.entry.licence
        assert each.entry.context
        assert each.fits or each.against, "each exclusion has a reason"


def test_every_reason_is_told_at_once() -> None:
    picky = Needs(task="chat", licences=("MIT",), longest=4000, no_egress=True)
    entry = SMALL.model_copy(update={"tasks": ("qna",), "parameters": 9 * 10**9})
    told = fit(entry, "workspace", picky, ROOM)
    assert not told.fits
    assert not told.trainable
    assert len(told.against) == 4
    assert [word for word in ("qna", "apache-2.0", "4,000", "GB") if not any(word in reason for reason in told.against)] == []
    assert fit(SMALL, "workspace", Needs(task="chat", licences=("Apache-2.0",), longest=1000), ROOM).fits


def test_memory_is_told_by_method_and_decides() -> None:
    told = fit(SMALL, "whytune", Needs(), ROOM)
    assert told.train_bytes["qlora"] < told.train_bytes["lora"] < told.train_bytes["full"]
    # LoRA on the bundled model of this size was seen to take 3.2 GB with batches of 1,024 positions.
    assert 2.5e9 < told.train_bytes["lora"] < 4.5e9
    tight = fit(SMALL, "whytune", Needs(), (told.train_bytes["qlora"] + told.train_bytes["lora"]) // 2)
    assert (tight.fits, tight.trainable) == (True, True)
    assert "only qlora fits" in tight.against_training[0]
    assert not fit(SMALL, "whytune", Needs(), told.answer_bytes).trainable


def test_an_endpoint_is_asked_not_trained_and_kept_inside_where_data_may_not_leave() -> None:
    away = ModelEntry(name="far", base="endpoint:https://api.example.com/v1", context=8192, licence="x")
    told = fit(away, "workspace", Needs(no_egress=True), ROOM)
    assert (told.fits, told.trainable, told.unknown) == (False, False, ())
    near = fit(away.model_copy(update={"base": "endpoint:http://localhost:8000/v1"}), "workspace", Needs(no_egress=True), ROOM)
    assert (near.fits, near.trainable) == (True, False)
    assert "weights are not here" in near.against_training[0]


def test_a_folder_says_its_own_facts_and_stays_listed(room: Workspace, tiny_model: Path) -> None:
    added = catalogue.add(room, ModelEntry(name="mine", base=f"folder:{tiny_model}", licence="mit"))
    assert (added.parameters > 10_000, added.context) == (True, 512)
    again = catalogue.add(room, ModelEntry(name="other", base="hub:some/other", note='says "hi"'))
    assert [entry for entry, who in catalogue.entries(room) if who == "workspace"] == [added, again]
    found = {each.entry.name: each for each in catalogue.fits(room, free=ROOM)}
    assert found["mine"].listed == "workspace"
    assert found["other"].unknown == ("parameters", "context", "licence")
    catalogue.add(room, ModelEntry(name="SmolLM2-135M-Instruct", base="bundled", licence="apache-2.0"))
    assert len([each for each in catalogue.fits(room, free=ROOM) if each.entry.base == "bundled"]) == 1


def test_bad_lists_and_bad_models_are_refused(room: Workspace, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No task"):
        catalogue.add(room, ModelEntry(name="x", base="bundled", tasks=("poetry",)))
    with pytest.raises(ModelError):
        catalogue.add(room, ModelEntry(name="x", base=f"folder:{tmp_path / 'gone'}"))
    (tmp_path / catalogue.FILE).write_text('oops = 1\n[[models]]\nname = "a"\nbase = "ftp:x"\nsize = 3\n[[models]]\nname = "b"\n')
    with pytest.raises(SettingsError) as told:
        catalogue.entries(room)
    assert len(told.value.problems) == 4
    (tmp_path / catalogue.FILE).write_text("[[models\n")
    with pytest.raises(SettingsError, match="cannot be read"):
        catalogue.entries(room)
