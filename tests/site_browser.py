"""Opens pages of the built site in a browser, under the site's content security policy, and notes what goes wrong."""

import functools
import gzip
import http.server
import re
import threading
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlparse

from axe_playwright_python.sync_playwright import Axe
from page_parts import PAGE_POLICY, VIEWER_POLICY, policy_header

AXE = Axe().axe_script
RUN_AXE = """async () => (await axe.run(document, {resultTypes: ['violations'], preload: false})
  ).violations.flatMap(
  v => v.nodes.map(n => `${v.id}: ${n.target.flat(9).join(' > ')} ${n.html.slice(0, 160)}`))"""
OPEN_ALL = """() => {
  document.querySelectorAll('details').forEach(e => e.open = true);
  document.querySelectorAll('iframe').forEach(e => e.loading = 'eager');
  const seen = new Set();  // of thousands of coloured words of code, one of each kind stays for axe
  document.querySelectorAll('.highlight span').forEach(e => {
    const kind = [e.className, e.parentElement.className, e.closest('.cell, details, article').className].join('|');
    seen.has(kind) ? e.replaceWith(...e.childNodes) : seen.add(kind);
  });
}"""
FRAMES_ARE_LOADED = """[...document.querySelectorAll('iframe')].every(
  e => e.contentDocument?.readyState === 'complete' && e.contentDocument.URL !== 'about:blank')"""
TEXT = re.compile("text/|javascript|json|svg")  # types of files that hosts compress
PAINTED = "performance.getEntriesByName('first-contentful-paint').length > 0"
TOO_WIDE = "document.documentElement.scrollWidth - window.innerWidth"


@functools.cache
def compressed(path):
    """What a public host sends of a file of text."""
    return gzip.compress(path.read_bytes(), 6)


class PolicyHandler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder as a public host would: texts compressed, with the policy that the page of the build lists."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path = Path(self.translate_path(self.path))
        kind = self.guess_type(path)
        if not path.is_file() or not TEXT.search(kind):
            return super().do_GET()
        body = compressed(path)
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        return self.wfile.write(body)

    def end_headers(self):
        policy = VIEWER_POLICY if self.path.startswith("/_viewers/") else PAGE_POLICY
        self.send_header("Content-Security-Policy", policy_header(policy))
        super().end_headers()

    def send_error(self, code, message=None, explain=None):
        """Answer with the site's own page for wrong addresses."""
        body = Path(self.directory, "404.html").read_bytes()
        self.send_response(code)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        """Keep the test's output readable."""


@contextmanager
def serve(folder):
    """Serve a folder.

    Parameters
    ----------
    folder : Path
        With the built site.

    Yields
    ------
    str
        The address, without a slash at its end.
    """
    handler = functools.partial(PolicyHandler, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def open_page(browser, url, *, width=1280, theme="light", **options):
    """Open an address in a window of its own.

    Parameters
    ----------
    browser : playwright.sync_api.Browser
        The browser.
    url : str
        The address.
    width : int
        Of the window, in pixels.
    theme : str
        "light" or "dark": what the system prefers.
    **options
        More for `browser.new_context`.

    Yields
    ------
    page, wrong : playwright.sync_api.Page, list of str
        The page, and what went wrong since: requests to other hosts, errors of scripts and on the console,
        what the policy forbade, files that are missing. The list grows as long as the page is open.
    """
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme, **options)
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
    try:
        yield page, wrong
    finally:
        wrong += [f"cookie: {cookie['name']}" for cookie in context.cookies()]
        context.close()


def wait_until(page, condition, seconds=30):
    """Wait until an expression holds; `page.wait_for_function` would need a laxer policy."""
    for _ in range(seconds * 20):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"not in {seconds} s: {condition}")


def weigh(browser, url):
    """What a browser that sees a page for the first time is sent, before the reader scrolls or clicks.

    Parameters
    ----------
    browser : playwright.sync_api.Browser
        The browser.
    url : str
        The page, as `serve` serves it.

    Returns
    -------
    int
        Bytes of the page and of all that it loads: texts compressed, pictures and fonts as they are.
    """
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page, sent = context.new_page(), []
    page.on("requestfinished", lambda request: sent.append(request))
    page.goto(url, wait_until="networkidle")
    total = sum(request.sizes()["responseBodySize"] for request in sent)
    context.close()
    return total


def open_everything(page):
    """Unfold what is folded, load what waits to be scrolled to, and wait for it."""
    page.evaluate(OPEN_ALL)
    wait_until(page, FRAMES_ARE_LOADED)
    page.wait_for_load_state("networkidle")


def accessibility_problems(page):
    """What axe-core objects to, of any severity, in the page and in its frames.

    Parameters
    ----------
    page : playwright.sync_api.Page
        An open page.

    Returns
    -------
    list of str
        Rule, place and beginning of the element, for each.
    """
    for frame in page.frames:
        if not frame.evaluate("'axe' in window"):
            frame.evaluate(AXE)
    return page.evaluate(RUN_AXE)
