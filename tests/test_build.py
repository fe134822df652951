"""What the build adds to Jupyter Book: a cache that notices change, costs measured, pages that present themselves."""

import html
import json
import os
import re
import shutil
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qs, urlparse

import build_record
import course_book
import draw_logo
import finished_pages
import formulas
import launch
import matplotlib.image
import nbformat
import numpy as np
import page_parts
import pytest
from docutils import nodes
from fontTools.ttLib import TTFont
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

BOOK = Path(__file__).resolve().parents[1] / "book"


@pytest.fixture
def inputs(tmp_path, monkeypatch):
    """A course of one module, with one package and a study, that may be changed."""
    (tmp_path / "course_utils").mkdir()
    (tmp_path / "course_utils/signals.py").write_text("HIGH_PASS = 0.01\n")
    (tmp_path / "data_scripts").mkdir()
    (tmp_path / "data/simulated").mkdir(parents=True)
    (tmp_path / "data/simulated/manifest.json").write_text('{"seed": 1}')
    packages = [SimpleNamespace(name="nilearn", version="0.14.1")]
    study = SimpleNamespace(root=tmp_path / "data/simulated")
    monkeypatch.setattr(course_book, "open_study", {"simulated": study}.get)
    monkeypatch.setattr(course_book, "ROOT", tmp_path)
    monkeypatch.setattr(course_book, "distributions", lambda: packages)
    return tmp_path, packages


CHANGES = {
    "code": lambda root, packages: (root / "course_utils/signals.py").write_text("HIGH_PASS = 0.02\n"),
    "new module": lambda root, packages: (root / "course_utils/atlases.py").write_text(""),
    "renamed module": lambda root, packages: (root / "course_utils/signals.py").rename(root / "course_utils/s.py"),
    "table of the package": lambda root, packages: (root / "course_utils/replicates.csv").write_text("r\n0.1\n"),
    "judges of the study": lambda root, packages: (root / "data_scripts/realism.py").write_text("ALPHA = 0.05\n"),
    "package": lambda root, packages: setattr(packages[0], "version", "0.14.2"),
    "new package": lambda root, packages: packages.append(SimpleNamespace(name="seaborn", version="0.13.2")),
    "data": lambda root, packages: (root / "data/simulated/manifest.json").write_text('{"seed": 2}'),
}


@pytest.mark.parametrize("what", CHANGES)
def test_no_output_outlives_what_it_was_made_from(inputs, what):
    """A change of code, packages or data gives the build another cache, and the old one is deleted."""
    root, packages = inputs
    app, config = SimpleNamespace(outdir=root / "_build/html"), SimpleNamespace()
    course_book.choose_cache(app, config)
    first = root / "_build/.jupyter_cache" / course_book.digest_of_inputs()
    assert config.nb_execution_cache_path == str(first)
    first.mkdir(parents=True)
    course_book.choose_cache(app, config)
    assert first.is_dir()
    CHANGES[what](root, packages)
    course_book.choose_cache(app, config)
    assert config.nb_execution_cache_path != str(first)
    assert not first.exists()


def run_with_cache(path, cache):
    """Have myst-nb run a notebook, or take it from its cache, and return what it knows of the run."""
    config = SimpleNamespace(
        execution_cache_path=str(cache),
        execution_mode="cache",
        execution_in_temp=False,
        execution_allow_errors=False,
        execution_timeout=60,
        execution_show_tb=False,
        execution_raise_on_error=True,
    )
    logger = SimpleNamespace(info=print, warning=print)
    with build_record.MeasuringClient(nbformat.read(path, 4), path, config, logger) as client:
        return client.exec_metadata


def test_costs_are_measured_and_kept_with_the_outputs(tmp_path, monkeypatch):
    """A notebook's record tells its own peak memory; from the cache comes the record of the same code."""
    monkeypatch.setattr(build_record.execution, "single_nb_execution", build_record.execution.single_nb_execution)
    monkeypatch.setattr(build_record.myst_nb.core.execute, "NotebookClientCache", None)
    build_record.measure_executions(tmp_path / "cache")
    found = []
    for n_mb in (0, 300):
        path = tmp_path / "notebook.ipynb"
        code = f"held = bytearray(b'1') * {n_mb}_000_000"
        nbformat.write(new_notebook(cells=[new_markdown_cell("Hold memory."), new_code_cell(code)]), path)
        found.append(run_with_cache(path, tmp_path / "cache"))
    again = run_with_cache(path, tmp_path / "cache")
    assert {key: again[key] for key in ("peak_mb", "ended", "runtime")} == {
        key: found[1][key] for key in ("peak_mb", "ended", "runtime")
    }
    if found[0]["peak_mb"] is None:
        pytest.skip("This system does not keep the peak memory of a process.")
    assert found[1]["peak_mb"] - found[0]["peak_mb"] == pytest.approx(300, abs=30)


def test_peak_memory_is_that_of_the_process():
    """The peak of this process is at least what it holds now."""
    peak = build_record.peak_memory_mb(os.getpid())
    if peak is None:
        pytest.skip("This system does not keep the peak memory of a process.")
    assert peak >= build_record.psutil.Process().memory_info().rss / 1e6 * 0.99


def test_episode_is_described_by_its_questions():
    """The description of an episode is what it asks, that of a page how it begins; neither is long."""
    asked = nodes.paragraph("", "Questions: What is a voxel?\nWhere is it?")
    begin = nodes.paragraph("", "word " * 100)
    assert page_parts.describe(nodes.section("", begin.deepcopy(), asked)) == "What is a voxel? Where is it?"
    said = page_parts.describe(nodes.section("", begin))
    assert said.endswith("word ...")
    assert len(said) <= page_parts.LONGEST_DESCRIPTION + 4
    assert page_parts.describe(nodes.section("")) == ""


@pytest.mark.parametrize("source", ["setting", "environment"])
def test_one_setting_enables_the_buttons_of_the_repository(monkeypatch, source):
    """With the repository's address come "edit", "report a problem" and the link to the source; without it none."""
    for name in ("COURSE_REPOSITORY_URL", "COURSE_SITE_URL"):
        monkeypatch.delenv(name, raising=False)
    config = SimpleNamespace(html_theme_options={}, repository_url="", html_baseurl="")
    page_parts.know_addresses(None, config)
    assert config.html_theme_options == {}
    url = "https://example.org/course"
    if source == "setting":
        config.repository_url = url
    else:
        monkeypatch.setenv("COURSE_REPOSITORY_URL", f"{url}/")
        monkeypatch.setenv("COURSE_SITE_URL", "https://example.org/site/")
    page_parts.know_addresses(None, config)
    options = config.html_theme_options
    assert options["repository_url"] == url
    assert all(options[f"use_{button}_button"] for button in ("edit_page", "issues", "repository"))
    assert options["launch_buttons"]["binderhub_url"] == launch.BINDER
    assert "colab_url" not in options["launch_buttons"]  # it opens notebooks of GitHub alone
    assert config.html_baseurl == ("" if source == "setting" else "https://example.org/site/")


def test_every_link_that_starts_the_course_has_the_one_address():
    """Binder, Colab and nbgitpuller get the repository's address in the form that each of them documents."""
    url = "https://github.com/lab/course"
    assert launch.binder_link(url) == "https://mybinder.org/v2/gh/lab/course/main?urlpath=lab/tree/book"
    assert launch.colab_link(url).endswith("/github/lab/course/blob/main/book/01_from_scanner.ipynb")
    assert (course_book.ROOT / launch.FIRST).is_file()
    query = parse_qs(urlparse(launch.hub_link(url)).query)
    assert query == {"repo": [url], "branch": ["main"], "urlpath": [f"lab/tree/course/{launch.FIRST}"]}
    elsewhere = "https://git.example.org/lab/course"
    assert "/v2/git/https%3A%2F%2Fgit.example.org%2Flab%2Fcourse/main" in launch.binder_link(elsewhere)
    assert launch.launch_buttons(url)["colab_url"] == launch.COLAB
    written = {part: "\n".join(launch.write_launch(part, url)) for part in ("binder", "colab", "hub")}
    assert f"git clone --depth 1 {url} course" in written["colab"]
    assert all("ADDRESS" not in text for text in written.values())
    assert "ADDRESS" in "\n".join(launch.write_launch("hub", ""))


def test_preview_of_a_link_has_whole_addresses():
    """When the site's address is known, a preview's picture is named by a whole address, as its readers want it."""
    app = SimpleNamespace(config=SimpleNamespace(html_baseurl="https://example.org/site/", html_title="Course"))
    context = {"title": "A &amp; B", "metatags": ""}
    page_parts.add_metadata(app, "book/page", "page.html", context, nodes.section("", nodes.paragraph("", 'Say "a".')))
    assert '<meta property="og:image" content="https://example.org/site/_static/social.png">' in context["metatags"]
    assert '<meta property="og:url" content="https://example.org/site/book/page.html">' in context["metatags"]
    assert '<meta property="og:title" content="A &amp; B">' in context["metatags"]
    assert '<meta name="description" content="Say &quot;a&quot;.">' in context["metatags"]


def test_viewer_becomes_a_file_of_its_own(tmp_path):
    """A frame's document goes to a file, with named controls and without the icon of another host."""
    inner = (
        "<html><head><title>My map</title><link rel='icon' href='https://example.org/i.ico'></head>"
        '<body><input type="range"></body></html>'
    )
    text = f'<iframe srcdoc="{inner.replace(chr(34), "&quot;")}" width="600"></iframe>'
    moved = page_parts.move_viewer(SimpleNamespace(outdir=tmp_path), "book/page", text)
    (path,) = (tmp_path / "_viewers").iterdir()
    assert moved == f'<iframe src="../_viewers/{path.name}" loading="lazy" title="My map" width="600"></iframe>'
    assert 'aria-label="Opacity"' in path.read_text()
    assert "example.org" not in path.read_text()


def test_scripts_and_styles_of_pages_become_files_and_old_files_go(tmp_path):
    """Scripts and styles in a page are loaded from files instead; files that no page uses any more are deleted."""
    (tmp_path / "book").mkdir()
    (tmp_path / "_viewers").mkdir()
    (tmp_path / "_viewers/0123456789abcdef.html").write_text("no longer used")
    head = '<th class="head"><p></p></th><th class="head"><p>A</p></th>'
    data = '<script type="application/json">{"a": 1}</script><script src="b.js"></script>'
    style = "<style scoped>th { color: red; }</style>"
    body = f'{style}{style}<tr class="a" style="color: blue; width: 5%;"><pre>style=&quot;b&quot;</pre>'
    scripts = f"<script>first()</script>{data}<script async>second()</script>"
    (tmp_path / "book/page.html").write_text(f"{head}</head>{scripts}{body}")
    finished_pages.finish_pages(SimpleNamespace(outdir=tmp_path), None)
    page = (tmp_path / "book/page.html").read_text()
    files = {path.name: path.read_text() for path in (tmp_path / "_static/inline").iterdir()}
    (mark,) = re.findall(r'<tr class="a" data-style="(\w+)">', page)
    marked = f'[data-style="{mark}"] {{ color: blue !important; width: 5% !important }}'
    assert sorted(files.values()) == sorted(["first()", "second()", "th { color: red; }", marked])
    for name, text in files.items():
        tag = f'<script src="../_static/inline/{name}"></script>'
        link = f'<link rel="stylesheet" href="../_static/inline/{name}">'
        assert page.count(tag if text.endswith("()") else link) == 1
    assert data in page
    assert "<pre>style=&quot;b&quot;</pre>" in page
    assert page.startswith('<td></td><th class="head"><p>A</p></th>')
    assert list((tmp_path / "_viewers").iterdir()) == []
    finished_pages.finish_pages(SimpleNamespace(outdir=tmp_path), None)
    assert (tmp_path / "book/page.html").read_text() == page
    shutil.rmtree(tmp_path / "_static")
    finished_pages.finish_pages(SimpleNamespace(outdir=tmp_path), ValueError("the build failed"))
    assert not (tmp_path / "_static").exists()


@pytest.mark.parametrize(("name", "kept"), [("page", ["other.js"]), ("search", ["searchtools.js", "other.js"])])
def test_scripts_that_do_nothing_are_left_out(tmp_path, name, kept):
    """The scripts of the search are on its page only, that of the icons nowhere."""
    scripts = ("scripts/fontawesome.js?digest=1", "searchtools.js", "other.js")
    text = "".join(f'<script defer src="_static/{script}"></script>\n' for script in scripts)
    page = finished_pages.finish_page(text, Path(f"{name}.html"), tmp_path)
    assert re.findall(r"_static/([\w./]+)", page) == kept


SPACED = {
    r"E \cos t": "<mi>E</mi>{thin}<mi>cos</mi>{thin}<mi>t</mi>",
    r"r = \tanh(z)": '<mo>&#x0003D;</mo><mi>tanh</mi><mo stretchy="false">&#x00028;</mo>',
    r"\operatorname{mean}_v": "<msub><mi>mean</mi><mi>v</mi></msub>",
    r"\Delta x": '<mi mathvariant="normal">&#x00394;</mi>',
    "a / b": '<mo stretchy="false" lspace="0" rspace="0">&#x0002F;</mo>',
}


@pytest.mark.parametrize("latex", SPACED)
def test_formula_is_set_as_latex_would(latex):
    """Names of functions stand apart but not from a bracket, capital Greek is upright, a fraction's slash is close."""
    assert SPACED[latex].format(thin=formulas.THIN) in formulas.write_mathml(latex, display="inline")


def test_font_has_every_letter_of_the_formulas(tmp_path):
    """What the notebooks' formulas are written with is in the font that the site brings, with growing brackets."""
    formulas.write_font(tmp_path / "formulas.woff")
    font = TTFont(tmp_path / "formulas.woff")
    cells = [c for path in BOOK.glob("*.ipynb") for c in nbformat.read(path, 4).cells if c.cell_type == "markdown"]
    found = [latex for c in cells for latex in re.findall(r"\$\$(.+?)\$\$|\$([^$\n]+)\$", c.source, re.S)]
    written = "".join(formulas.write_mathml("".join(latex), display="inline") for latex in found)
    letters = set(html.unescape(re.sub("<[^>]*>", "", written)))
    assert len(found) > 20
    assert letters - set(map(chr, font.getBestCmap())) == set()
    assert "MATH" in font


def test_logo_is_what_its_script_draws(tmp_path):
    """The committed logo is the script's output; the picture for previews has the size that readers of links want."""
    assert (draw_logo.STATIC / "logo.svg").read_text() == draw_logo.logo_svg()
    draw_logo.draw_social(tmp_path / "social.png")
    drawn, committed = (matplotlib.image.imread(f / "social.png") for f in (tmp_path, draw_logo.STATIC))
    assert drawn.shape[:2] == committed.shape[:2] == (630, 1200)
    assert np.abs(drawn - committed).mean() < 0.01


def test_policy_lists_a_reason_for_each_exception():
    """Pages load nothing but the site's own files, but for what is listed with its reason."""
    assert page_parts.PAGE_POLICY["default-src"][0] == "'self'"
    assert {name: rule for name, (rule, _) in page_parts.PAGE_POLICY.items() if rule != "'self'"} == {
        "img-src": "'self' data:"
    }
    assert {name: rule for name, (rule, _) in page_parts.VIEWER_POLICY.items()} == {
        "default-src": "'none'",
        "script-src": "'unsafe-inline' 'unsafe-eval'",
        "style-src": "'unsafe-inline'",
        "img-src": "data: blob:",
    }
    for policy in (page_parts.PAGE_POLICY, page_parts.VIEWER_POLICY):
        assert all(len(reason) > 10 for _, reason in policy.values())
        assert "http" not in json.dumps(policy)
