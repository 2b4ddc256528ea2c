"""The datasheet tells the rows' way from source to split, and what the organisation must still write."""

from __future__ import annotations

from tests.release.abouts import about

from whytune.release.about import NOT_COVERED_SHEET
from whytune.release.datasheet import datasheet


def test_it_tells_sources_split_checks_and_people() -> None:
    page = datasheet(about())
    for words in ("rows.csv", "train 600, dev 150, test 300", "personal\\_data", "2 people looked at 300 rows and found 2 bad: at most 2.4 %", "Approved by lea", "purged 3"):
        assert words in page
    for line in NOT_COVERED_SHEET:
        assert line in page


def test_it_says_where_nobody_looked() -> None:
    page = datasheet(about(row_review=None, dataset_approval=None, validation=None))
    for words in ("No review of the rows by people", "Nobody approved the version", "No checks were run"):
        assert words in page
