"""The contract that every exercise keeps: those of the course, and the toy ones that the engine is tested with.

The exercises of the course run on the quick study; the toy ones need none.
"""

import dataclasses
import functools
import io
import re
import warnings
from collections import Counter
from pathlib import Path

import nbformat
import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import toy_exercises
from solved import find_checks

from course_utils.exercises import EPISODE_MODULE, all_exercises, exercises_in
from course_utils.exercises._calls import call, is_function
from course_utils.exercises._engine import Choice

BOOK = Path(__file__).resolve().parents[1] / "book"
COURSE = list(all_exercises())
ALL = [*COURSE, *exercises_in(toy_exercises)]
LONGEST_REPLY = 700  # characters
OUTCOMES = ("Not attempted yet. ", "Correct. ", "Not yet. ")
each_exercise = pytest.mark.parametrize("exercise", ALL, ids=lambda exercise: exercise.id)
each_wrong = pytest.mark.parametrize(
    ("exercise", "name"), [(e, name) for e in ALL for name in e.wrong], ids=lambda value: getattr(value, "id", value)
)


def raises(*arguments, **inputs):
    raise RuntimeError("a learner's function that fails")


JUNK = {
    "None": None,
    "empty string": "",
    "text": "text",
    "number": 3.7,
    "nan": np.nan,
    "list": [],
    "dict": {},
    "zeros": np.zeros(3),
    "odd shape": np.zeros((2, 5, 1, 1, 3)),
    "3-D image": nib.Nifti1Image(np.zeros((2, 3, 4), np.float32), np.eye(4)),
    "4-D image": nib.Nifti1Image(np.zeros((2, 3, 4, 5), np.float32), np.eye(4)),
    "function that raises": raises,
    "class": dict,
    "table": pd.DataFrame({"a": [1, 2], "b": ["x", None]}),
    "bytes": b"\x00",
    "huge": np.broadcast_to(np.float64(0), (1000, 1000, 1000, 1000)),
    "own class": type("Learner", (), {"__eq__": raises, "__len__": raises, "__repr__": raises, "__str__": raises})(),
}


pytestmark = pytest.mark.usefixtures("own_progress")


@pytest.fixture(autouse=True)
def study_at_hand(request):
    """Simulate the quick study if the exercise that is tested is one of the course's."""
    exercise = request.node.callspec.params.get("exercise") if hasattr(request.node, "callspec") else None
    if exercise in COURSE:
        request.getfixturevalue("quick_study")


@functools.cache
def inputs_of(exercise):
    """Inputs on which the exercise is run, made once."""
    return exercise.example_inputs()


@functools.cache
def results_of(function, exercise):
    """What a solution, right or wrong, gives on these inputs, computed once."""
    return call(function, inputs_of(exercise))


def right_answer(exercise):
    """What a learner who is right gives to `check`."""
    return exercise.solve if exercise.answer_is_function else results_of(exercise.solve, exercise)


def reply_to(exercise, answer, capsys):
    """What `check` prints, on one line."""
    capsys.readouterr()
    assert exercise.check(answer, **inputs_of(exercise)) is None
    printed = capsys.readouterr()
    assert printed.err == ""
    assert printed.out.endswith("\n")
    assert printed.out.startswith(OUTCOMES)
    assert len(printed.out) < LONGEST_REPLY
    assert "Traceback" not in printed.out
    return " ".join(printed.out.split())


def remembering(exercise):
    """The same exercise, with solutions that are computed once: one that takes a second is judged on much junk."""
    if exercise.answer_is_function or isinstance(exercise, Choice):
        return exercise

    def remember(function):
        return functools.wraps(function)(lambda **inputs: results_of(function, exercise))

    wrong = {name: dataclasses.replace(w, solve=remember(w.solve)) for name, w in exercise.wrong.items()}
    return dataclasses.replace(exercise, solve=remember(exercise.solve), wrong=wrong)


def fingerprint(value):
    """Something that changes when a value is changed in place."""
    if isinstance(value, np.ndarray):
        return value.shape, str(value.dtype), value.tobytes()
    if isinstance(value, pd.DataFrame | pd.Series):
        return value.to_csv()
    if isinstance(value, nib.spatialimages.SpatialImage):
        header = io.BytesIO()
        value.header.write_to(header)
        return np.asarray(value.dataobj).tobytes(), value.affine.tobytes(), header.getvalue(), value.in_memory
    if isinstance(value, dict):
        return {key: fingerprint(element) for key, element in value.items()}
    if isinstance(value, list | tuple | set):
        return [fingerprint(element) for element in value]
    return repr(value)


def test_there_are_exercises():
    """A contract over nothing proves nothing."""
    assert len(ALL) >= 8


@each_exercise
def test_blank_is_not_attempted(exercise, capsys):
    assert reply_to(exercise, ..., capsys).startswith("Not attempted yet. ")


@each_exercise
def test_solution_is_correct_and_says_why(exercise, capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("error", FutureWarning)
        warnings.simplefilter("error", DeprecationWarning)
        assert exercise.solve(**inputs_of(exercise)) is not ...
    assert capsys.readouterr().out == "", "a solution prints nothing"
    assert reply_to(exercise, right_answer(exercise), capsys) == f"Correct. {' '.join(exercise.why.split())}"


@each_wrong
def test_each_wrong_solution_gets_its_own_message(exercise, name, capsys):
    """The message of this mistake, and no two mistakes have one message."""
    wrong = exercise.wrong[name]
    answer = wrong.solve if exercise.answer_is_function else results_of(wrong.solve, exercise)
    said = reply_to(exercise, answer, capsys)
    assert said.startswith("Not yet. ")
    assert f"Likely reason: {' '.join(wrong.message.split())}" in said
    assert len({w.message for w in exercise.wrong.values()}) == len(exercise.wrong)


@each_exercise
def test_known_case_holds(exercise):
    """The solution gives the hand-worked answer, and that answer lies in the range that the learner is told."""
    case = exercise.known_case
    assert exercise.compare.handles(case.answer), "the comparison is for another kind of answer"
    assert exercise.compare(call(exercise.solve, case.inputs), case.answer) is None
    between = getattr(exercise.compare, "between", None)
    if between:
        assert np.all((np.asarray(case.answer) >= between[0]) & (np.asarray(case.answer) <= between[1]))


@each_exercise
@pytest.mark.parametrize("name", JUNK)
def test_junk_gets_a_sentence(exercise, name, capsys):
    """Whatever is given: "Not yet", what was found, what kind was expected, what differs; short, and no answer."""
    said = reply_to(remembering(exercise), JUNK[name], capsys)
    assert said.startswith("Not yet. Found: ")
    assert " Expected: " in said
    assert " What differs: " in said
    for secret in secrets(exercise):
        assert secret not in said


def secrets(exercise):
    """Texts that would give the answer away: strings, and numbers of three digits and more, that are in it."""
    answer = results_of(exercise.solve, exercise)
    values = answer.values() if isinstance(answer, dict) else answer if isinstance(answer, list | tuple) else [answer]
    kinds = exercise.compare.expects(answer)
    texts = [f"{v:.6g}" if isinstance(v, float) else str(v) for v in values if isinstance(v, str | int | float)]
    return [text for text in texts if len(text) >= 3 and text not in kinds]


@each_exercise
def test_inputs_that_are_wrong_get_a_sentence(exercise, capsys):
    """A check line that was changed is no reason for a traceback."""
    answer = right_answer(exercise)
    exercise.check(answer, **{**inputs_of(exercise), "no_such_input": 1})
    exercise.check(answer, answer, **inputs_of(exercise))
    exercise.check(answer, **dict.fromkeys(inputs_of(exercise)))
    said = capsys.readouterr().out
    assert said.count("Not yet. ") == 3 - (not inputs_of(exercise))
    assert "the line that checks it was changed" in " ".join(said.split())


@each_exercise
def test_nothing_is_changed_in_place(exercise, capsys):
    """Neither the solutions nor the check change inputs or answer."""
    inputs, answer = inputs_of(exercise), right_answer(exercise)
    before = fingerprint(inputs), fingerprint(answer)
    exercise.solve(**inputs)
    for wrong in exercise.wrong.values():
        call(wrong.solve, inputs)
    exercise.check(answer, **inputs)
    exercise.check(JUNK["zeros"], **inputs)
    assert (fingerprint(inputs), fingerprint(answer)) == before


@each_exercise
def test_hints_and_solution_print(exercise, capsys):
    for n, hint in enumerate(exercise.hints, start=1):
        exercise.hint(n)
        assert " ".join(hint.split()) in " ".join(capsys.readouterr().out.split())
    exercise.hint()
    assert capsys.readouterr().out.startswith(f"Hint 1 of {len(exercise.hints)}.")
    exercise.hint(99)
    assert "hint(1)" in capsys.readouterr().out
    exercise.solution()
    assert capsys.readouterr().out.startswith(f"def {exercise.solve.__name__}(")


@each_exercise
def test_parts_are_there(exercise):
    """Ids have their form, sentences end, a function is asked for where one is given."""
    assert re.fullmatch(r"(ep\d\d|toy)\.[a-z][a-z0-9_]*", exercise.id)
    for text in [exercise.why, *exercise.hints, *(wrong.message for wrong in exercise.wrong.values())]:
        assert re.search(r"[.?!)`]$", text.strip()), f"a sentence without an end: {text}"
        assert len(text) <= 300
    assert all(is_function(wrong.solve) for wrong in exercise.wrong.values())
    assert all(name.isidentifier() for name in exercise.wrong)


def test_ids_differ():
    assert [name for name, n in Counter(exercise.id for exercise in ALL).items() if n > 1] == []


def test_each_exercise_is_used_once_in_the_notebook_of_its_episode():
    """The module ep05_functional belongs to the notebook 05_*.ipynb; each of its exercises is checked there once."""
    used = []
    for path in sorted(BOOK.glob("*.ipynb")):
        checks = find_checks(nbformat.read(path, as_version=4))
        used += [check.exercise.id if check.exercise else f"{check.called} does not exist" for check in checks]
        assert all(check.module.rpartition(".")[2].startswith(f"ep{path.stem[:2]}_") for check in checks), path.name
    assert Counter(used) == Counter(exercise.id for exercise in COURSE)


def test_each_episode_has_two_to_six_exercises():
    numbers = Counter(exercise.id.partition(".")[0] for exercise in COURSE)
    modules = {path.stem[:4] for path in Path(BOOK.parent, "course_utils/exercises").glob("ep*.py")}
    assert set(numbers) == modules
    assert all(EPISODE_MODULE.fullmatch(e.solve.__module__.rpartition(".")[2]) for e in COURSE)
    assert {episode: n for episode, n in numbers.items() if not 2 <= n <= 6} == {}
