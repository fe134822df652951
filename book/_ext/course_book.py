"""What the book's build needs beyond Jupyter Book.

A cache that notices change, accessible outputs.
"""

import hashlib
import shutil
from importlib.metadata import distributions
from pathlib import Path

from build_record import measure_executions
from docutils import nodes
from page_parts import move_viewer
from sphinx.errors import ConfigError

from course_utils.dataset import StudyNotFoundError, open_study

ROOT = Path(__file__).resolve().parents[2]


def digest_of_inputs():
    """Digest of what can change a notebook's output beside its own text.

    Returns
    -------
    str
        Sixteen hexadecimal digits over the course's code and its tables, the
        versions of all packages, and the data's manifest.
    """
    digest = hashlib.sha256()
    code = [
        path
        for package in ("course_utils", "data_scripts")
        for path in ROOT.glob(f"{package}/**/*")
        if path.suffix in (".py", ".csv", ".npz")
    ]
    for path in sorted(code):
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
    measure_executions(chosen)


def mend_outputs(app, doctree, docname):
    """Put viewers into files of their own, and mend the headers of tables."""
    for node in list(doctree.findall(nodes.raw)):
        text = node.astext()
        if "<iframe srcdoc=" in text:
            text = move_viewer(app, docname, text)
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
    return {
        "version": "1",
        "parallel_read_safe": True,
        "parallel_write_safe": True,
    }
