"""Looks at the built site, and at a notebook in JupyterLab, in a real browser (make site).

The site's folder is `$COURSE_SITE`; the fixture `browser` is in conftest.py.
"""

import functools
import http.server
import json
import os
import threading
from pathlib import Path
from urllib.parse import urlparse

import pytest
import yaml

pytestmark = pytest.mark.site
ROOT = Path(__file__).resolve().parents[1]
COUNT_WITHOUT_ALT = "[...document.querySelectorAll('article img')].filter(i => !i.alt || /[.]png$/.test(i.alt)).length"


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        """Keep the test's output readable."""


@pytest.fixture(scope="module")
def site():
    folder = Path(os.environ.get("COURSE_SITE", ROOT / "_build/html")).resolve()
    if not (folder / "index.html").is_file():
        pytest.fail(f"There is no built site in {folder}: run `make site`.")
    return folder


@pytest.fixture(scope="module")
def address(site):
    handler = functools.partial(QuietHandler, directory=site)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def pages_of_the_book():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    return [toc["root"], *(chapter["file"] for part in toc["parts"] for chapter in part["chapters"])]


def visit(browser, url, width):
    """Open a page and return it with everything that went wrong."""
    context = browser.new_context(viewport={"width": width, "height": 900})
    page, wrong = context.new_page(), []

    def refuse_strangers(route):
        target = urlparse(route.request.url)
        if target.scheme.startswith("http") and target.hostname != "127.0.0.1":
            wrong.append(f"request to another host: {route.request.url}")
            return route.abort()
        return route.continue_()

    page.route("**/*", refuse_strangers)
    page.on("console", lambda m: m.type == "error" and wrong.append(f"console: {m.text}"))
    page.on("pageerror", lambda e: wrong.append(f"script error: {e}"))
    page.on("response", lambda r: r.status >= 400 and wrong.append(f"answer {r.status}: {r.url}"))
    page.goto(url, wait_until="load")
    page.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
    page.evaluate("document.querySelectorAll('iframe').forEach(e => e.scrollIntoView())")
    page.wait_for_timeout(1500)
    return page, wrong


@pytest.mark.parametrize("width", [1280, 375])
@pytest.mark.parametrize("name", pages_of_the_book())
def test_page_is_clean(browser, site, address, name, width):
    """No error on the console, no missing file, no request to another host, no sideways scrolling."""
    page, wrong = visit(browser, f"{address}/{name}.html", width)
    overflow = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    images_without_alt = page.evaluate(COUNT_WITHOUT_ALT)
    page.context.close()
    assert wrong == []
    assert overflow <= 0, f"the page is {overflow} px wider than the window"
    assert images_without_alt == 0


def test_page_works_from_a_file(browser, site):
    """The site works without a server, from a memory stick."""
    page, wrong = visit(browser, (site / "book/index.html").as_uri(), 1280)
    title = page.title()
    page.context.close()
    assert wrong == []
    assert "From Files to Findings" in title


def test_search_finds_a_term(browser, site, address):
    """Searching the site for a term of the field finds its glossary entry."""
    page, wrong = visit(browser, f"{address}/search.html?q=voxel", 1280)
    page.wait_for_selector("#search-results li", timeout=15000)
    found = page.inner_text("#search-results")
    page.context.close()
    assert wrong == []
    assert "Glossary" in found


@pytest.mark.parametrize("name", [n for n in pages_of_the_book() if (ROOT / f"{n}.ipynb").is_file()])
def test_built_page_shows_each_outcome(browser, site, address, name):
    """Every exercise on a page says that it was not attempted yet, and its solution's source is on the page."""
    notebook = json.loads((ROOT / f"{name}.ipynb").read_text())
    stubs = [c for c in notebook["cells"] if "exercise" in c["metadata"].get("tags", [])]
    page, _ = visit(browser, f"{address}/{name}.html", 1280)
    outputs = page.locator(".cell.tag_exercise .cell_output").all_inner_texts()
    solutions = page.locator("details .highlight").all_inner_texts()
    page.context.close()
    assert len(outputs) == len(stubs) > 0
    assert all(text.strip().startswith("Not attempted yet") for text in outputs)
    assert sum("def " in text for text in solutions) >= len(stubs)
