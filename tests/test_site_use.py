"""Uses the built site as a reader would: with keyboard, phone, printer, memory stick (make site)."""

import hashlib
import json
import re

import pytest
from pygments.token import STANDARD_TYPES
from site_browser import TOO_WIDE, open_page, wait_until

pytestmark = pytest.mark.site
THEME = "document.documentElement.dataset.theme"
PICTURE = "[...document.querySelectorAll('canvas')].map(e => e.toDataURL()).join()"
REACHABLE = """() => {
  const all = [...document.querySelectorAll('a[href], button, summary, input, select, iframe, [tabindex="0"]')];
  window.reachable = all.filter(e => e.tabIndex >= 0 && !e.disabled && e.checkVisibility({visibilityProperty: true}));
  window.reached = new Set();
  return window.reachable.length;
}"""
FOCUSED = """() => {
  const e = document.activeElement;
  const style = getComputedStyle(e.querySelector(':scope > .toctree-toggle') || e.closest('.sd-card') || e);
  window.reached.add(e);
  return e === document.body || e.tagName === 'IFRAME' || e.matches('.skip-link *, .pst-skip-link *')
    || style.outlineStyle !== 'none' || style.boxShadow !== 'none' ? '' : e.outerHTML.slice(0, 200);
}"""
MISSED = "window.reachable.filter(e => !window.reached.has(e)).map(e => e.outerHTML.slice(0, 200))"

CONTRASTS = """kinds => {
  const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
  const light = colour => numbers(colour).slice(0, 3).map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = e => {
    const colour = getComputedStyle(e).backgroundColor;
    return (numbers(colour)[3] ?? 1) === 1 ? colour : ground(e.parentElement);
  };
  const pre = document.querySelector('article .highlight pre');
  return Object.fromEntries(kinds.map(kind => {
    const span = document.createElement('span');
    span.className = kind;
    pre.append(span);
    const both = [light(getComputedStyle(span).color), light(ground(span))].sort((a, b) => b - a);
    span.remove();
    return [kind, (both[0] + 0.05) / (both[1] + 0.05)];
  }));
}"""


@pytest.fixture
def start(address):
    """Address of the landing page."""
    return f"{address}/book/index.html"


def test_reader_finds_a_term_from_the_landing_page(browser, start):
    """Typing "framewise displacement" into the search leads to its entry in the glossary."""
    with open_page(browser, start) as (page, wrong):
        page.keyboard.press("Control+k")
        page.keyboard.type("framewise displacement")
        page.keyboard.press("Enter")
        page.wait_for_url("**/search.html?q=*")
        lens = page.locator(".bd-article-container form.bd-search i").bounding_box()
        field = page.locator(".bd-article-container form.bd-search input")
        padding = field.evaluate("e => parseFloat(getComputedStyle(e).paddingLeft)")
        text_starts = field.bounding_box()["x"] + padding
        entry = page.locator("#search-results a[href*='glossary.html#term-framewise']").first
        entry.click(timeout=20_000)
        page.wait_for_url("**/glossary.html*#term-framewise-displacement")
        shown = page.locator("#term-framewise-displacement").is_visible()
    assert wrong == []
    assert shown
    assert lens["x"] + lens["width"] < text_starts


def test_reader_goes_forward_and_back(browser, start):
    """The links at the foot of the pages lead to the next page and back."""
    with open_page(browser, start) as (page, wrong):
        page.locator(".prev-next-footer a.right-next").click()
        page.wait_for_url("**/setup.html")
        page.locator(".prev-next-footer a.left-prev").click()
        page.wait_for_url("**/index.html")
        page.locator("article .sd-card").first.click()
        page.wait_for_url("**/01_from_scanner.html")
    assert wrong == []


def test_reader_opens_a_solution(browser, address):
    """A solution is folded away until it is asked for, with the keyboard too."""
    with open_page(browser, f"{address}/book/04_image_maths.html") as (page, wrong):
        solution = page.locator("details:has(.highlight)").first
        code = solution.locator(".highlight").first
        before = code.is_visible()
        solution.locator("summary").focus()
        page.keyboard.press("Enter")
        code.wait_for(state="visible")
    assert wrong == []
    assert not before


def test_reader_turns_a_viewer(browser, address):
    """A viewer loads when it is scrolled to, and shows another place after a click."""
    with open_page(browser, f"{address}/book/04_image_maths.html") as (page, wrong):
        place = page.locator("iframe").first
        waiting = place.evaluate("e => e.loading")
        place.scroll_into_view_if_needed()
        viewer = place.content_frame.locator("canvas").first
        viewer.wait_for()
        frame = page.frames[1]
        wait_until(frame, "document.querySelector('canvas').width > 100 && document.readyState === 'complete'")
        page.wait_for_timeout(500)
        before = hashlib.sha256(frame.evaluate(PICTURE).encode()).hexdigest()
        viewer.click(position={"x": 60, "y": 110})
        page.wait_for_timeout(500)
        after = hashlib.sha256(frame.evaluate(PICTURE).encode()).hexdigest()
    assert wrong == []
    assert waiting == "lazy"
    assert before != after


def test_reader_chooses_light_or_dark(browser, start):
    """The pages follow the system until the reader chooses; the choice holds on the next page."""
    with open_page(browser, start, theme="dark") as (page, wrong):
        followed = page.evaluate(THEME)
        for _ in range(3):
            page.locator("button.theme-switch-button").first.click()
            if page.evaluate(THEME) == "light":
                break
        page.goto(start.replace("index", "glossary"))
        kept = page.evaluate(THEME)
    assert wrong == []
    assert (followed, kept) == ("dark", "light")


def test_reader_opens_the_menu_on_a_phone(browser, start):
    """On a phone the table of contents opens from its button, and leads to an episode."""
    with open_page(browser, start, width=375) as (page, wrong):
        link = page.locator(".bd-sidebar-primary a[href*='02_exploring_bids']")
        before = link.is_visible()
        page.locator("button.primary-toggle").first.click()
        link.click()
        page.wait_for_url("**/02_exploring_bids.html")
        overflow = page.evaluate(TOO_WIDE)
    assert wrong == []
    assert not before
    assert overflow <= 0


@pytest.mark.parametrize("name", ["index", "03_nifti", "08_functional_connectivity"])
def test_keyboard_reaches_everything(browser, address, name):
    """Tab leads to every link, button, fold, viewer and scrollable output, and shows where it is."""
    unseen = set()
    with open_page(browser, f"{address}/book/{name}.html", reduced_motion="reduce") as (page, wrong):
        n_reachable = page.evaluate(REACHABLE)
        for _ in range(n_reachable + 40):  # a viewer's controls take stops of their own
            page.keyboard.press("Tab")
            unseen.add(page.evaluate(FOCUSED))
        missed = page.evaluate(MISSED)
    assert wrong == []
    assert n_reachable > 30
    assert missed == []
    assert unseen == {""}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_kind_of_code_can_be_read(browser, address, theme):
    """Each colour that code can have, used on a page or not, has a contrast of 4.5 to its ground (WCAG 1.4.3)."""
    kinds = sorted(filter(None, STANDARD_TYPES.values()))
    with open_page(browser, f"{address}/book/04_image_maths.html", theme=theme, reduced_motion="reduce") as (page, _):
        assert page.evaluate(THEME) == theme
        contrasts = page.evaluate(CONTRASTS, kinds)
    assert len(contrasts) > 60
    assert max(contrasts.values()) > min(contrasts.values())
    assert {kind: ratio for kind, ratio in contrasts.items() if ratio < 4.5} == {}


def test_motion_is_reduced_on_request(browser, start):
    """Nothing moves by itself for a reader who asked the system for less motion."""
    moving = "[...document.querySelectorAll('*')].filter(e => parseFloat(getComputedStyle(e).transitionDuration) > 0)"
    with open_page(browser, start, reduced_motion="reduce") as (page, _):
        assert page.evaluate(f"{moving}.length") == 0
        page.emulate_media(reduced_motion="no-preference")
        assert page.evaluate(f"{moving}.length") > 0


def test_page_can_be_printed(browser, address):
    """On paper there is the text alone, dark on light, whatever the screen shows."""
    with open_page(browser, f"{address}/book/03_nifti.html", theme="dark") as (page, _):
        page.emulate_media(media="print", color_scheme="dark")
        hidden = ".bd-header-article, .bd-sidebar-primary, .prev-next-footer"
        assert page.evaluate(f"[...document.querySelectorAll('{hidden}')].every(e => !e.checkVisibility())")
        assert page.locator("h1 >> visible=true").count() == 1
        assert page.evaluate("getComputedStyle(document.querySelector('article p')).color") == "rgb(0, 0, 0)"
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


@pytest.mark.parametrize("paper", ["A4", "Letter"])
def test_cheat_sheet_prints_on_one_page(browser, address, paper):
    """The cheat sheet fits on one sheet with the margins of a printer, in letters that can be read."""
    margin = dict.fromkeys(("top", "bottom", "left", "right"), "1cm")
    with open_page(browser, f"{address}/book/cheat_sheet.html") as (page, wrong):
        sheets = page.pdf(format=paper, margin=margin)
        page.emulate_media(media="print")
        points = page.evaluate("parseFloat(getComputedStyle(document.querySelector('article pre')).fontSize) * 0.75")
    assert wrong == []
    assert len(re.findall(rb"/Type\s*/Page\b", sheets)) == 1
    assert points >= 8.9


def test_wrong_address_gets_a_page_that_leads_back(browser, address):
    """At any depth an address that does not exist shows a page whose links work."""
    with open_page(browser, f"{address}/book/no/such/page.html") as (page, _):
        page.get_by_role("link", name="the start of").click()
        page.wait_for_url("**/book/index.html")
        assert "From Files to Findings" in page.title()


@pytest.mark.parametrize("name", ["index", "08_functional_connectivity", "13_surface"])
def test_site_works_from_a_folder(browser, site, name):
    """Without a server, as from a memory stick: nothing is missing, viewers and formulas included."""
    with open_page(browser, (site / f"book/{name}.html").as_uri()) as (page, wrong):
        page.evaluate("document.querySelectorAll('iframe').forEach(e => e.loading = 'eager')")
        page.wait_for_load_state("networkidle")
        for frame in page.frames[1:]:
            frame.wait_for_load_state("load")
        n_formulas = page.evaluate("document.querySelectorAll('math').length")
        font = page.evaluate("document.fonts.ready.then(() => document.fonts.check('1em \"Course Formulas\"'))")
        n_frames = page.evaluate("document.querySelectorAll('iframe').length")
        assert len(page.frames) == n_frames + 1
    assert wrong == []
    assert font or not n_formulas
    assert n_formulas or name != "08_functional_connectivity"


def test_reader_takes_the_notebook_home(browser, address):
    """The download button of an episode gives its notebook, without outputs."""
    with open_page(browser, f"{address}/book/02_exploring_bids.html") as (page, wrong):
        page.locator(".dropdown-download-buttons > button").click()
        with page.expect_download() as download:
            page.locator("a.btn-download-source-button").click()
        notebook = json.loads(download.value.path().read_text())
    assert wrong == []
    assert not any(cell.get("outputs") for cell in notebook["cells"])
