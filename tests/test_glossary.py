"""The first use of each term of the glossary in each episode is a link to what it means."""

from pathlib import Path

import nbformat
import pytest
from glossary_links import find_uses, first_uses_without_link, read_terms

BOOK = Path(__file__).resolve().parents[1] / "book"
EPISODES = sorted(BOOK.glob("[0-9][0-9]_*.ipynb"))
TERMS = read_terms()


def prose_of(path):
    """All Markdown of a notebook."""
    cells = nbformat.read(path, 4).cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


@pytest.mark.parametrize("path", EPISODES, ids=lambda path: path.stem)
def test_first_use_is_a_link(path):
    """Where a term occurs first in an episode (not in code, headings or other links), it leads to the glossary."""
    text = prose_of(path)
    unlinked = {term: text[max(0, start - 40) : end + 40] for term, start, end in first_uses_without_link(text, TERMS)}
    assert unlinked == {}, "write {term}`word` or {term}`words <word>` there; see tests/glossary_links.py"


def test_every_term_is_used_by_an_episode():
    """The glossary explains what the course uses, and no term twice."""
    used = {term for path in EPISODES for term, *_ in find_uses(prose_of(path), TERMS)}
    assert len(TERMS) > 100
    assert len({term.lower() for term in TERMS}) == len(TERMS)
    assert set(TERMS) - used == set()


FOUND = {
    "Two Voxels, one {term}`voxel`.": ["voxel"],
    "One {term}`voxel`, two voxels.": [],
    "{term}`Two voxels <voxel>`, one voxel.": [],
    "`voxel` and [voxel](page.md) and $voxel$": [],
    "# A voxel\n\n```python\nvoxel = 1\n```\n\nA pixel.": [],
    "```{admonition} Note\nA voxel.\n```": ["voxel"],
    "````{dropdown} Solution\n~~~{literalinclude} /voxel.py\n:pyobject: voxel\n~~~\n````": [],
    "a supervoxel, a voxel-wise test": [],
    "brain\nmasks": ["brain mask"],
    "T1w is not T1.": ["T1w", "T1"],
    "bold letters, BOLD signals": ["BOLD"],
    "two vertices in a gyrus and its sulci": ["vertex", "gyrus", "sulcus"],
    "a *p* value": ["p value"],
    "regressed out, by Fisher's *z*": ["regress out", "Fisher's z"],
    "Run a cell, then run it. One run is long.": ["run"],
    "the folds of the cortex": ["cortex"],
    "folds of a cross-validation": ["fold", "cross-validation"],
    "an atlas of the BIDS suffix": ["atlas", "BIDS", "suffix"],
}


@pytest.mark.parametrize("text", FOUND)
def test_terms_are_found_in_prose_alone(text):
    """Plurals, capitals and line breaks do not hide a term; code, headings, links and other senses are no use."""
    assert [term for term, *_ in first_uses_without_link(text, TERMS)] == FOUND[text]


def test_longest_term_counts():
    """A term within a longer one is no use of its own, and a use says where it is."""
    text = "the brain mask of a voxel"
    assert find_uses(text, TERMS) == [("brain mask", 4, 14, False), ("voxel", 20, 25, False)]
