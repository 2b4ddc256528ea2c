"""The datasheet of the rows a release was trained and measured on: where from, what was removed, who looked, what nobody wrote."""

from __future__ import annotations

from whytune.records.data import SPLITS
from whytune.release.about import NOT_COVERED_SHEET, About
from whytune.release.card import bullets, lines, said, table


def datasheet(about: About) -> str:
    """The datasheet as Markdown."""
    made, sealed = about.dataset, about.dataset.certificate
    sources = [(s.file, s.format, f"{s.rows:,}", f"{s.documents:,}", f"{s.unreadable:,}", s.sha256[:16]) for s in made.sources]
    blocks = [
        f"# Datasheet: {said(made.project)} version {made.number}",
        f"`{made.id}`",
        "## Motivation",
        lines(("Made for", about.usecase.purpose or "not said"), ("Task", made.task)),
        "## Composition",
        lines(
            ("Rows", ", ".join(f"{split} {made.counts.get(split, 0):,}" for split in SPLITS)),
            ("Labels", ", ".join(made.labels) or "none"), ("Fields", ", ".join(made.fields) or "none"),
            ("Documents", "yes" if made.documents else "none"), ("Digest of the rows", made.rows),
        ),
        "## Collection",
        table(("source", "format", "rows", "documents", "unreadable", "sha256"), sources) if sources else "No source is recorded.",
        "## Cleaning and split",
        lines(
            ("Removed", ", ".join(f"{reason} {count:,}" for reason, count in sorted(made.removed.items())) or "nothing"),
            ("Split", f"train {made.plan.train:g}, dev {made.plan.dev:g}, test {made.plan.test:g}, seed {made.plan.seed}"),
            ("Left between test and the rest", f"same group {sealed.same_group}, exact {sealed.exact}, near {sealed.near}; purged {sealed.purged}"),
            ("How that was looked for", sealed.method), ("Follows", made.parent or "no earlier version"),
        ),
        "## Checks",
        *_checks(about),
        "## People who looked at it",
        _people(about),
        "## Not covered: the organisation must write this",
        bullets(list(NOT_COVERED_SHEET)),
    ]  # fmt: skip
    return "\n\n".join(blocks) + "\n"


def _checks(about: About) -> list[str]:
    if about.validation is None:
        return ["No checks were run on this version."]
    return [table(("check", "status", "rows", "what"), [(f.check, f.status, f"{f.count:,} of {f.of:,}", f.message) for f in about.validation.findings])]


def _people(about: About) -> str:
    told = []
    review = about.row_review
    if review:
        told.append(
            f"{len(review.reviewers)} people looked at {review.rated:,} rows and found {review.bad:,} bad: at most {100 * review.error_rate.high:.1f} % "
            f"of all rows (95 %, {review.error_rate.method}); {review.double_rated:,} rows were rated twice"
        )
    else:
        told.append("No review of the rows by people")
    approval = about.dataset_approval
    told.append(f"Approved by {approval.person} ({approval.role}): {approval.reason or 'no reason given'}" if approval else "Nobody approved the version")
    return bullets(told)
