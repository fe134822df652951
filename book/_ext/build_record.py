"""Measures each notebook that a build runs, and tells it on the page of the build.

A record is kept beside the cached outputs that belong to it, under the hash
of the code that was run: a page that comes from the cache shows what was
measured when it was run.
"""

import hashlib
import json
import platform
from datetime import UTC, datetime
from importlib.metadata import requires, version
from pathlib import Path

import myst_nb.core.execute
import psutil
from docutils import nodes
from jupyter_cache.executors.utils import single_nb_execution
from jupyter_client.manager import AsyncKernelManager
from myst_nb.core.execute import cache as execution
from myst_nb.sphinx_ import NbMetadataCollector
from packaging.requirements import Requirement
from page_parts import PAGE_POLICY, VIEWER_POLICY
from sphinx.util.docutils import SphinxDirective

import course_utils
from course_utils.dataset import open_study

PACKAGE = "files-to-findings"


def peak_memory_mb(pid):
    """Peak resident memory of a running process.

    Parameters
    ----------
    pid : int
        Of the process.

    Returns
    -------
    float or None
        In MB (10^6 bytes); None where the system does not keep it (macOS).
    """
    status = Path(f"/proc/{pid}/status")
    if status.is_file():
        fields = dict(
            line.split(":", 1) for line in status.read_text().splitlines()
        )
        return int(fields["VmHWM"].split()[0]) * 1024 / 1e6
    memory = psutil.Process(pid).memory_info()
    peak = getattr(memory, "peak_wset", None)  # Windows
    return None if peak is None else peak / 1e6


class MeasuringKernelManager(AsyncKernelManager):
    """Notes the kernel's peak memory before it ends the kernel."""

    peak_mb = None

    async def shutdown_kernel(self, now=False, restart=False):
        """End the kernel, as every manager does."""
        if self.has_kernel:
            type(self).peak_mb = peak_memory_mb(self.provisioner.pid)
        await super().shutdown_kernel(now=now, restart=restart)


class MeasuringClient(execution.NotebookClientCache):
    """Runs a notebook or takes it from the cache; either way knows what it cost."""

    def start_client(self):
        """Run the notebook if need be, and find the record of its run."""
        super().start_client()
        path = record_path(
            self.nb_config.execution_cache_path, self.notebook
        )
        if path.is_file():
            self.exec_metadata |= json.loads(path.read_text())


def record_path(cache, notebook):
    """Where the record of a notebook's code lies.

    Parameters
    ----------
    cache : path
        Folder of the execution cache.
    notebook : NotebookNode
        The notebook; of it only the code counts.

    Returns
    -------
    Path
        It exists if this code was run with this cache.
    """
    code = [c.source for c in notebook.cells if c.cell_type == "code"]
    digest = hashlib.sha256("\0".join(code).encode()).hexdigest()[:16]
    return Path(cache, "records", f"{digest}.json")


def measure_executions(cache):
    """Make myst-nb measure each notebook that it runs from now on.

    Parameters
    ----------
    cache : path
        Folder of the execution cache, where the records go.
    """

    def run(notebook, **options):
        MeasuringKernelManager.peak_mb = None
        path = record_path(cache, notebook)
        result = single_nb_execution(
            notebook, kernel_manager_class=MeasuringKernelManager, **options
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        ended = f"{datetime.now(UTC):%Y-%m-%d %H:%M}"
        record = {"peak_mb": MeasuringKernelManager.peak_mb, "ended": ended}
        path.write_text(json.dumps(record))
        return result

    execution.single_nb_execution = run
    myst_nb.core.execute.NotebookClientCache = MeasuringClient


class Placeholder(nodes.General, nodes.Element):
    """Stands for a table until every page has been read."""


class BuildRecord(SphinxDirective):
    """A table of the build: `{build-record}` and the name of a table below."""

    required_arguments = 1

    def run(self):
        """Leave a placeholder."""
        return [Placeholder(table=self.arguments[0])]


def make_table(headers, rows):
    """A table of texts and nodes."""
    group = nodes.tgroup("", cols=len(headers))
    group += [nodes.colspec(colwidth=1) for _ in headers]
    for part, lines in ((nodes.thead(), [headers]), (nodes.tbody(), rows)):
        for line in lines:
            row = nodes.row()
            for cell in line:
                node = (
                    cell
                    if isinstance(cell, nodes.Node)
                    else nodes.Text(str(cell))
                )
                row += nodes.entry("", nodes.paragraph("", "", node))
            part += row
        group += part
    return nodes.table("", group)


def table_of_build(app, docname):
    """What was built, when, from which data."""
    study = open_study()
    request = json.loads((study.root / "manifest.json").read_text())
    request = request.get("request", {})
    rows = [
        ["Version of the course", course_utils.__version__],
        ["Built (UTC)", f"{datetime.now(UTC):%Y-%m-%d %H:%M}"],
        ["Python", platform.python_version()],
        ["System", f"{platform.system()} {platform.machine()}"],
        ["Processor cores", psutil.cpu_count()],
        ["Study", f"{study.name}, {len(study.participants)} people"],
        ["Seed of the simulation", request.get("seed", "none: real data")],
    ]
    return make_table(["What", "Which"], rows)


def table_of_packages(app, docname):
    """Versions of the packages that the course itself asks for."""
    wanted = map(Requirement, requires(PACKAGE))
    names = sorted(
        r.name for r in wanted if "extra" not in str(r.marker or "")
    )
    return make_table(
        ["Package", "Version"], [[name, version(name)] for name in names]
    )


def table_of_notebooks(app, docname):
    """How every notebook of the table of contents fared."""
    rows = []
    for name in sorted(app.env.found_docs):
        data = NbMetadataCollector.get_exec_data(app.env, name)
        if not data:
            continue
        title = app.env.titles[name].astext()
        link = nodes.reference(
            "",
            title,
            internal=True,
            refuri=app.builder.get_relative_uri(docname, name),
        )
        peak = data.get("peak_mb")
        rows.append(
            [
                link,
                "ran" if data["succeeded"] else f"failed: {data['error']}",
                f"{data['runtime']:.0f}",
                "not measured" if peak is None else f"{peak:.0f}",
                data.get("ended", "not known"),
            ]
        )
    return make_table(
        ["Notebook", "Status", "Seconds", "Peak memory (MB)", "Ended (UTC)"],
        rows,
    )


def table_of_policy(app, docname):
    """What pages and viewers may load, and why more than their own files."""
    rows = []
    for where, policy in (
        ("pages", PAGE_POLICY),
        ("viewers", VIEWER_POLICY),
    ):
        for directive, (sources, reason) in policy.items():
            rule = nodes.literal("", f"{directive} {sources}")
            rows.append([where, rule, reason])
    return make_table(["Where", "Rule", "Why"], rows)


TABLES = {
    "build": table_of_build,
    "packages": table_of_packages,
    "notebooks": table_of_notebooks,
    "policy": table_of_policy,
}


def fill(app, doctree, docname):
    """Put the tables where their placeholders are."""
    for node in list(doctree.findall(Placeholder)):
        node.replace_self(TABLES[node["table"]](app, docname))


def always_outdated(app, env, added, changed, removed):
    """Name the pages that every build writes anew.

    The page of the build belongs to this build; and Sphinx finds terms of the
    glossary only in a search index that was made while the glossary was read.
    """
    return sorted({"book/build", "book/glossary"} & env.found_docs)


def setup(app):
    """Connect the above to Sphinx's events."""
    app.add_node(Placeholder)
    app.add_directive("build-record", BuildRecord)
    app.connect("env-get-outdated", always_outdated)
    app.connect("doctree-resolved", fill)
    return {"version": "1", "parallel_read_safe": True}
