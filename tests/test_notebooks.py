"""Gates on every notebook, the proof that each gate closes, and both passes over the exercises."""

import os
import subprocess
import sys
from pathlib import Path

import launch
import nbformat
import notebook_gates as gates
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from solved import find_checks, replies, run_notebook, show_solutions, solve_notebook

ROOT = Path(__file__).resolve().parents[1]
BOOK = ROOT / "book"
NOTEBOOKS = sorted(BOOK.glob("*.ipynb"))
GOOD_ALT = "Two matrices. Without cleaning nearly every cell is red; after it, seven blocks stand out."
# known mistakes that a notebook's own inputs cannot show: (exercise, mistake)
CANNOT_BE_TOLD = {
    ("region_at", "three_voxels"),  # around this place a radius of 3 voxels meets the same regions
    ("lost_labels", "never_there"),  # every name of this atlas has a voxel
    ("nested_score", "not_chosen"),  # the accuracy of twenty people has few values, and here both are the same
    ("region_size", "right_only"),  # hardly a region of this atlas has a vertex on both sides
    ("from_scanner", "rounded"),  # a share of twenty people has no more than two digits
    ("from_scanner", "the_other_way"),  # equal in every table of 2 x 2 whose larger numbers lie on its diagonal
}
every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


pytestmark = pytest.mark.usefixtures("own_progress")


def make_notebook():
    """A notebook that follows every rule: a figure, an exercise on a number, one on a function, one on options."""
    cells = [
        new_markdown_cell("# A notebook"),
        new_code_cell("import matplotlib.pyplot as plt\nimport toy_exercises as ex\n\nn_volumes, t_r = 152, 2.5"),
        new_code_cell("fig, ax = plt.subplots()\nax.plot([1, 2])", metadata={"mystnb": {"image": {"alt": GOOD_ALT}}}),
        new_code_cell(
            "duration_s = ...\nex.duration.check(duration_s, n_volumes=n_volumes, t_r=t_r)",
            metadata={"tags": ["exercise"]},
        ),
        new_markdown_cell("```{literalinclude} /tests/toy_exercises.py\n:pyobject: solve_duration\n```"),
        new_code_cell(
            'def edges(n_regions):\n    """Count edges."""\n    ...\n\n\nex.edges.check(edges, n_regions=64)',
            metadata={"tags": ["exercise"]},
        ),
        new_markdown_cell("```{literalinclude} /tests/toy_exercises.py\n:pyobject: count_edges\n```"),
        new_code_cell("letter = ...\nex.conclusion.check(\n    letter\n)", metadata={"tags": ["exercise"]}),
        new_markdown_cell("```{literalinclude} /tests/toy_exercises.py\n:pyobject: solve_conclusion\n```"),
    ]
    for cell in cells:
        figure_or_text = cell.cell_type == "markdown" or "mystnb" in cell.metadata
        cell.metadata.slideshow = {"slide_type": "slide" if figure_or_text else "-"}
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return new_notebook(cells=cells, metadata={"kernelspec": kernel, "language_info": {"name": "python"}})


@every_notebook
def test_notebook_follows_the_rules(path):
    assert gates.problems(nbformat.read(path, as_version=4)) == []


def first_code(path):
    """The first code cell of a notebook."""
    return next(cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code")


def test_every_notebook_begins_with_one_and_the_same_cell():
    """It is hidden on the site, and the commands that it names are those of the set-up page."""
    cells = [first_code(path) for path in NOTEBOOKS]
    assert len({cell.source for cell in cells}) == 1
    assert all(cell.metadata == {"tags": ["remove-cell"]} for cell in cells)
    commands = [line.strip() for line in cells[0].source.splitlines() if line.startswith(("      !", "      %"))]
    assert len(commands) == 3
    assert commands == [line for line in launch.write_launch("colab", "") if line.startswith(("!", "%"))]


def test_notebook_without_the_course_says_what_to_do():
    """Where course_utils is missing the first cell says so in sentences, instead of a traceback; nothing is run."""
    code = first_code(NOTEBOOKS[0]).source
    bare = f"try:\n    exec({code!r})\nexcept Exception as error:\n    print(*error._render_traceback_())"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", bare], capture_output=True, text=True, check=True)
    assert "this Python does not\nhave it. Nothing was installed." in done.stdout
    assert "`make lab`" in done.stdout
    assert "%pip install" in done.stdout
    assert done.stderr == ""


def test_table_of_contents_and_notebooks_agree():
    assert list(gates.contents_problems(ROOT)) == []


def test_no_alt_text_is_used_in_two_notebooks():
    texts = [gates.alt_text(cell) for path in NOTEBOOKS for cell in nbformat.read(path, as_version=4).cells]
    assert gates.repeated(texts) == []


def test_good_notebook_has_no_problems():
    assert gates.problems(make_notebook()) == []


def set_source(index, old, new):
    def change(nb):
        assert old in nb.cells[index].source
        nb.cells[index].source = nb.cells[index].source.replace(old, new)

    return change


def set_alt(text):
    return lambda nb: nb.cells[2].metadata.update(mystnb={"image": {"alt": text}})


BROKEN = {
    "stored output": (
        lambda nb: nb.cells[1].outputs.append(nbformat.v4.new_output("stream", text="1")),
        "cell 1 has stored outputs",
    ),
    "execution count": (lambda nb: nb.cells[1].update(execution_count=3), "cell 1 has stored outputs"),
    "other kernel": (lambda nb: nb.metadata.kernelspec.update(name="my-env"), "expected the kernelspec python3"),
    "no kernel": (lambda nb: nb.metadata.pop("kernelspec"), "expected the kernelspec python3"),
    "metadata": (lambda nb: nb.metadata.update(widgets={}), "metadata: widgets does not belong"),
    "version": (lambda nb: nb.metadata.language_info.update(version="3.11.2"), "version of one machine's Python"),
    "old format": (lambda nb: nb.update(nbformat_minor=4), "expected 4.5 or later"),
    "same ids": (lambda nb: nb.cells[1].update(id=nb.cells[2].id), "two cells have one id"),
    "cell metadata": (lambda nb: nb.cells[1].metadata.update(scrolled=True), "cell 1: metadata scrolled"),
    "long cell": (set_source(1, "n_volumes, t_r = 152, 2.5", "\n" * 22 + "n_volumes, t_r = 152, 2.5"), "26 lines"),
    "upward import": (set_source(1, "n_volumes,", "from data_scripts import motion\nn_volumes,"), "data_scripts"),
    "no alt": (lambda nb: nb.cells[2].metadata.pop("mystnb"), "cell 2 makes a figure without alt text"),
    "short alt": (set_alt("A correlation matrix."), "alt text of 21 characters"),
    "alt is a file": (set_alt("../_build/jupyter_execute/book/08_connectivity_12_0.png"), "like the name of a file"),
    "alt twice": (lambda nb: nb.cells[1].metadata.update(mystnb={"image": {"alt": GOOD_ALT}}), "alt text used twice"),
    "tagged figure": (lambda nb: nb.cells[1].metadata.update(tags=["figure"]), "cell 1 makes a figure without"),
    "unknown exercise": (set_source(3, "ex.duration", "ex.durations"), "no exercise named durations"),
    "unknown hint": (set_source(1, "n_volumes,", "ex.length.hint()\nn_volumes,"), "no exercise named length"),
    "no tag": (lambda nb: nb.cells[3].metadata.pop("tags"), "cell 3 checks duration, but has no tag exercise"),
    "answered": (set_source(3, "= ...", "= 380.0"), "cell 3: duration_s is not left blank"),
    "no variable": (set_source(3, "check(duration_s", "check(380"), "the answer to duration is not a variable"),
    "two checks": (set_source(7, "letter = ...", "letter = ...\nex.edges.check(letter)"), "cell 7 has 2 checks"),
    "no check": (set_source(7, "ex.conclusion.check", "print"), "cell 7 has 0 checks"),
    "no solution": (lambda nb: nb.cells.pop(4), "the solution of duration is not shown below it"),
    "no title slide": (lambda nb: nb.cells[0].metadata.pop("slideshow"), "cell 0 does not begin a slide"),
    "unknown slide": (lambda nb: nb.cells[0].metadata.slideshow.update(slide_type="page"), "slide type page"),
    "figure on no slide": (lambda nb: nb.cells[2].metadata.pop("slideshow"), "cell 2 has a figure or an exercise"),
    "depends on answer": (set_source(2, "[1, 2]", "[1, duration_s]"), "cell 2 uses duration_s"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_gate_closes(name):
    """A notebook with one fault is refused, and for this fault."""
    change, sentence = BROKEN[name]
    nb = make_notebook()
    change(nb)
    found = gates.problems(nb)
    assert found
    assert any(sentence in problem for problem in found), found


def test_renamed_exercise_is_noticed(monkeypatch):
    """The notebook stays as it is, and the module changes."""
    import toy_exercises

    monkeypatch.setattr(toy_exercises, "run_length", toy_exercises.duration, raising=False)
    monkeypatch.delattr(toy_exercises, "duration")
    assert any("no exercise named duration" in problem for problem in gates.problems(make_notebook()))


@pytest.mark.parametrize(
    ("code", "is_figure"),
    [
        ("from nilearn.plotting import plot_epi", False),
        ("# plt.show() comes later", False),
        ("plotting.plot_epi(img)", True),
        ("view_img(img)", True),
        ("sns.heatmap(r)", True),
        ("fig, axes = plt.subplots(1, 2)", True),
        ("plt.close('all')", False),
        ("figures.draw_carpet(ts)", True),
        ("table.plot(x='t')", True),
        ("def draw(r):\n    return plt.imshow(r)", False),
        ("shape = img.shape", False),
    ],
)
def test_what_counts_as_a_figure(code, is_figure):
    nb = new_notebook(cells=[new_code_cell(code)])
    assert gates.makes_figure(next(iter(gates.code_cells(nb)))[1]) is is_figure


def test_table_of_contents_gate_closes(tmp_path):
    """A page that is missing, a notebook that is not listed, a page listed twice."""
    (tmp_path / "book").mkdir()
    (tmp_path / "_toc.yml").write_text(
        "root: book/index\nparts:\n- chapters:\n  - {file: book/a}\n  - {file: book/b}\n  - {file: book/b}\n"
    )
    (tmp_path / "book/index.md").write_text("x")
    for name in ("b", "c"):
        nbformat.write(make_notebook(), tmp_path / f"book/{name}.ipynb")
    assert sorted(gates.contents_problems(tmp_path)) == [
        "_toc.yml names book/a, but there is no such notebook or page",
        "_toc.yml names book/b twice",
        "book/c is a notebook, but not in _toc.yml",
    ]


def test_magics_do_not_hide_checks():
    nb = make_notebook()
    nb.cells[1].source = "%matplotlib inline\n" + nb.cells[1].source
    assert [check.name for check in find_checks(nb)] == ["duration", "edges", "conclusion"]


def test_solving_adds_one_line_before_each_check():
    nb = make_notebook()
    filled = solve_notebook(nb)
    assert filled.cells[3].source.split("\n") == [
        "duration_s = ...",
        "duration_s = ex.duration.solve(n_volumes=n_volumes, t_r=t_r)",
        "ex.duration.check(duration_s, n_volumes=n_volumes, t_r=t_r)",
    ]
    assert "\nedges = ex.edges.solve\nex.edges.check(" in filled.cells[5].source
    assert "\nletter = ex.conclusion.solve()\nex.conclusion.check(" in filled.cells[7].source
    assert nb.cells[3].source == make_notebook().cells[3].source


@every_notebook
def test_solved_notebook_shows_every_solution(path):
    """In an instructor's notebook the source of each solution stands where the book includes it."""
    nb = nbformat.read(path, as_version=4)
    shown = show_solutions(nb)
    text = "\n".join(cell.source for cell in shown.cells)
    assert "literalinclude" not in text
    for check in find_checks(nb):
        assert f"def {check.exercise.solve.__name__}(" in text
    assert [c for c in shown.cells if c.cell_type == "code"] == [c for c in nb.cells if c.cell_type == "code"]


def test_solving_refuses_an_exercise_that_does_not_exist():
    nb = make_notebook()
    set_source(3, "ex.duration", "ex.durations")(nb)
    with pytest.raises(ValueError, match=r"Cell 3: found ex\.durations\.check"):
        solve_notebook(nb)


@pytest.mark.parametrize("is_solved", [False, True], ids=["unfilled", "solved"])
def test_both_passes_on_a_small_notebook(is_solved):
    """The two passes themselves: in one every reply is "Not attempted yet", in the other "Correct"."""
    nb = make_notebook()
    set_source(1, "import matplotlib.pyplot as plt\n", "")(nb)  # which takes a second to start
    del nb.cells[2]
    said = replies(run_notebook(solve_notebook(nb) if is_solved else nb, Path(__file__).parent))
    assert list(said) == ["duration", "edges", "conclusion"]
    assert all(text.startswith("Correct. " if is_solved else "Not attempted yet. ") for text in said.values()), said
    assert Path(os.environ["COURSE_PROGRESS"]).exists() is is_solved


@pytest.mark.notebooks
@every_notebook
def test_every_solution_in_the_book_is_correct(path, monkeypatch):
    """And no known mistake is taken for right. What unfilled stubs say is read on the pages, in test_site.py."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
    nb = show_solutions(solve_notebook(nbformat.read(path, as_version=4)))
    for check in find_checks(nb):
        ask = f"mistakes_taken({check.called}, {check.inputs})"
        nb.cells[check.cell].source += f"\nfrom solved import mistakes_taken\nprint('taken:', *{ask})"
    said = {name: text.rpartition("taken:") for name, text in replies(run_notebook(nb, BOOK)).items()}
    assert len(said) == len(find_checks(nb))
    assert {name: reply for name, (reply, *_) in said.items() if not reply.startswith("Correct. ")} == {}
    taken = {(name, mistake) for name, (*_, mistakes) in said.items() for mistake in mistakes.split()}
    assert taken == {(name, mistake) for name, mistake in CANNOT_BE_TOLD if name in said}
