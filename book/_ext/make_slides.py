"""Makes slides of the episodes: the same notebooks, with the book's outputs.

A cell is on a slide if its metadata say so (`slideshow.slide_type`: "slide"
begins a section, "subslide" another slide of it, "-" goes on). Of a text
that is on a slide, its headings, predictions, lists, exercises and key points are
shown; the rest is what the speaker may say: reveal.js shows it in the
speaker's window (key S). A cell that draws shows its figure; another cell
its code and what it printed; the stub of an exercise only itself.
"""

import copy
import html
import importlib.util
import re
import shutil
import sys
from pathlib import Path

import nbformat
from course_book import ROOT, digest_of_inputs
from formulas import write_font
from jupyter_cache import get_cache
from nbconvert.exporters import SlidesExporter
from nbformat.v4 import new_markdown_cell
from pybtex.database import parse_file
from slide_text import HEADING, divide, plain
from traitlets.config import Config

EXT = Path(__file__).resolve().parent
BOOK = EXT.parent
# what slides need of reveal.js
REVEAL = (
    "LICENSE",
    "dist/reset.css",
    "dist/reveal.css",
    "dist/reveal.js",
    "plugin/notes/notes.js",
)
VIEWER = "*Interactive: open it on the episode's page.*"
STYLE = Config(
    CSSHTMLHeaderPreprocessor={"style": "a11y-high-contrast-light"},
    TagRemovePreprocessor={
        "enabled": True,
        "remove_input_tags": {"output-only"},
    },
)


class NoOutputsError(LookupError):
    """The book was not built since the notebook, the code or the data changed."""


def slide_cells(notebook, bibliography):
    """Make the cells of the slides.

    Parameters
    ----------
    notebook : NotebookNode
        An episode with its outputs.
    bibliography : BibliographyData
        What the episodes cite.

    Yields
    ------
    NotebookNode
        Cells with a slide type each, in order.
    """
    section = ""

    def text_cell(text, kind):
        return new_markdown_cell(
            plain(text, bibliography),
            metadata={"slideshow": {"slide_type": kind}},
        )

    for cell in notebook.cells:
        kind = cell.metadata.get("slideshow", {}).get("slide_type")
        if cell.cell_type == "markdown":
            if (
                "{dropdown}" in cell.source
            ):  # a solution: learners look at slides too
                continue
            before, shown, after = (
                divide(cell.source) if kind else (cell.source, "", "")
            )
            headings = re.findall(r"^## (.*)$", shown, re.M)
            if shown and not HEADING.match(shown):
                shown = place(section) + shown
            section = headings[-1] if headings else section
            for text, slide_type in (
                (before, "notes"),
                (shown, kind),
                (after, "notes"),
            ):
                if text:
                    yield text_cell(text, slide_type)
        elif kind:
            if kind != "-":
                yield text_cell(place(section), kind)
            yield code_cell(cell)


def place(section):
    """The section that a slide belongs to, small above it."""
    return f'<p class="where">{html.escape(section)}</p>\n\n'


def code_cell(cell):
    """A code cell on a slide: a figure, code and print, or only a stub."""
    cell = copy.deepcopy(cell)
    tags = cell.metadata.get("tags", [])
    if "exercise" in tags:
        cell.outputs = []
    elif "mystnb" in cell.metadata:
        cell.metadata.tags = [*tags, "output-only"]
    for output in cell.outputs:
        if "<iframe" in output.get("data", {}).get("text/html", ""):
            output.data = {"text/markdown": VIEWER}
    cell.metadata.slideshow = {"slide_type": "-"}
    return cell


def read_executed(path, cache):
    """Read a notebook with the outputs that the last build of the book gave it.

    Parameters
    ----------
    path : Path
        The notebook.
    cache : JupyterCacheBase
        The cache of that build.

    Returns
    -------
    NotebookNode

    Raises
    ------
    NoOutputsError
        If the build did not run this code.
    """
    try:
        return cache.merge_match_into_notebook(nbformat.read(path, 4))[1]
    except KeyError:
        raise NoOutputsError(
            f"{path.name} changed since the book was built: `make book` runs it."
        ) from None


def copy_static(folder):
    """Put what slides load beside them, from the packages that carry it."""

    def copy_parts(source, target, parts):
        for part in parts:
            (target / part).parent.mkdir(parents=True, exist_ok=True)
            if (source / part).is_dir():
                shutil.copytree(
                    source / part, target / part, dirs_exist_ok=True
                )
            else:
                shutil.copy2(source / part, target / part)

    reveal = (
        Path(importlib.util.find_spec("sphinx_revealjs").origin).parent
        / "_static/revealjs"
    )
    copy_parts(reveal, folder / "reveal", REVEAL)
    copy_parts(EXT / "slides/static", folder, ["slides.css", "slides.js"])
    copy_parts(BOOK / "_static", folder, ["logo.svg"])
    write_font(folder / "formulas.woff")


def make_slides(build, folder, notebooks=None):
    """Make the slides of every episode, and a page that lists them.

    Parameters
    ----------
    build : Path
        Folder of the book's build, with its cache of outputs.
    folder : Path
        Where the slides go.
    notebooks : list of Path, optional
        Which episodes; all of them without it.

    Returns
    -------
    list of Path
        The pages, the list last.

    Raises
    ------
    NoOutputsError
        If the book was not built from these notebooks, this code and these data.
    """
    cache = get_cache(str(build / ".jupyter_cache" / digest_of_inputs()))
    bibliography = parse_file(BOOK / "references.bib")
    exporter = SlidesExporter(
        template_name="slides",
        extra_template_basedirs=[str(EXT)],
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        config=STYLE,
    )
    copy_static(folder / "static")
    pages, links = [], []
    for path in notebooks or sorted(BOOK.glob("*.ipynb")):
        notebook = read_executed(path, cache)
        title = HEADING.match(notebook.cells[0].source)[1]
        notebook.metadata.title = f"{path.stem[:2]} {title}"
        notebook.cells = list(slide_cells(notebook, bibliography))
        pages.append(folder / f"{path.stem}.html")
        pages[-1].write_text(
            exporter.from_notebook_node(notebook)[0], encoding="utf-8"
        )
        links.append(
            f'<li><a href="{path.stem}.html">'
            f"{html.escape(notebook.metadata.title)}</a></li>"
        )
    pages.append(folder / "index.html")
    text = (EXT / "slides/list.html").read_text(encoding="utf-8")
    pages[-1].write_text(
        text.replace("<!-- links -->", "\n".join(links)), encoding="utf-8"
    )
    return pages


if __name__ == "__main__":
    try:
        made = make_slides(ROOT / "_build", ROOT / "_build/slides")
    except NoOutputsError as error:
        sys.exit(f"Error: {error}")
    print(
        f"Slides of {len(made) - 1} episodes: open {made[-1]} in a browser."
    )
