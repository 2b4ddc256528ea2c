"""The bill of materials: CycloneDX 1.7 JSON with the model, its base, adapter, data and libraries, each by digest.

Figures go into the model card of the standard with their confidence intervals. What the standard has no field for
(approvals, ledger head) stands in properties named `whytune:...`.
"""

from __future__ import annotations

import uuid
from typing import Any

from whytune.records.candidate import ARM_TITLES
from whytune.records.evidence import Measure
from whytune.release.about import NOT_COVERED_CARD, About

SPDX = {
    "apache-2.0": "Apache-2.0", "mit": "MIT", "bsd-3-clause": "BSD-3-Clause", "cc-by-4.0": "CC-BY-4.0", "cc0-1.0": "CC0-1.0", "gpl-3.0": "GPL-3.0-only",
}  # fmt: skip
"""Licences as model folders spell them, and as the standard does; others are given by name."""
SPACE = uuid.UUID("6f0f4a4e-7d5e-5b0c-9a55-0c2b0e6b7b1d")


def bom(about: About, whytune_version: str) -> dict[str, Any]:
    """The document as JSON values."""
    libraries = [
        {"type": "library", "bom-ref": f"pkg:{name}", "name": name, "version": version, "purl": f"pkg:pypi/{name.lower().replace('_', '-')}@{version}"}
        for name, version in sorted(about.engine.versions.items())
    ]
    parts = [_base(about), *([_adapter(about)] if about.adapter else []), _data(about), *libraries]
    main = _main(about)
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.7.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.7",
        "serialNumber": f"urn:uuid:{uuid.uuid5(SPACE, about.candidate.id + about.made)}",
        "version": 1,
        "metadata": {
            "timestamp": about.made,
            "tools": {"components": [{"type": "application", "name": "whytune", "version": whytune_version}]},
            "component": main,
        },
        "components": parts,
        "dependencies": [{"ref": main["bom-ref"], "dependsOn": [part["bom-ref"] for part in parts]}, *({"ref": part["bom-ref"], "dependsOn": []} for part in parts)],
    }


def _main(about: About) -> dict[str, Any]:
    signed = [{"name": f"whytune:signature:{each.role}", "value": each.person} for each in about.approvals]
    return {
        "type": "machine-learning-model",
        "bom-ref": about.candidate.id,
        "name": about.usecase.name,
        "version": str(about.number),
        "description": f"{ARM_TITLES[about.candidate.arm]}: {about.usecase.purpose or about.usecase.task}",
        "hashes": [_sha256(about.candidate.id.rpartition(":")[2])],
        "licenses": _licence(about.base.licence),
        "modelCard": {
            "modelParameters": {
                "task": about.usecase.task,
                "approach": {"type": "supervised"} if about.adapter else {},
                "modelArchitecture": about.base.name,
                "datasets": [{"ref": about.dataset.id}],
                "inputs": [{"format": "text"}],
                "outputs": [{"format": "text"}],
            },
            "quantitativeAnalysis": {"performanceMetrics": _metrics(about)},
            "considerations": {
                "useCases": [about.usecase.purpose or about.usecase.task],
                "technicalLimitations": [*(about.decision.limits if about.decision else ()), *(f"not covered: {line}" for line in NOT_COVERED_CARD)],
                "ethicalConsiderations": _ethical(about),
                "fairnessAssessments": _fairness(about),
            },
        },
        "properties": [
            {"name": "whytune:approved", "value": about.stamp}, {"name": "whytune:policy", "value": about.policy.id},
            {"name": "whytune:acceptance", "value": about.acceptance.id}, {"name": "whytune:prompt", "value": about.candidate.prompt.id},
            {"name": "whytune:dtype", "value": about.engine.dtype or "as the service does"}, *signed,
        ],
    }  # fmt: skip


def _metrics(about: About) -> list[dict[str, Any]]:
    if about.trial is None:
        return []
    trial = about.trial
    found = [_metric(trial.primary, "test"), *(_metric(each, "test") for each in trial.beside)]
    found += [_metric(each, name) for name, each in trial.slices]
    if about.evaluation:
        found.append(_metric(about.evaluation.preference, "human evaluation"))
    return found


def _metric(measure: Measure, where: str) -> dict[str, Any]:
    return {
        "type": measure.name, "value": f"{measure.value:.6g}", "slice": f"{where}, n = {measure.n}",
        "confidenceInterval": {"lowerBound": f"{measure.low:.6g}", "upperBound": f"{measure.high:.6g}"},
    }  # fmt: skip


def _ethical(about: About) -> list[dict[str, Any]]:
    if about.report is None:
        return [{"name": "responsible AI", "mitigationStrategy": "not run"}]
    statuses = about.report.statuses(about.waivers, about.day)
    return [{"name": f"{dimension}: {status}", "mitigationStrategy": f"report {about.report.id}"} for dimension, status in statuses.items()]


def _fairness(about: About) -> list[dict[str, Any]]:
    if about.report is None:
        return []
    return [
        {"groupAtRisk": result.probe, "harms": f"{result.status}: {result.sentence}"}
        for result in about.report.waived(about.waivers, about.day)
        if result.dimension in ("fairness", "counterfactual_bias")
    ]


def _base(about: About) -> dict[str, Any]:
    return {
        "type": "machine-learning-model", "bom-ref": about.base.id, "name": about.base.name, "version": about.base.revision or about.base.digest[:12],
        "hashes": [_sha256(about.base.digest)], "licenses": _licence(about.base.licence),
        "properties": [{"name": "whytune:source", "value": about.base.source}, {"name": "whytune:parameters", "value": str(about.base.parameters)}],
    }  # fmt: skip


def _adapter(about: About) -> dict[str, Any]:
    assert about.adapter is not None  # asked for only where there is one
    return {
        "type": "machine-learning-model", "bom-ref": about.adapter.id, "name": f"{about.usecase.name} adapter", "version": about.adapter.digest[:12],
        "hashes": [_sha256(about.adapter.digest)],
        "pedigree": {"ancestors": [{"type": "machine-learning-model", "name": about.base.name}], "notes": f"{about.adapter.recipe.method}, {about.adapter.rows} rows"},
    }  # fmt: skip


def _data(about: About) -> dict[str, Any]:
    made = about.dataset
    return {
        "type": "data", "bom-ref": made.id, "name": f"{made.project} dataset", "version": str(made.number), "hashes": [_sha256(made.rows)],
        "data": [
            {
                "type": "dataset", "name": f"{made.project} version {made.number}",
                "contents": {"properties": [{"name": f"whytune:rows:{split}", "value": str(count)} for split, count in sorted(made.counts.items())]},
                "sensitiveData": [finding.message for finding in (about.validation.findings if about.validation else ()) if finding.check in ("personal_data", "secrets") and finding.status != "pass"],
            }
        ],
    }  # fmt: skip


def _licence(name: str) -> list[dict[str, Any]]:
    if not name:
        return []
    known = SPDX.get(name.casefold())
    return [{"license": {"id": known} if known else {"name": name}}]


def _sha256(digits: str) -> dict[str, str]:
    return {"alg": "SHA-256", "content": digits}
