"""Find the exercises of a notebook, fill them with their solutions, run the notebook, read the replies.

For authors: what an exercise looks like in a notebook
------------------------------------------------------
The cell carries the tag `exercise` and ends with the check. The answer is a variable that this cell sets to three dots
(or a list, tuple or dict of three dots, or a function whose body is three dots), the inputs are passed by name:

    duration_s = ...
    ex.duration.check(duration_s, n_volumes=n_volumes, t_r=t_r)

`ex` is the module of the episode: `from course_utils.exercises import ep05_functional as ex`. The name of the answer is
not used outside of exercise cells, so that nothing below depends on what a learner writes. Such a cell prints nothing
but the reply. Below it stands the solution, in a closed dropdown of the book:

    :::{dropdown} Solution
    ```{literalinclude} /course_utils/exercises/ep05_functional.py
    :pyobject: solve_duration
    ```
    :::

The solved pass writes one line before each check, and changes nothing else:

    duration_s = ex.duration.solve(n_volumes=n_volumes, t_r=t_r)

or, where the learner writes a function, `name = ex.duration.solve`.

`python tests/solved.py` (`make solved`) writes the notebooks of that pass into `_build/solved`, with their outputs and
with the source of each solution in place of the directive that shows it in the book.
"""

import ast
import copy
import importlib
import os
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import nbformat
from IPython.core.inputtransformer2 import TransformerManager
from nbclient import NotebookClient

from course_utils.exercises import Exercise
from course_utils.exercises._calls import Failure, call

ROOT = Path(__file__).resolve().parents[1]
INCLUDE = re.compile(r"^([`~]{3,})\{literalinclude\} /(\S+)\n:pyobject: (\w+)\n\1$", re.M)
TOY = "toy_exercises"  # lies beside this file; notebooks written by tests use it


@dataclass(frozen=True)
class Check:
    """One call of `check` in a notebook.

    Attributes
    ----------
    cell : int
        Index of the cell among all cells.
    line : int
        First line of the call in its cell, counted from 0.
    module, name : str
        Of the exercise; the exercise need not exist.
    called : str
        The exercise as the notebook writes it, such as "ex.duration".
    answer : str
        Name of the variable that is checked; empty if something else is.
    inputs : str
        The named arguments as they are written.
    is_stub : bool
        Whether the cell leaves the answer blank.
    """

    cell: int
    line: int
    module: str
    name: str
    called: str
    answer: str
    inputs: str
    is_stub: bool

    @property
    def exercise(self):
        """The exercise, or None if the module has none of this name."""
        found = getattr(importlib.import_module(self.module), self.name, None)
        return found if isinstance(found, Exercise) else None


def code_cells(nb):
    """Index and syntax tree of each code cell; lines for IPython alone are translated first."""
    for index, cell in enumerate(nb.cells):
        if cell.cell_type == "code":
            yield index, ast.parse(TransformerManager().transform_cell(cell.source))


def exercise_modules(nb):
    """Names under which a notebook imports modules of exercises: short name -> full name."""
    found = {}
    for _, tree in code_cells(nb):
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module == "course_utils.exercises":
                found |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names if a.name.startswith("ep")}
            elif isinstance(node, ast.Import):
                found |= {a.asname or a.name: a.name for a in node.names if a.name == TOY}
    return found


def find_checks(nb):
    """Find every call of `check` of an exercise.

    Parameters
    ----------
    nb : NotebookNode
        A notebook.

    Returns
    -------
    list of Check
        In the order of the notebook.
    """
    modules, checks = exercise_modules(nb), []
    for index, tree in code_cells(nb):
        source = nb.cells[index].source
        for statement in tree.body:
            call = statement.value if isinstance(statement, ast.Expr) else None
            if not isinstance(call, ast.Call):
                continue
            match call.func:
                case ast.Attribute(attr="check", value=ast.Attribute(attr=name, value=ast.Name(id=short))):
                    if short not in modules:
                        continue
                    answer = call.args[0].id if call.args and isinstance(call.args[0], ast.Name) else ""
                    inputs = ", ".join(f"{k.arg}={ast.get_source_segment(source, k.value)}" for k in call.keywords)
                    stub = any(leaves_blank(other, answer) for other in tree.body)
                    where = (index, call.lineno - 1, modules[short], name, f"{short}.{name}")
                    checks.append(Check(*where, answer, inputs, stub))
    return checks


def leaves_blank(statement, answer):
    """Whether a statement sets a variable to three dots, or defines a function of that name that does nothing."""
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value) if name == answer:
            if isinstance(value, ast.Dict | ast.List | ast.Tuple):
                values = value.values if isinstance(value, ast.Dict) else value.elts
                return bool(values) and all(is_dots(element) for element in values)
            return is_dots(value)
        case ast.FunctionDef(name=name, body=body) if name == answer:
            return isinstance(body[-1], ast.Expr) and is_dots(body[-1].value) and len(body) <= 2  # 2: with a docstring
    return False


def is_dots(node):
    """Whether an expression is `...`."""
    return isinstance(node, ast.Constant) and node.value is ...


def solve_notebook(nb):
    """Fill every stub of a notebook with its solution.

    Parameters
    ----------
    nb : NotebookNode
        A notebook whose exercises follow the convention above.

    Returns
    -------
    NotebookNode
        A copy; the notebook itself is not changed.

    Raises
    ------
    ValueError
        If an exercise does not exist, or the answer is not a variable.
    """
    filled = copy.deepcopy(nb)
    for check in reversed(find_checks(nb)):  # from the end, so that line numbers stay valid
        if check.exercise is None or not check.answer:
            wanted = "the name of an exercise" if check.exercise is None else "a variable as the answer"
            raise ValueError(f"Cell {check.cell}: found {check.called}.check(...), expected {wanted}.")
        call = "" if check.exercise.answer_is_function else f"({check.inputs})"
        lines = filled.cells[check.cell].source.split("\n")
        lines.insert(check.line, f"{check.answer} = {check.called}.solve{call}")
        filled.cells[check.cell].source = "\n".join(lines)
    return filled


def mistakes_taken(exercise, **inputs):
    """Find the known mistakes that a notebook's own inputs cannot tell from the solution.

    Parameters
    ----------
    exercise : Exercise
        Where a function is asked for, the hand-worked case tells mistakes apart, and nothing is found.
    **inputs : object
        What the notebook passes to `check`.

    Returns
    -------
    list of str
        Their names.
    """
    if exercise.answer_is_function:
        return []
    right = exercise.solve(**inputs)
    guesses = {name: call(wrong.solve, inputs) for name, wrong in exercise.wrong.items()}
    return [
        name
        for name, guess in guesses.items()
        if not isinstance(guess, Failure) and exercise._difference(guess, right) is None
    ]


def show_solutions(nb):
    """Put the source of each solution where the book includes it, so that JupyterLab shows it too.

    Parameters
    ----------
    nb : NotebookNode
        Any notebook.

    Returns
    -------
    NotebookNode
        A copy; the notebook itself is not changed.
    """

    def source(found):
        text = (ROOT / found[2]).read_text(encoding="utf-8")
        (tree,) = (n for n in ast.parse(text).body if isinstance(n, ast.FunctionDef) and n.name == found[3])
        return f"{found[1]}python\n{ast.get_source_segment(text, tree)}\n{found[1]}"

    shown = copy.deepcopy(nb)
    for cell in shown.cells:
        if cell.cell_type == "markdown":
            cell.source = INCLUDE.sub(source, cell.source)
    return shown


def run_notebook(nb, folder, *, timeout=600):
    """Run a copy of a notebook from top to bottom.

    Parameters
    ----------
    nb : NotebookNode
        Any notebook.
    folder : Path
        Working directory, as in JupyterLab the folder of the notebook.
    timeout : int
        Seconds for each cell.

    Returns
    -------
    NotebookNode
        The copy, with outputs. A cell that raises ends the run with nbclient's CellExecutionError.
    """
    done = copy.deepcopy(nb)
    client = NotebookClient(done, timeout=timeout, kernel_name="python3", resources={"metadata": {"path": str(folder)}})
    client.execute()
    return done


def replies(done):
    """Read what the checks of an executed notebook printed.

    Parameters
    ----------
    done : NotebookNode
        From `run_notebook`.

    Returns
    -------
    dict of str
        All that the cell of each exercise printed, by the name of the exercise.
    """
    return {
        check.name: "".join(o.text for o in done.cells[check.cell].outputs if o.output_type == "stream")
        for check in find_checks(done)
    }


def write_solved(folder):
    """Write every notebook with its exercises answered, run, and found correct.

    Parameters
    ----------
    folder : Path
        Where they go.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted((ROOT / "book").glob("*.ipynb")):
        done = run_notebook(show_solutions(solve_notebook(nbformat.read(path, 4))), path.parent)
        wrong = {name: text for name, text in replies(done).items() if not text.startswith("Correct. ")}
        if wrong:
            sys.exit(f"Error: in {path.name} the answers {', '.join(wrong)} are not correct; `make test` tells more.")
        nbformat.write(done, folder / path.name)
        print(f"{path.name}: {len(replies(done))} exercises answered", flush=True)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["COURSE_PROGRESS"] = str(Path(scratch, "progress.json"))  # these are not the user's answers
        write_solved(ROOT / "_build/solved")
    print("Open them with: jupyter lab --notebook-dir=_build/solved")
