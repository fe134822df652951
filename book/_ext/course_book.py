"""What the book's build needs beyond Jupyter Book.

A cache that notices change, MathJax from disk, accessible outputs.
"""

import hashlib
import html
import importlib.util
import re
import shutil
from importlib.metadata import distributions
from pathlib import Path

from docutils import nodes
from sphinx.errors import ConfigError

from course_utils.dataset import StudyNotFoundError, open_study

ROOT = Path(__file__).resolve().parents[2]
MATHJAX_PARTS = ("tex-chtml.js", "output/chtml/fonts", "a11y")
# unlabelled controls of nilearn's viewers, as they stand inside a srcdoc attribute
VIEWER_LABELS = {
    "&lt;select id=&quot;select-view&quot;": "View",
    "&lt;input id=&quot;opacity-range&quot;": "Opacity",
    "&lt;input type=&quot;range&quot;": "Opacity",
}


def digest_of_inputs():
    """Digest of what can change a notebook's output beside its own text.

    Returns
    -------
    str
        Sixteen hexadecimal digits over the course's code, the versions of all
        packages, and the data's manifest.
    """
    digest = hashlib.sha256()
    for path in sorted(ROOT.glob("course_utils/**/*.py")):
        digest.update(
            path.relative_to(ROOT).as_posix().encode() + path.read_bytes()
        )
    for name in sorted(f"{d.name}=={d.version}" for d in distributions()):
        digest.update(name.encode())
    try:
        digest.update(
            (open_study("simulated").root / "manifest.json").read_bytes()
        )
    except StudyNotFoundError as error:
        raise ConfigError(str(error)) from None
    return digest.hexdigest()[:16]


def choose_cache(app, config):
    """Give every state of code, packages and data a cache; drop older ones."""
    caches = Path(app.outdir).parent / ".jupyter_cache"
    chosen = caches / digest_of_inputs()
    if caches.is_dir():
        for old in caches.iterdir():
            if old != chosen:
                shutil.rmtree(old) if old.is_dir() else old.unlink()
    config.nb_execution_cache_path = str(chosen)


def copy_mathjax(app, exception):
    """Put MathJax into the site, so that formulas need no network."""
    if exception is not None:
        return
    package = Path(
        importlib.util.find_spec(
            "sphinx-mathjax-offline"
        ).submodule_search_locations[0]
    )
    for part in MATHJAX_PARTS:
        source, target = (
            package / "static/mathjax" / part,
            Path(app.outdir, "_static/mathjax", part),
        )
        if target.exists():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copy2)(
            source, target
        )


def mend_outputs(app, doctree, docname):
    """Name frames and controls of viewers, load them late, mend tables' headers."""
    for node in list(doctree.findall(nodes.raw)):
        text = node.astext()
        if "<iframe srcdoc=" in text:
            found = re.search(r"&lt;title&gt;(.*?)&lt;/title&gt;", text)
            title = html.unescape(found.group(1)).strip() if found else ""
            for old, label in VIEWER_LABELS.items():
                text = text.replace(
                    old, f"{old} aria-label=&quot;{label}&quot;"
                )
            title = html.escape(title or "Interactive viewer", quote=True)
            text = text.replace(
                "<iframe srcdoc=",
                f'<iframe title="{title}" loading="lazy" srcdoc=',
                1,
            )
        elif "<table" in text:
            text = text.replace("<th></th>", "<td></td>")
        else:
            continue
        node.replace_self(
            nodes.raw("", text, format=node.get("format", "html"))
        )


def drop_thebe(app, pagename, templatename, context, doctree):
    """Leave out the scripts of Thebe: added twice even where off, from a CDN."""

    def wanted(script):
        return (
            "thebe"
            not in f"{script.filename} {script.attributes.get('body', '')}".lower()
        )

    context["script_files"][:] = filter(
        wanted, context.get("script_files", [])
    )


def setup(app):
    """Connect the above to Sphinx's events."""
    app.connect("config-inited", choose_cache, priority=900)
    app.connect("doctree-resolved", mend_outputs)
    app.connect("html-page-context", drop_thebe, priority=900)
    app.connect("build-finished", copy_mathjax)
    return {
        "version": "1",
        "parallel_read_safe": True,
        "parallel_write_safe": True,
    }
