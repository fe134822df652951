"""Links that start the course elsewhere, all made from the repository's address.

The address stands in one place: `repository_url` in _config.yml, or the
variable COURSE_REPOSITORY_URL. Without it the set-up page says ADDRESS.
"""

import os
from urllib.parse import quote, urlparse

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

BINDER = "https://mybinder.org"
COLAB = "https://colab.research.google.com"
FIRST = "book/01_from_scanner.ipynb"
PLACEHOLDER = "ADDRESS"  # the first cell of each notebook says this, too


def repository_address(config):
    """Address of the repository, without a slash at its end; may be empty."""
    url = os.environ.get("COURSE_REPOSITORY_URL") or config.repository_url
    return url.rstrip("/")


def launch_buttons(url):
    """The theme's option for the rocket above each episode."""
    buttons = {"binderhub_url": BINDER, "notebook_interface": "jupyterlab"}
    return buttons | ({"colab_url": COLAB} if on_github(url) else {})


def on_github(url):
    """Whether Colab can open notebooks of this repository."""
    return urlparse(url).hostname == "github.com"


def binder_link(url):
    """Open the course's folder of notebooks on Binder."""
    path = urlparse(url).path.strip("/")
    where = f"gh/{path}" if on_github(url) else f"git/{quote(url, safe='')}"
    return f"{BINDER}/v2/{where}/main?urlpath=lab/tree/book"


def colab_link(url):
    """Open the first episode on Colab."""
    path = urlparse(url).path.strip("/")
    return f"{COLAB}/github/{path}/blob/main/{FIRST}"


def hub_link(url, hub="https://HUB"):
    """Have nbgitpuller fetch the course into a home on a JupyterHub."""
    name = url.rpartition("/")[2]
    path = quote(f"lab/tree/{name}/{FIRST}", safe="")
    query = f"repo={quote(url, safe='')}&branch=main&urlpath={path}"
    return f"{hub}/hub/user-redirect/git-pull?{query}"


def write_launch(part, url):
    """Write one part of the set-up page.

    Parameters
    ----------
    part : {"binder", "colab", "hub"}
        Which recipe.
    url : str
        Of the repository; may be empty.

    Yields
    ------
    str
        Lines of Markdown.
    """
    address = url or PLACEHOLDER
    if part == "binder":
        yield (
            f"[Start the course on Binder]({binder_link(url)})."
            if url
            else "Give Binder's start page the address of the repository."
        )
    elif part == "colab":
        if on_github(url):
            yield f"[Open episode 01 on Colab]({colab_link(url)})."
        yield "Run this in a new cell above the others:"
        yield ""
        yield "```ipython"
        yield f"!git clone --depth 1 {address} course"
        yield "%pip install --quiet -e course"
        yield "!cd course && python -m data_scripts simulate"
        yield "```"
    else:
        yield "```text"
        yield hub_link(address)
        yield "```"


class Launch(SphinxDirective):
    """One recipe with the repository's address: `{launch}` binder, colab, hub."""

    required_arguments = 1

    def run(self):
        """Write the lines and have them parsed."""
        lines = write_launch(
            self.arguments[0], repository_address(self.config)
        )
        container = nodes.container()
        self.state.nested_parse(
            StringList(list(lines), source="launch"),
            self.content_offset,
            container,
        )
        return [container]


def setup(app):
    """Register the directive."""
    app.add_directive("launch", Launch)
    return {
        "version": "1",
        "parallel_read_safe": True,
        "parallel_write_safe": True,
    }
