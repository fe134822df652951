"""Takes out of the finished pages what a strict policy forbids or nobody uses.

Scripts and styles that stand in a page become files; scripts of the theme
that do nothing here are left out.
"""

import hashlib
import re
from pathlib import Path

from page_parts import write_once

INLINE_SCRIPT = re.compile(
    r"<script(?![^>]*\b(?:src|type)=)[^>]*>(.*?)</script>", re.S
)
INLINE_STYLE = re.compile(r"<style[^>]*>(.*?)</style>", re.S)
STYLED_TAG = re.compile(r'(<[a-zA-Z][^<>]*?) style="([^"]*)"')
# the theme draws its icons with styles, too
ICON_SCRIPT = re.compile(r"<script[^>]*/fontawesome\.js[^>]*></script>\n?")
# for a search as one types, which is off
SEARCH_SCRIPT = re.compile(
    r"<script[^>]*[/\"](?:searchtools|language_data|searchindex)\.js[^>]*>"
    r"</script>\n?"
)
UNUSED_FILES = ("scripts/fontawesome.js*", "**/*.map")
MENDS = (
    ('onclick="window.print()"', "data-print"),
    ('<th class="head"><p></p></th>', "<td></td>"),
    # a role that ARIA no longer has; the list around it wants this one
    ('role="doc-biblioentry"', 'role="listitem"'),
)


def name_of(text):
    """A name made from content."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def move_scripts(text, folder, up):
    """Have a page load its scripts from files."""

    def move(found):
        name = f"{name_of(found[1])}.js"
        write_once(folder / name, found[1])
        return f'<script src="{up}_static/inline/{name}"></script>'

    return INLINE_SCRIPT.sub(move, text)


def move_styles(text, folder, up):
    """Have a page load its styles, and those of single elements, from files.

    Parameters
    ----------
    text : str
        The page.
    folder : Path
        Where the files go.
    up : str
        The way from the page to the site's root.

    Returns
    -------
    str
        The page. An element that had a style of its own is marked with
        data-style, and stays as important as it was.
    """
    seen, marked = set(), {}

    def link(styles):
        name = f"{name_of(styles)}.css"
        write_once(folder / name, styles)
        return f'<link rel="stylesheet" href="{up}_static/inline/{name}">'

    def move_block(found):  # the same of every table: one is enough
        known = found[1] in seen
        seen.add(found[1])
        return "" if known else link(found[1])

    def mark_tag(found):
        mark = name_of(found[2])
        parts = filter(str.strip, found[2].split(";"))
        rules = ";".join(f"{part} !important" for part in parts)
        marked[mark] = f'[data-style="{mark}"] {{ {rules} }}'
        return f'{found[1]} data-style="{mark}"'

    text = INLINE_STYLE.sub(move_block, text)
    text = STYLED_TAG.sub(mark_tag, text)
    if marked:
        styles = link("\n".join(marked.values()))
        text = text.replace("</head>", f"{styles}\n</head>", 1)
    return text


def finish_page(text, where, out):
    """Make a page ready to be published.

    Parameters
    ----------
    text : str
        The page.
    where : Path
        Its path from the site's root.
    out : Path
        The site.

    Returns
    -------
    str
        The page, without scripts and styles of its own.
    """
    up, folder = "../" * (len(where.parts) - 1), out / "_static/inline"
    text = ICON_SCRIPT.sub("", text)
    if where.name != "search.html":
        text = SEARCH_SCRIPT.sub("", text)
    text = move_styles(move_scripts(text, folder, up), folder, up)
    for old, new in MENDS:
        text = text.replace(old, new)
    return text


def finish_pages(app, exception):
    """Finish every page, and delete files that none of them uses any more."""
    if exception is not None:
        return
    out, used = Path(app.outdir), set()
    for page in out.rglob("*.html"):
        where = page.relative_to(out)
        if where.parts[0] in ("_static", "_viewers", "_sources"):
            continue
        old = page.read_text(encoding="utf-8")
        new = finish_page(old, where, out)
        if new != old:
            page.write_text(new, encoding="utf-8")
        used.update(
            re.findall(
                r"_(?:viewers|static/inline)/([0-9a-f]{16}\.\w+)", new
            )
        )
    for folder in ("_viewers", "_static/inline"):
        for path in (out / folder).glob("*"):
            if path.name not in used:
                path.unlink()
    for pattern in UNUSED_FILES:
        for path in (out / "_static").glob(pattern):
            path.unlink()


def setup(app):
    """Connect the above to Sphinx's events."""
    app.connect("build-finished", finish_pages)
    return {"version": "1", "parallel_read_safe": True}
