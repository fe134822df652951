"""What each built page is given beside its text.

A description and a picture for previews, buttons that lead to the repository,
viewers as files of their own, a page for wrong addresses.
"""

import hashlib
import html
import os
import re
from pathlib import Path
from urllib.parse import urljoin, urlparse

from docutils import nodes
from launch import launch_buttons, repository_address

LONGEST_DESCRIPTION = 200  # characters: previews cut what is longer
FRAME = re.compile(r'<iframe srcdoc="([^"]*)"([^>]*)>')
HEADING = re.compile(r"(</?h)([1-4])\b")
MAIN = re.compile(r"(</?)main\b")
COPY_BUTTON = re.compile(
    r'<button type="button" class="copy-paste-icon".*?</button>', re.S
)
# directive: (sources, why more than the site's own files are needed)
PAGE_POLICY = {
    "default-src": ("'self'", "nothing from anywhere else"),
    "img-src": (
        "'self' data:",
        "icons in the theme's styles, pictures in the report on the data",
    ),
}
VIEWER_POLICY = {
    "default-src": ("'none'", "a viewer is one file and loads nothing"),
    "script-src": (
        "'unsafe-inline' 'unsafe-eval'",
        "nilearn writes a viewer's scripts into its file; Plotly compiles some",
    ),
    "style-src": ("'unsafe-inline'", "and its styles"),
    "img-src": ("data: blob:", "and its images"),
}
# unlabelled controls of nilearn's viewers
VIEWER_LABELS = {
    '<select id="select-view"': "View",
    '<input id="opacity-range"': "Opacity",
    '<input type="range"': "Opacity",
}


def policy_header(policy):
    """A policy as the value of the header Content-Security-Policy."""
    return "; ".join(f"{name} {rule}" for name, (rule, _) in policy.items())


def write_once(path, text):
    """Write a file whose name is made from its content."""
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def move_viewer(app, docname, text):
    """Give a viewer a file of its own, a title, names for its controls.

    Parameters
    ----------
    app : Sphinx
        The build.
    docname : str
        The page.
    text : str
        HTML with a frame that holds its document in the attribute srcdoc.

    Returns
    -------
    str
        The same with a frame that loads the file when it is scrolled near.
    """

    def move(found):
        page, rest = html.unescape(found[1]), found[2]
        title = re.search(r"<title>(.*?)</title>", page, re.S)
        title = html.unescape(title[1]).strip() if title else ""
        title = html.escape(title or "Interactive viewer", quote=True)
        page = re.sub(r"<link\b[^>]*https?:[^>]*>", "", page)  # an icon
        # nilearn's report: a button within a button, and a pale red
        page = COPY_BUTTON.sub("", page).replace(
            "color: red;", "color: #b00000;"
        )
        # it is a part of our page: below a heading of ours, beside our main part
        page = HEADING.sub(lambda tag: f"{tag[1]}{int(tag[2]) + 2}", page)
        page = MAIN.sub(r"\1div", page)
        for control, label in VIEWER_LABELS.items():
            page = page.replace(control, f'{control} aria-label="{label}"')
        name = hashlib.sha256(page.encode()).hexdigest()[:16] + ".html"
        write_once(Path(app.outdir, "_viewers", name), page)
        up = "../" * docname.count("/")
        if " title=" not in rest:
            rest = f' title="{title}"{rest}'
        return f'<iframe src="{up}_viewers/{name}" loading="lazy"{rest}>'

    return FRAME.sub(move, text)


def describe(doctree):
    """One sentence or two on a page: its questions, or how it begins."""
    texts = [node.astext() for node in doctree.findall(nodes.paragraph)]
    asked = [
        t.partition(":")[2] for t in texts if t.startswith("Questions:")
    ]
    text = " ".join((asked + texts + [""])[0].split())
    if len(text) > LONGEST_DESCRIPTION:
        text = text[:LONGEST_DESCRIPTION].rpartition(" ")[0] + " ..."
    return text


def add_metadata(app, pagename, templatename, context, doctree):
    """Describe the page for search engines and for previews of links to it."""
    if doctree is None:
        return
    tags = context.get("metatags", "")
    title = re.sub(r"<[^>]*>", "", context.get("title", ""))
    text = html.escape(describe(doctree), quote=True)
    up = "../" * pagename.count("/")
    image = f"{up}_static/social.png"
    if app.config.html_baseurl:  # previews want a whole address
        address = app.config.html_baseurl.rstrip("/") + "/"
        image = urljoin(address, "_static/social.png")
        url = urljoin(address, f"{pagename}.html")
        tags += f'\n<meta property="og:url" content="{url}">'
    pairs = {
        "og:type": "article",
        "og:site_name": app.config.html_title,
        "og:title": html.unescape(title),
        "og:image": image,
        "og:image:alt": "The course's name beside blocks on a matrix' diagonal",
    }
    for name, value in pairs.items():
        value = html.escape(value, quote=True)
        tags += f'\n<meta property="{name}" content="{value}">'
    if 'name="description"' not in tags:
        tags += f'\n<meta name="description" content="{text}">'
    tags += f'\n<meta property="og:description" content="{text}">'
    context["metatags"] = tags


def know_addresses(app, config):
    """Take the addresses of repository and site, and enable what needs them."""
    options = config.html_theme_options
    url = repository_address(config)
    if url:
        options.update(
            repository_url=url,
            launch_buttons=options.get("launch_buttons", {})
            | launch_buttons(url),
            repository_branch="main",
            use_repository_button=True,
            use_edit_page_button=True,
            use_issues_button=True,
        )
    config.html_baseurl = os.environ.get(
        "COURSE_SITE_URL", config.html_baseurl
    )


def page_for_wrong_addresses(app):
    """Make 404.html, whose links start from the root: it is shown at any depth."""
    root = urlparse(app.config.html_baseurl).path.rstrip("/") + "/"
    yield "404", {"site_root": root}, "404.html"


def setup(app):
    """Connect the above to Sphinx's events."""
    app.add_config_value("repository_url", "", "html")
    app.connect("config-inited", know_addresses, priority=850)
    app.connect("html-page-context", add_metadata)
    app.connect("html-collect-pages", page_for_wrong_addresses)
    return {"version": "1", "parallel_read_safe": True}
