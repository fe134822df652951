"""A build runs those notebooks whose code changed, and no others (make site)."""

import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

pytestmark = pytest.mark.site
ROOT = Path(__file__).resolve().parents[1]
COMMAND = (Path(sys.executable).with_name("jupyter-book"), "build", ".", "-W", "-n", "--keep-going")


class Book:
    """A book of two notebooks, built with the course's own settings and extensions; each run leaves a line in a log."""

    def __init__(self, folder):
        self.folder, self.log = folder, folder / "runs.txt"
        (folder / "book").mkdir()
        for name in ("_ext", "_static", "_tables", "references.bib"):
            path = ROOT / "book" / name
            (shutil.copytree if path.is_dir() else shutil.copy2)(path, folder / "book" / name)
        shutil.copy2(ROOT / "_config.yml", folder)
        contents = {"format": "jb-book", "root": "book/index", "chapters": [{"file": f"book/{n}"} for n in ("a", "b")]}
        (folder / "_toc.yml").write_text(yaml.safe_dump(contents))
        (folder / "book/index.md").write_text("# A book\n\nOf two notebooks.\n")
        for name in ("a", "b"):
            self.write(name)

    def write(self, name, *, code="1 + 1", prose="A sum."):
        """Write a notebook that notes each of its runs."""
        note = f"with open({str(self.log)!r}, 'a') as log:\n    print({name!r}, file=log)"
        cells = [new_markdown_cell(f"# {name}\n\n{prose}"), new_code_cell(note), new_code_cell(code)]
        nbformat.write(new_notebook(cells=cells), self.folder / f"book/{name}.ipynb")

    def build(self):
        """Build the book, and list the notebooks that were run for it."""
        self.log.write_text("")
        done = subprocess.run(COMMAND, cwd=self.folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return sorted(self.log.read_text().split())

    def shows(self, name, text):
        """Whether a built page shows a text."""
        return text in (self.folder / f"_build/html/book/{name}.html").read_text()


def test_only_what_changed_is_run(tmp_path):
    """First both notebooks are run; then none; then the one whose code changed; for new prose again none."""
    book = Book(tmp_path)
    assert book.build() == ["a", "b"]
    assert book.build() == []
    book.write("b", code="40 + 2")
    assert book.build() == ["b"]
    assert book.shows("b", ">42\n")
    book.write("a", prose="Another sentence.")
    assert book.build() == []
    assert book.shows("a", "Another sentence.")
