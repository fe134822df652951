"""Looks at every page of the built site in a real browser (make site).

The site's folder is `$COURSE_SITE`; the fixtures `browser`, `site` and `address` are in conftest.py.
"""

import importlib
import json
import re
from importlib.metadata import version
from pathlib import Path
from statistics import median
from urllib.parse import unquote, urlparse

import pytest
import yaml
from bs4 import BeautifulSoup
from course_tables import public_names
from notebook_gates import FILE_NAME, SHORTEST_ALT
from site_browser import (
    PAINTED,
    TOO_WIDE,
    accessibility_problems,
    compressed,
    open_everything,
    open_page,
    wait_until,
    weigh,
)

import course_utils.exercises
from course_utils.dataset import open_study

pytestmark = pytest.mark.site
ROOT = Path(__file__).resolve().parents[1]
LOOKS = [(1280, "light"), (1280, "dark"), (375, "dark"), (375, "light")]  # in an order that changes one at a time
ALT_TEXTS = "[...document.querySelectorAll('article img')].map(e => e.alt)"


def pages_of_the_book():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    return [toc["root"], *(chapter["file"] for part in toc["parts"] for chapter in part["chapters"])]


NOTEBOOKS = [n for n in pages_of_the_book() if (ROOT / f"{n}.ipynb").is_file()]


def read(site, name):
    """A built page, parsed."""
    return BeautifulSoup((site / f"{name}.html").read_bytes(), "html.parser")


def alt_text_problems(texts):
    """What is wrong with the texts that stand for a page's figures."""
    problems = [f"not a finding: {text!r}" for text in texts if len(text) < SHORTEST_ALT or FILE_NAME.search(text)]
    return problems + [f"used twice: {text!r}" for text in set(texts) if texts.count(text) > 1]


def test_every_link_within_the_site_leads_somewhere(site):
    """The file is there, and the place in it that the link names."""
    pages = {path.resolve(): BeautifulSoup(path.read_bytes(), "html.parser") for path in site.glob("book/**/*.html")}
    places = {path: {tag["id"] for tag in page.select("[id]")} for path, page in pages.items()}
    lost, n_links = [], 0
    for path, page in pages.items():
        for link in page.select("a[href]"):
            url = urlparse(link["href"])
            if url.scheme or url.netloc:
                continue
            n_links += 1
            target = (path.parent / unquote(url.path)).resolve() if url.path else path
            if not target.exists() or (url.fragment and unquote(url.fragment) not in places.get(target, ())):
                lost.append(f"{path.stem}: {link['href']}")
    assert n_links > 1000
    assert lost == []


@pytest.mark.parametrize("name", [*pages_of_the_book(), "search", "genindex"])
def test_page(browser, site, address, name):
    """On phone and desk, light and dark: nothing on the console, nothing from elsewhere, accessible, not too wide."""
    problems = {}
    with open_page(browser, f"{address}/{name}.html", reduced_motion="reduce") as (page, wrong):
        open_everything(page)
        for width, theme in LOOKS:
            page.emulate_media(color_scheme=theme)
            page.set_viewport_size({"width": width, "height": 900})
            wait_until(page, f"document.documentElement.dataset.theme === '{theme}'")
            page.wait_for_timeout(400)  # the theme looks anew at what can be scrolled 300 ms after a change
            problems[width, theme] = accessibility_problems(page)
            if (overflow := page.evaluate(TOO_WIDE)) > 0:
                problems[width, theme].append(f"{overflow} px wider than the window")
        problems["alt texts"] = alt_text_problems(page.evaluate(ALT_TEXTS))
    assert wrong == []
    assert {look: found for look, found in problems.items() if found} == {}


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_page_shows_each_outcome(site, name):
    """Every exercise on a page says that it was not attempted yet, and its solution's source is on the page."""
    notebook = json.loads((ROOT / f"{name}.ipynb").read_text())
    stubs = [c for c in notebook["cells"] if "exercise" in c["metadata"].get("tags", [])]
    page = read(site, name)
    outputs = [found.get_text().strip() for found in page.select(".cell.tag_exercise .cell_output")]
    solutions = [found.get_text() for found in page.select("details .highlight")]
    assert len(outputs) == len(stubs) > 0
    assert all(text.startswith("Not attempted yet") for text in outputs)
    assert sum("def " in text for text in solutions) >= len(stubs)


@pytest.mark.parametrize("name", pages_of_the_book())
def test_page_presents_itself(site, name):
    """Each page has a title, a description, a picture for previews, neighbours, and its source to take home."""
    page = read(site, name)
    tags = {tag.get("name") or tag.get("property"): tag["content"] for tag in page.select("meta[content]")}
    heading = page.select_one("h1").find(string=True).strip()
    assert page.title.text.strip().startswith(heading)
    assert 40 <= len(tags["description"]) <= 204
    assert tags["og:description"] == tags["description"]
    assert tags["og:title"] == heading
    assert tags["og:site_name"] == "From Files to Findings"
    assert (site / name).parent.joinpath(tags["og:image"]).is_file()
    assert page.select_one("link[rel='icon']")
    assert page.select(".prev-next-footer a")
    source = page.select_one("a.btn-download-source-button")
    downloaded = (site / name).parent.joinpath(source["href"])
    assert downloaded.read_text().strip()
    if name in NOTEBOOKS:
        assert json.loads(downloaded.read_text())["cells"]


def test_descriptions_tell_pages_apart(site):
    """No two pages have the same title or the same description."""
    pages = [read(site, name) for name in pages_of_the_book()]
    for texts in ([p.title.text for p in pages], [p.select_one("meta[name=description]")["content"] for p in pages]):
        assert len(set(texts)) == len(texts)


def test_every_notebook_was_executed(site):
    """The page of the build tells that each notebook of the table of contents ran, in what time and memory."""
    page = read(site, "book/build")
    table = next(t for t in page.select("table") if "Seconds" in t.thead.text)
    rows = {row.a["href"]: [cell.text.strip() for cell in row.select("td")] for row in table.select("tbody tr")}
    run = [n for n in pages_of_the_book() if n in NOTEBOOKS or "{code-cell}" in (ROOT / f"{n}.md").read_text()]
    assert set(rows) == {f"{Path(name).name}.html" for name in run}
    for _, status, seconds, peak_mb, ended in rows.values():
        assert status == "ran"
        assert float(seconds) > 0
        assert float(peak_mb) > 50 if peak_mb != "not measured" else not Path("/proc/self/status").is_file()
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d", ended)


def test_build_page_names_data_and_packages(site):
    """The page of the build has the version, the seed of the data, and the versions that are installed."""
    text = " ".join(read(site, "book/build").get_text(" ").split())
    study = open_study()
    seed = json.loads((study.root / "manifest.json").read_text())["request"]["seed"]
    assert f"Version of the course {course_utils.__version__}" in text
    assert f"Seed of the simulation {seed}" in text
    for package in ("nilearn", "numpy", "pybids"):
        assert f"{package} {version(package)}" in text


def test_pages_are_light(browser, site, address):
    """The median page is under 700 kB and the largest under 4 MB, viewers wait, and the site is under 60 MB.

    A page is weighed with everything that it loads, shared scripts, styles and fonts included.
    """
    names = [*pages_of_the_book(), "search", "genindex"]
    weights = {name: weigh(browser, f"{address}/{name}.html") for name in names}
    viewers = {path.name: len(compressed(path)) for path in (site / "_viewers").iterdir()}
    whole = sum(path.stat().st_size for path in site.rglob("*") if path.is_file())
    table = {name: f"{size / 1000:.0f} kB" for name, size in sorted((weights | viewers).items(), key=lambda p: p[1])}
    table = json.dumps({"median": f"{median(weights.values()) / 1000:.0f} kB"} | table, indent=1)
    print(f"\nThe site has {whole / 1e6:.0f} MB; its pages and viewers, as they are sent: {table}")
    assert min(weights.values()) > 50_000, table  # the theme alone has more
    assert median(weights.values()) < 0.7e6, table
    assert max(weights.values()) < 4e6, table
    assert max(viewers.values()) < 4e6, table
    assert whole < 60e6


def test_text_does_not_wait_for_viewers(browser, site, address):
    """A page shows its text while its viewers are still on their way."""
    shown = {}
    for name in pages_of_the_book():
        if frames := read(site, name).select("iframe"):
            assert all(f["loading"] == "lazy" and f["src"].startswith("../_viewers/") and f["title"] for f in frames)
            page, on_their_way = browser.new_page(), []
            page.route("**/_viewers/*", lambda _: None)  # never answered
            page.on("request", lambda request, sent=on_their_way: "/_viewers/" in request.url and sent.append(request))
            page.goto(f"{address}/{name}.html", wait_until="commit")
            wait_until(page, PAINTED)
            shown[name] = page.locator("h1 >> visible=true").count()
            page.locator("iframe").first.scroll_into_view_if_needed()
            page.wait_for_timeout(500)
            assert on_their_way, f"{name}: the viewer was asked for when it was scrolled to"
            page.close()
    assert set(shown.values()) == {1}, shown


def test_no_page_writes_scripts_or_styles_into_itself(site):
    """A strict policy for content forbids scripts, handlers and styles that stand in the page."""
    for name in [*pages_of_the_book(), "search", "genindex", "404"]:
        page = read(site, name)
        inline = [tag for tag in page.select("script:not([src])") if tag.get("type") in (None, "text/javascript")]
        assert inline == []
        assert page.select("[onclick], [onload], [onchange], [style], style") == []


def test_reference_has_every_public_name(site):
    """Each public function and class of `course_utils` is explained on one page, and listed on the overview."""
    listed = {link["href"].partition("#")[2] for link in read(site, "book/api").select("article dd a[href]")}
    pages = {path.stem: read(site, f"book/{path.stem}") for path in (ROOT / "book").glob("api_*.md")}
    explained = [tag["id"] for page in pages.values() for tag in page.select("dl.py > dt.sig[id]")]
    public = {
        f"{path.stem}.{name}"
        for path in (ROOT / "course_utils").glob("[!_]*.py")
        for name, _ in public_names(importlib.import_module(f"course_utils.{path.stem}"))
    }
    public |= {f"exercises.{name}" for name, _ in public_names(course_utils.exercises)}
    public |= {"exercises._engine.Exercise", "exercises._engine.Choice", "exercises._compare.Number"}
    assert len(public) > 80
    assert {f"course_utils.{name}" for name in public} - set(explained) == set()
    assert {f"course_utils.{name}" for name in public} - listed == set()
    assert len(set(explained)) == len(explained)
    for page in pages.values():
        texts = [tag.find_next_sibling("dd").get_text().strip() for tag in page.select("dl.py > dt.sig[id]")]
        assert all(texts), page.title
