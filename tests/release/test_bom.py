"""The bill of materials is valid CycloneDX 1.7 and names every part by digest, every figure with its interval."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.acceptance.cases import ADAPTER, BASE, CANDIDATE, TRIAL
from tests.release.abouts import about

from whytune.records.candidate import Candidate
from whytune.release.about import About
from whytune.release.bom import bom


def problems(document: dict[str, Any]) -> Any:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    return JsonStrictValidator(SchemaVersion.V1_7).validate_str(json.dumps(document))


def plain() -> About:
    return about(candidate=Candidate(base=BASE.id, prompt=CANDIDATE.prompt), adapter=None, trial=None, report=None, evaluation=None, decision=None, validation=None)


@pytest.mark.slow  # reading the schema takes seconds
@pytest.mark.parametrize("told", [about(), plain(), about(base=BASE.model_copy(update={"licence": "llama3.2"}))], ids=["tuned", "prompt only", "own licence"])
def test_it_is_valid(told: About) -> None:
    document = bom(told, "0.1.0")
    assert problems(document) is None
    assert bom(told, "0.1.0") == document, "the same release has the same bill"


@pytest.mark.slow
def test_a_broken_one_is_not_valid() -> None:
    document = bom(about(), "0.1.0")
    document["components"][0]["hashes"][0]["content"] = "no digest"
    assert problems(document) is not None


def test_parts_stand_under_their_digests_and_figures_with_intervals() -> None:
    document = bom(about(), "0.1.0")
    hashes = {part["name"]: part["hashes"][0]["content"] for part in document["components"] if "hashes" in part}
    assert BASE.digest in hashes.values()
    assert ADAPTER.digest in hashes.values()
    assert {part["name"] for part in document["components"] if part["type"] == "library"} == {"torch", "peft"}
    model = document["metadata"]["component"]
    metrics = model["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]
    assert metrics[0]["confidenceInterval"] == {"lowerBound": f"{TRIAL.primary.low:.6g}", "upperBound": f"{TRIAL.primary.high:.6g}"}
    assert any(metric["slice"].startswith("channel") for metric in metrics)
    assert {each["value"] for each in model["properties"]} >= {"bea", "rita", "tess", "independently approved"}
    refs = {part["bom-ref"] for part in document["components"]} | {model["bom-ref"]}
    assert {each["ref"] for each in document["dependencies"]} == refs
