"""The slides: what they show of a text, and how they look in a browser, opened from disk."""

import make_slides
import pytest
import slide_text
from filelock import FileLock
from pybtex.database import parse_string
from site_browser import open_page, wait_until

NOTEBOOKS = sorted(make_slides.BOOK.glob("*.ipynb"))
BIBLIOGRAPHY = parse_string(
    """@article{a2012, author={Power, Jonathan D. and Barnes, Kelly}, year={2012}}
    @article{b2014, author={{van Dijk}, Koene and Sabuncu, Mert and Buckner, Randy}, year={2014}}""",
    "bibtex",
)
TOO_LARGE = """() => { document.body.classList.add('measuring');
  return Reveal.getSlides().filter(s => s.scrollHeight > 721 || s.scrollWidth > 1281)
    .map(s => `${s.innerText.slice(0, 60)}: ${s.scrollWidth} x ${s.scrollHeight}`)}"""
SMALLEST = """() => Math.min(...Reveal.getSlides().flatMap(s => [...s.querySelectorAll('p, li, pre, td, th')])
  .filter(e => e.innerText.trim() && !e.closest('.notes')).map(e => parseFloat(getComputedStyle(e).fontSize)))"""
NOT_DRAWN = """[...document.images].filter(e => !e.complete || e.naturalWidth < 50 || e.alt.length < 40).length"""


@pytest.mark.parametrize(
    ("text", "before", "shown", "after"),
    [
        ("It did.\n\n## Next\n\nWe say.\n\n**Predict.** Why?", "It did.", "## Next\n\n**Predict.** Why?", "We say."),
        ("## Next\n\nFirst.\n\nSecond.", "", "## Next\n\nFirst.", "Second."),
        ("## Next\n\nFirst.\n\n- a\n- b", "", "## Next\n\n- a\n- b", "First."),
        ("### Exercise: one\n\nDo this.\n\n| a |\n|---|", "", "### Exercise: one\n\nDo this.\n\n| a |\n|---|", ""),
        ("## Key points\n\n- a\n\n## Where to go\n\n- b", "", "## Key points\n\n- a", "## Where to go\n\n- b"),
        ("So.\n\n**Predict.** Why?", "So.", "**Predict.** Why?", ""),
        ("```text\n# no heading\n\n**Predict.** no\n```", "```text\n# no heading\n\n**Predict.** no\n```", "", ""),
    ],
)  # fmt: skip
def test_headings_predictions_and_exercises_are_shown(text, before, shown, after):
    assert slide_text.divide(text) == (before, shown, after)


def test_title_shows_what_the_episode_asks():
    box = ":::{admonition} In this episode\n- **Questions**: Why?\n- **Objectives**: say it\n- **Time**: 5 min\n:::"
    _, shown, after = slide_text.divide(f"# Title\n\n{box}\n\nMore.")
    assert shown == "# Title\n\n- **Questions**: Why?\n- **Objectives**: say it\n"
    assert after.endswith("More.")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("A {term}`voxel` and {term}`voxels <voxel>`.", "A voxel and voxels."),
        ("It moves {cite}`a2012,b2014`.", "It moves."),
        ("{cite:t}`a2012` and {cite:t}`b2014`", "Power and Barnes (2012) and van Dijk et al. (2014)"),
        ("[data](data.md), [more](https://example.org/a)", "data, [more](https://example.org/a)"),
        (":::{admonition} Mind\n:class: warning\nA gap.\n:::", "**Mind**\n\nA gap.\n"),
    ],
)
def test_slides_hold_plain_markdown(written, read):
    assert slide_text.plain(written, BIBLIOGRAPHY) == read


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_directive_is_left(path):
    """nbconvert would show the book's own marks as they are written."""
    notebook = make_slides.nbformat.read(path, 4)
    bibliography = make_slides.parse_file(make_slides.BOOK / "references.bib")
    texts = [c.source for c in make_slides.slide_cells(notebook, bibliography) if c.cell_type == "markdown"]
    assert len(texts) > 20
    assert [text for text in texts if "{cite" in text or "{term}" in text or ":::" in text] == []


def test_formulas_are_mathml_and_code_is_not():
    text = slide_text.plain("In a line $x_1$, and `$HOME`.\n\n$$\na + b\n$$\n\n```console\n$ ls $A\n```", BIBLIOGRAPHY)
    assert text.count("<math") == 2
    assert 'display="block"' in text
    assert "`$HOME`" in text
    assert "```console\n$ ls $A\n```" in text


def test_slides_want_a_book_that_was_built(tmp_path):
    """Without the outputs of a build there is one sentence that says what to run."""
    with pytest.raises(make_slides.NoOutputsError, match="`make book` runs it"):
        make_slides.make_slides(tmp_path, tmp_path / "slides", NOTEBOOKS[:1])


@pytest.fixture(scope="session")
def slides(site, shared_folder):
    """Folder with the slides of every episode, made once a run."""
    folder = shared_folder / "slides"
    with FileLock(shared_folder / "slides.lock"):
        if not (folder / "index.html").is_file():
            make_slides.make_slides(site.parent, folder)
    return folder


@pytest.mark.site
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_slides_are_whole_and_legible(browser, slides, path):
    """From a folder, without a server: nothing asked of another host, nothing too large, no letter too small."""
    with open_page(browser, (slides / f"{path.stem}.html").as_uri()) as (page, wrong):
        wait_until(page, "!!document.body.dataset.ready")
        n_slides = page.evaluate("Reveal.getSlides().length")
        n_figures = page.evaluate("document.images.length")
        n_viewers = page.locator("em", has_text="Interactive: open it").count()
        n_formulas = page.evaluate("document.querySelectorAll('mjx-merror').length")
        seen = page.evaluate(NOT_DRAWN), page.evaluate(TOO_LARGE), n_formulas
        smallest = page.evaluate(SMALLEST)
    assert wrong == []
    notebook = make_slides.nbformat.read(path, 4)
    made = make_slides.slide_cells(notebook, make_slides.parse_file(make_slides.BOOK / "references.bib"))
    assert n_slides == sum(c.metadata.slideshow.slide_type in ("slide", "subslide") for c in made)
    assert n_figures + n_viewers >= sum("mystnb" in c.metadata for c in notebook.cells)
    assert seen == (0, [], 0)
    assert smallest >= 10  # of 720: what the last row of a room can read on a screen of two metres


@pytest.mark.site
def test_speaker_goes_on_and_reads_what_to_say(browser, slides):
    """From the list to an episode; a key goes on; another opens the speaker's window with the text of the book."""
    with open_page(browser, (slides / "index.html").as_uri()) as (page, wrong):
        assert page.locator("li a").count() == len(NOTEBOOKS)
        page.locator("li a").first.click()
        wait_until(page, "!!document.body.dataset.ready")
        with page.expect_popup() as popup:
            page.keyboard.press("s")
        notes = popup.value.locator(".speaker-controls-notes .value")
        for _ in range(200):
            if notes.inner_text().strip():
                break
            page.wait_for_timeout(50)
        assert len(notes.inner_text()) > 40
        page.keyboard.press("ArrowRight")
        assert page.evaluate("Reveal.getIndices().h") == 1
    assert wrong == []
