"""What is asked of every notebook, looked at without running it. Each gate lists the problems that it finds."""

import ast
import re
from collections import Counter

import yaml
from solved import code_cells, exercise_modules, find_checks

from course_utils.exercises import Exercise

LONGEST_CELL = 25  # lines
SHORTEST_ALT = 40  # characters: less cannot state a finding
FILE_NAME = re.compile(r"^\S+\.\w{2,4}$|\.(png|svg|jpe?g|gif)\b", re.I)
# calls of pyplot that make no picture by themselves
NO_FIGURE = {"plt.close", "plt.rcParams.update", "plt.style.use", "plt.get_cmap", "sns.set_theme", "sns.color_palette"}
SLIDE_TYPES = {"slide", "subslide", "-"}
DRAWING_METHODS = {"plot", "hist", "boxplot", "scatter", "imshow"}


def problems(nb):
    """List everything that is wrong with one notebook, by itself."""
    return [problem for gate in GATES for problem in gate(nb)]


def output_problems(nb):
    """No outputs, no execution counts: they would make each diff unreadable."""
    for index, cell in enumerate(nb.cells):
        if cell.cell_type == "code" and (cell.get("outputs") or cell.get("execution_count") is not None):
            yield f"cell {index} has stored outputs or an execution count: run nbstripout"


def metadata_problems(nb):
    """Minimal metadata, the same on every machine."""
    if nb.metadata.get("kernelspec", {}).get("name") != "python3":
        yield "metadata: expected the kernelspec python3"
    for key in set(nb.metadata) - {"kernelspec", "language_info"}:
        yield f"metadata: {key} does not belong there"
    if "version" in nb.metadata.get("language_info", {}):
        yield "metadata: language_info names the version of one machine's Python"
    if (nb.nbformat, nb.nbformat_minor) < (4, 5):
        yield f"format {nb.nbformat}.{nb.nbformat_minor}: expected 4.5 or later, whose cells have ids"
    ids = [cell.get("id") for cell in nb.cells]
    if None in ids or len(set(ids)) != len(ids):
        yield "a cell has no id, or two cells have one id"
    for index, cell in enumerate(nb.cells):
        for key in set(cell.metadata) - {"tags", "mystnb", "slideshow"}:
            yield f"cell {index}: metadata {key} does not belong there"


def length_problems(nb):
    """Short cells."""
    for index, cell in enumerate(nb.cells):
        n_lines = len(cell.source.splitlines())
        if cell.cell_type == "code" and n_lines > LONGEST_CELL:
            yield f"cell {index} has {n_lines} lines of code: expected {LONGEST_CELL} at most"


def import_problems(nb):
    """Notebooks use what the course offers, not what makes its data."""
    for index, tree in code_cells(nb):
        for node in ast.walk(tree):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(name.split(".")[0] == "data_scripts" for name in names):
                yield f"cell {index} imports data_scripts: notebooks read data, they do not make them"


def alt_text(cell):
    """Alt text of a cell's figure, empty if it has none."""
    return cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "") or ""


def alt_problems(nb):
    """A figure says what it shows to those who cannot see it."""
    for index, tree in code_cells(nb):
        cell = nb.cells[index]
        alt, tags = alt_text(cell), cell.metadata.get("tags", [])
        if (makes_figure(tree) or "figure" in tags) and "no-figure" not in tags and not alt:
            yield f"cell {index} makes a figure without alt text (or has the tag no-figure, if it makes none)"
        if alt and len(alt) < SHORTEST_ALT:
            yield f"cell {index}: alt text of {len(alt)} characters; expected the finding, {SHORTEST_ALT} at least"
        if FILE_NAME.search(alt):
            yield f"cell {index}: alt text looks like the name of a file"
    yield from (f"alt text used twice: {alt}" for alt in repeated(alt_text(cell) for cell in nb.cells))


def repeated(texts):
    """Those of some texts that occur more than once; empty ones do not count."""
    return [text for text, n in Counter(texts).items() if text and n > 1]


def makes_figure(tree):
    """Whether the code of a cell seems to draw: calls of plotting functions outside of functions that it defines."""
    defined = {id(n) for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) for n in ast.walk(node)}
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and id(node) not in defined]
    for call in calls:
        name = ast.unparse(call.func)
        first, last = name.split(".")[0], name.split(".")[-1]
        if name in NO_FIGURE:
            continue
        if re.match(r"plot_|view_|show_img", last) or first in ("plt", "sns", "figures"):
            return True
        if isinstance(call.func, ast.Attribute) and last in DRAWING_METHODS:
            return True
    return False


def exercise_problems(nb):
    """Each exercise exists, is left blank, is tagged, and has its solution below."""
    checks, modules = find_checks(nb), exercise_modules(nb)
    for index, tree in code_cells(nb):
        for node in ast.walk(tree):
            match node:
                case ast.Attribute(attr=name, value=ast.Name(id=short)) if short in modules:
                    module = __import__(modules[short], fromlist=["exercises"])
                    if not isinstance(getattr(module, name, None), Exercise):
                        yield f"cell {index}: {modules[short]} has no exercise named {name}"
    for check in checks:
        cell = nb.cells[check.cell]
        if "exercise" not in cell.metadata.get("tags", []):
            yield f"cell {check.cell} checks {check.name}, but has no tag exercise"
        if not check.answer:
            yield f"cell {check.cell}: the answer to {check.name} is not a variable"
        elif not check.is_stub:
            yield f"cell {check.cell}: {check.answer} is not left blank (... is expected)"
        solve = check.exercise.solve.__name__ if check.exercise else ""
        if solve and not any(re.search(rf":pyobject:\s*{solve}\s*$", c.source, re.M) for c in nb.cells[check.cell :]):
            yield f"cell {check.cell}: the solution of {check.name} is not shown below it (:pyobject: {solve})"
    tagged = {i for i, c in enumerate(nb.cells) if c.cell_type == "code" and "exercise" in c.metadata.get("tags", [])}
    counts = Counter(check.cell for check in checks)
    for index in tagged | set(counts):
        if counts[index] != 1:
            yield f"cell {index} has {counts[index]} checks: expected one in each cell with the tag exercise"


def answer_problems(nb):
    """Nothing else depends on what a learner writes."""
    checks = find_checks(nb)
    answers, cells = {check.answer for check in checks if check.answer}, {check.cell for check in checks}
    for index, tree in code_cells(nb):
        if index not in cells:
            names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
            for name in sorted(names & answers):
                yield f"cell {index} uses {name}, which is the name of a learner's answer"


def slide_problems(nb):
    """Slides begin with the title, and show every figure and every exercise."""
    kinds = [cell.metadata.get("slideshow", {}).get("slide_type") for cell in nb.cells]
    if kinds[0] != "slide":
        yield "cell 0 does not begin a slide"
    for index, (cell, kind) in enumerate(zip(nb.cells, kinds, strict=True)):
        if kind is not None and kind not in SLIDE_TYPES:
            yield f"cell {index}: slide type {kind}; expected {', '.join(sorted(SLIDE_TYPES))} or none"
        if kind is None and (alt_text(cell) or "exercise" in cell.metadata.get("tags", [])):
            yield f"cell {index} has a figure or an exercise, but is on no slide"


GATES = (
    output_problems,
    metadata_problems,
    length_problems,
    import_problems,
    alt_problems,
    exercise_problems,
    answer_problems,
    slide_problems,
)


def pages(toc):
    """List the files that a table of contents names, without their endings."""

    def walk(node):
        if isinstance(node, dict):
            for key, value in node.items():
                if key in ("file", "root"):
                    yield value
                else:
                    yield from walk(value)
        elif isinstance(node, list):
            for element in node:
                yield from walk(element)

    return list(walk(yaml.safe_load(toc.read_text())))


def contents_problems(root):
    """Every page of the table of contents exists, and every notebook of the book is in it."""
    listed = pages(root / "_toc.yml")
    for page in listed:
        if not any((root / f"{page}{ending}").is_file() for ending in (".ipynb", ".md")):
            yield f"_toc.yml names {page}, but there is no such notebook or page"
    yield from (f"_toc.yml names {page} twice" for page in repeated(listed))
    for path in sorted((root / "book").rglob("*.ipynb")):
        page = path.relative_to(root).with_suffix("").as_posix()
        if page not in listed and not any(part.startswith((".", "_")) for part in path.relative_to(root).parts):
            yield f"{page} is a notebook, but not in _toc.yml"
