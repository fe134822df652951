"""The engine, on toy exercises: its three replies, what it survives, what it refuses from authors."""

import dataclasses
import io
import json
import sys
import textwrap
import types
import warnings

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import toy_exercises as ex

from course_utils import exercises, progress
from course_utils.exercises import _engine
from course_utils.exercises._compare import Array, Number
from course_utils.exercises._engine import Choice, Exercise, KnownCase, Wrong

RUN = {"n_volumes": 152, "t_r": 2.5}


@pytest.fixture(autouse=True)
def own_progress(tmp_path, monkeypatch):
    """Keep the record of whoever runs the tests as it is, and forget which notes were printed."""
    monkeypatch.setenv("COURSE_PROGRESS", str(tmp_path / "progress.json"))
    monkeypatch.setattr(_engine, "_told", set())
    return tmp_path / "progress.json"


@pytest.fixture
def reply(capsys):
    """Check an answer and return what was printed."""

    def read(exercise, *answer, **inputs):
        capsys.readouterr()
        assert exercise.check(*answer, **inputs) is None
        printed = capsys.readouterr()
        assert printed.err == ""
        return printed.out

    return read


# --- the three replies, to the letter ---------------------------------------------------------------------------------
def test_replies_to_the_letter(reply):
    blank = "Not attempted yet. Replace the three dots (...) with your answer, then run\nthe cell.\n"
    assert reply(ex.duration, ..., **RUN) == blank
    assert reply(ex.duration) == blank
    assert reply(ex.duration, 380.0, **RUN) == (
        "Correct. Every frequency that we speak of later is counted in these seconds.\n"
    )
    assert reply(ex.duration, 152, **RUN) == textwrap.dedent("""\
        Not yet. Found: the whole number 152.
        Expected: a number (seconds), between 1 and 3,600.
        What differs: it is too small.
        Likely reason: This is the number of volumes. Each of them takes one TR to
        record.
        """)
    assert reply(ex.duration, 1e6, **RUN) == textwrap.dedent("""\
        Not yet. Found: the number 1e+06.
        Expected: a number (seconds), between 1 and 3,600.
        What differs: it is outside the plausible range.
        A hint: ex.duration.hint()
        """)


def test_long_lines_are_wrapped(reply):
    said = reply(ex.means, np.zeros((12, 4)), **ex.means.example_inputs())
    assert max(map(len, said.splitlines())) <= 76
    assert "Expected: an array of shape (4,) = (regions), in arbitrary units, values\nbetween -10 and 10.\n" in said


def test_choice(reply, capsys):
    assert reply(ex.conclusion, " B").startswith("Correct. ")
    assert "Likely reason: No evidence of a difference" in reply(ex.conclusion, "a")
    assert "What differs: it is none of the options." in reply(ex.conclusion, "d")
    ex.conclusion.show()
    assert capsys.readouterr().out.splitlines()[0] == "a) The groups do not differ."


@pytest.mark.parametrize("answer", [{"CONTROL": ..., "SCHZ": ...}, [..., ...], (...,)], ids=str)
def test_container_of_blanks_is_blank(reply, answer):
    assert reply(ex.counts, answer, **ex.counts.example_inputs()).startswith("Not attempted yet")


def test_half_blank_is_an_attempt(reply):
    said = reply(ex.counts, {"CONTROL": 4, "SCHZ": ...}, **ex.counts.example_inputs())
    assert "At 'SCHZ': it is still blank." in said
    assert reply(ex.counts, [], **ex.counts.example_inputs()).startswith("Not yet")


# --- likely reasons ---------------------------------------------------------------------------------------------------
def make(solve=ex.solve_duration, compare=None, **changes):
    """An exercise that is complete, with changes."""
    parts = {
        "title": "Toy",
        "solve": solve,
        "compare": compare or Number(),
        "hints": ["One.", "Two."],
        "wrong": {"volumes": Wrong(ex.duration_in_volumes, "Volumes.")},
        "known_case": KnownCase({"n_volumes": 3, "t_r": 2.0}, 6.0),
        "why": "It matters.",
    }
    return Exercise(**parts | changes)


def fails(**inputs):
    raise RuntimeError


def test_mistake_that_fails_or_is_right_on_these_inputs_is_skipped(reply):
    """With a TR of 1 s, volumes and seconds are one number, and no mistake."""
    wrong = {
        "fails": Wrong(fails, "Fails."),
        "volumes": Wrong(ex.duration_in_volumes, "Volumes."),
        "off": Wrong(lambda n_volumes, t_r: n_volumes - 1, "Off by one."),
    }
    exercise = make(wrong=wrong)
    assert reply(exercise, 10, n_volumes=10, t_r=1.0).startswith("Correct. ")
    assert "Likely reason: Off by one." in reply(exercise, 9, n_volumes=10, t_r=1.0)
    assert "Likely reason" not in reply(exercise, 8, n_volumes=10, t_r=1.0)


@pytest.mark.parametrize(
    "slip", [None, "380", [380.0], np.arange(3), pd.Series([1.0]), (1, "a"), {"a": 1}, True], ids=repr
)
def test_mistake_may_be_of_another_kind(reply, slip):
    """`list.sort()` gives None: a mistake need not give a number where a number is right."""
    exercise = make(wrong={"slip": Wrong(lambda n_volumes, t_r: slip, "A slip.")})
    assert "Likely reason: A slip." in reply(exercise, slip, **RUN)
    assert "Likely reason" not in reply(exercise, 17, **RUN)


# --- functions --------------------------------------------------------------------------------------------------------
def other_names(n):
    return n * (n - 1) / 2


def with_default(n_regions, directed=False):
    return other_names(n_regions) * (2 if directed else 1)


@pytest.mark.parametrize("function", [other_names, with_default, lambda *a: other_names(*a)])
def test_function_may_name_its_arguments_as_it_likes(reply, function):
    assert reply(ex.edges, function, n_regions=64).startswith("Correct. ")


def blank_body(n_regions): ...


def passes(n_regions):
    """Count edges."""
    pass


def documented(n_regions):
    """Count edges."""


@pytest.mark.parametrize("function", [blank_body, passes, documented])
def test_function_without_a_body_is_blank(reply, function):
    assert reply(ex.edges, function, n_regions=64).startswith("Not attempted yet")


def forgot_return(n_regions):
    n_regions * (n_regions - 1) // 2


def divides(n_regions):
    n_edges = n_regions / 0
    return n_edges


def calls_divides(n_regions):
    return divides(n_regions)


def leaves(n_regions):
    raise SystemExit("bye")


def too_many(n_regions, n_networks):
    return 1


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        (forgot_return, "Found: a function that returns None (nothing) (called with n_regions: the whole number 3)"),
        (divides, "it raised ZeroDivisionError: division by zero (in your line 'n_edges = n_regions / 0')"),
        (calls_divides, "in your line 'n_edges = n_regions / 0'"),
        (leaves, "it raised SystemExit: bye"),
        (too_many, "Expected: a function of n_regions. What differs: it takes n_regions, n_networks."),
        (len, "it raised TypeError"),
        (3, "What differs: it is not a function. Give its name, without brackets."),
        (int, "Found: the class int itself"),
        (lambda n: 3, "(called with n_regions: the whole number 64)"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_function_that_is_not_right(reply, function, sentence):
    said = " ".join(reply(ex.edges, function, n_regions=64).split())
    assert said.startswith("Not yet. ")
    assert sentence in said


def test_two_mistakes_that_agree_on_the_small_case_are_told_apart(reply):
    """With three regions both give 6; with 64 they differ."""
    assert "The diagonal" in reply(ex.edges, ex.edges_with_diagonal, n_regions=64)
    assert "counted twice" in reply(ex.edges, ex.edges_both_ways, n_regions=64)


def test_mistake_may_be_an_error(reply):
    """A function that fails as a known mistake does is told why."""
    exercise = make(
        solve=ex.count_edges,
        known_case=KnownCase({"n_regions": 3}, 3),
        answer_is_function=True,
        wrong={"zero": Wrong(lambda n_regions: n_regions / 0, "Nothing can be divided by zero.")},
    )
    assert "Likely reason: Nothing can be divided by zero." in " ".join(reply(exercise, divides, n_regions=9).split())


def loud(n_regions):
    print("LOUD")
    print("LOUD", file=sys.stderr)
    warnings.warn("LOUD", stacklevel=1)
    return other_names(n_regions)


def test_what_a_function_prints_does_not_come_before_the_reply(reply):
    assert reply(ex.edges, loud, n_regions=64).startswith("Correct. ")


# --- nothing is changed -----------------------------------------------------------------------------------------------
def spoils(time_series):
    time_series[:] = 0
    return time_series.mean(axis=0)


def test_function_that_changes_its_inputs_changes_a_copy(reply):
    """Neither the notebook's variable nor the hand-worked case is spoilt by a learner's function."""
    exercise = make(
        solve=ex.solve_means,
        compare=Array(),
        known_case=ex.means.known_case,
        answer_is_function=True,
        wrong={"other": Wrong(ex.means_of_volumes, "Other axis.")},
    )
    time_series = np.ones((5, 2))
    assert reply(exercise, spoils, time_series=time_series).startswith("Not yet")
    assert (time_series == 1).all()
    assert reply(exercise, ex.solve_means, time_series=time_series).startswith("Correct. ")


def test_inputs_of_every_kind_are_copied():
    guarded = _engine.call(lambda **inputs: inputs, inputs := {
        "array": np.zeros(3), "table": pd.DataFrame({"a": [1]}), "list": [np.zeros(2)], "dict": {"a": np.zeros(2)},
        "img": nib.Nifti1Image(np.zeros((2, 2, 2), np.float32), np.eye(4)), "rng": np.random.default_rng(1),
    })  # fmt: skip
    guarded["array"][0] = guarded["list"][0][0] = guarded["dict"]["a"][0] = 9
    guarded["table"].loc[0, "a"] = 9
    guarded["img"].dataobj[0] = 9
    guarded["rng"].random(5)
    assert inputs["array"][0] == inputs["list"][0][0] == inputs["dict"]["a"][0] == 0
    assert inputs["table"].loc[0, "a"] == 1
    assert np.all(inputs["img"].dataobj == 0)
    assert inputs["rng"].random() == np.random.default_rng(1).random()


def test_image_on_disk_stays_there(reply, tmp_path):
    """A check does not fill the learner's memory with a copy of the run."""
    nib.save(ex.make_bold(5), tmp_path / "run.nii.gz")
    bold_img = nib.load(tmp_path / "run.nii.gz")
    answer = bold_img.slicer[..., 1]
    for given in (answer, bold_img):
        reply(ex.second_volume, given, bold_img=bold_img)
    assert not bold_img.in_memory


# --- it never raises --------------------------------------------------------------------------------------------------
class Hostile:
    """Everything about it breaks."""

    def _break(self, *arguments):
        raise SystemExit("broken")

    __eq__ = __len__ = __repr__ = __str__ = __bool__ = __iter__ = __array__ = __float__ = __hash__ = __call__ = _break
    __fspath__ = __getattr__ = _break

    @property
    def __class__(self):
        raise RuntimeError("broken")


class HostileText(str):
    def __repr__(self):
        raise RuntimeError

    __str__ = strip = casefold = __eq__ = __repr__
    __hash__ = str.__hash__


class HostileDict(dict):
    def __len__(self):
        raise RuntimeError

    items = values = __iter__ = __len__


class HostileType(type):
    @property
    def __name__(cls):
        raise RuntimeError


class HostileError(Exception):
    def __str__(self):
        raise RuntimeError


def raises_hostile(*arguments):
    raise HostileError


ITSELF = []
ITSELF.append(ITSELF)
BROKEN_OBJECTS = np.empty(2, dtype=object)
BROKEN_OBJECTS[0] = Hostile()
HOSTILE = {
    "object": Hostile(),
    "text": HostileText("x"),
    "dict": HostileDict(a=1),
    "metaclass": HostileType("X", (), {}),
    "object of metaclass": HostileType("X", (), {})(),
    "list of them": [Hostile(), Hostile()],
    "dict of them": {"CONTROL": Hostile(), "SCHZ": Hostile()},
    "array of them": BROKEN_OBJECTS,
    "list of itself": ITSELF,
    "function": raises_hostile,
    "long text": "a b" * 10**6,
    "control characters": "\x1b[31m\r\n\0\ud800",
    "large number": 10**5000,
    "ragged": [[1, 2], [3]],
    "complex": 1 + 2j,
    "generator": (i for i in range(3)),
    "module": json,
    "NA": pd.NA,
    "NaT": pd.NaT,
    "masked": np.ma.masked_all(3),
    "structured": np.zeros(2, dtype=[("a", int)]),
    "dates": np.array(["2020-01-01"], dtype="datetime64[D]"),
    "same columns": pd.DataFrame([[1, 2]], columns=["age", "age"]),
    "file that is gone": nib.Nifti1Image(
        nib.arrayproxy.ArrayProxy("no_such.nii", ((2, 3, 4), np.float32, 0, 1, 0)),
        np.diag([3, 3, 4, 1]),
        nib.Nifti1Header(),
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_never_raises(reply, name):
    for exercise in exercises.exercises_in(ex):
        said = reply(exercise, HOSTILE[name], **exercise.example_inputs())
        assert said.startswith("Not yet. Found: "), said
        assert "\nExpected: " in said
        assert "\nWhat differs: " in said
        assert len(said) < 700
        assert said.isprintable() or set(filter(lambda c: not c.isprintable(), said)) == {"\n"}


def test_only_the_learner_can_interrupt(reply):
    def interrupted(n_regions):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ex.edges.check(interrupted, n_regions=3)


@pytest.mark.parametrize(
    ("positional", "inputs", "sentence"),
    [
        ((380.0,), {}, "It should be like ex.duration.check(answer, n_volumes=n_volumes, t_r=t_r)."),
        ((380.0,), {**RUN, "tr": 2}, "the line that checks it was changed."),
        ((380.0, 152), RUN, "the line that checks it was changed."),
        ((380.0,), {"n_volumes": None, "t_r": "x"}, "the inputs are not as the cells above leave them (TypeError:"),
        ((), {"answer": 380.0, **RUN}, "Correct. "),
        ((), {"answer": ..., **RUN}, "Not attempted yet. "),
    ],
)
def test_check_line_that_was_changed(reply, positional, inputs, sentence):
    said = " ".join(reply(ex.duration, *positional, **inputs).split())
    assert sentence in said
    assert "n_volumes * t_r" not in said, "a line of the solution"


def test_comparison_that_breaks_is_reported(reply, monkeypatch):
    class Broken(Number):
        def __call__(self, answer, expected):
            raise RuntimeError("broken")

        def expects(self, expected):
            raise RuntimeError("broken too")

    exercise = make(compare=Broken())
    assert "checking it ended with an error (RuntimeError)" in reply(exercise, 1, **RUN)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_terminal_that_cannot_write_everything(monkeypatch, encoding):
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n")
    monkeypatch.setattr(sys, "stdout", out)
    ex.conclusion.check("日本 é")
    out.flush()
    assert out.buffer.getvalue().decode(encoding).startswith("Not yet. Found: the string '")


def test_terminal_that_is_closed(monkeypatch):
    out = io.StringIO()
    out.close()
    monkeypatch.setattr(sys, "stdout", out)
    assert ex.duration.check(380.0, **RUN) is None


# --- progress ---------------------------------------------------------------------------------------------------------
def test_outcomes_are_recorded(reply, own_progress):
    reply(ex.duration, ..., **RUN)
    assert not own_progress.exists()
    reply(ex.duration, 1, **RUN)
    assert progress.solved() == []
    reply(ex.duration, 380, **RUN)
    reply(ex.duration, 1, **RUN)
    assert progress.solved() == ["toy.duration"]
    assert json.loads(own_progress.read_text())["exercises"]["toy.duration"]["attempts"] == 2


def test_place_that_cannot_be_written_does_not_matter(reply, own_progress, monkeypatch):
    """The reply is the same, with a note once in a session."""
    own_progress.write_text("a file where a folder is needed")
    monkeypatch.setenv("COURSE_PROGRESS", str(own_progress / "progress.json"))
    first, second = reply(ex.duration, 380.0, **RUN), reply(ex.duration, 380.0, **RUN)
    assert second == "Correct. Every frequency that we speak of later is counted in these seconds.\n"
    assert first.startswith(second)
    assert "Your progress was not written down" in first


# --- authors ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"hints": ["One."]}, "two or three hints, found 1"),
        ({"hints": ["1", "2", "3", "4"]}, "two or three hints, found 4"),
        ({"hints": ["One.", ""]}, "two or three hints"),
        ({"wrong": {}}, "at least one known mistake"),
        ({"wrong": {"a": fails}}, "a Wrong"),
        ({"wrong": {"a": Wrong(fails, "")}}, "a Wrong"),
        ({"solve": lambda n_volumes, t_r: 1}, "a named function as `solve`"),
        ({"known_case": 3}, "a KnownCase"),
        ({"compare": "equal"}, "a comparison"),
        ({"title": ""}, "a title"),
        ({"why": ""}, "why it matters"),
        ({"example_inputs": {"n_volumes": 3}}, "a function without arguments as `example_inputs`"),
    ],
)
def test_incomplete_exercise_is_refused(changes, sentence):
    with pytest.raises(ValueError, match="is not complete: expected") as error:
        make(**changes)
    assert sentence in str(error.value)


@pytest.mark.parametrize(
    "reasons", [{"a": "Why."}, {"a": "W.", "b": "W.", "c": "W."}, {"a": "W.", "b": "W.", "d": "W."}]
)
def test_incomplete_choice_is_refused(reasons):
    with pytest.raises(ValueError, match="expected a reason for every option but one"):
        Choice(title="T", solve=fails, options=dict.fromkeys("abc", "x"), reasons=reasons, hints=["a", "b"], why="y")


def test_known_case_can_be_made_when_it_is_needed():
    calls = []
    case = KnownCase(lambda: calls.append(1) or {"n": 3}, 3)
    assert calls == []
    assert case.inputs is case.inputs
    assert calls == [1]


def test_ids_and_names():
    assert ex.duration.id == "toy.duration"
    assert [e.name for e in exercises.exercises_in(ex)][:2] == ["duration", "images"]
    assert repr(ex.duration) == (
        "How long is a run? (toy.duration): .check(answer, n_volumes=n_volumes, t_r=t_r), "
        ".hint() to .hint(2), .solution()"
    )
    assert {field.name for field in dataclasses.fields(Exercise)} >= {
        "solve",
        "compare",
        "hints",
        "wrong",
        "known_case",
    }


def test_one_exercise_under_two_names_is_refused(monkeypatch):
    monkeypatch.setattr(ex, "again", ex.duration, raising=False)
    with pytest.raises(ValueError, match="duration are one exercise"):
        exercises.exercises_in(ex)


def test_solution_from_another_module_is_refused():
    module = types.ModuleType("ep99_other")
    module.borrowed = ex.duration
    with pytest.raises(ValueError, match="expected in the same module"):
        exercises.exercises_in(module)


EPISODE = """
from course_utils.exercises._compare import Number
from course_utils.exercises._engine import Exercise, KnownCase, Wrong

def solve_it(n):
    return n

it = Exercise(title="It", solve=solve_it, compare=Number(), hints=["a.", "b."], why="c.",
              wrong={"one": Wrong(lambda n: n + 1, "One too many.")}, known_case=KnownCase({"n": 1}, 1))
"""


@pytest.fixture
def episodes(tmp_path, monkeypatch):
    """A folder in which modules of episodes can be written."""
    monkeypatch.setattr(exercises, "__path__", [str(tmp_path)])
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("course_utils.exercises.ep9")]:
        del sys.modules[name]
        delattr(exercises, name.rpartition(".")[2])


def test_all_exercises_needs_no_list(episodes, capsys):
    """A module of the right name is found; others are left alone. Progress names what is open."""
    (episodes / "ep97_one.py").write_text(EPISODE)
    (episodes / "helper.py").write_text("raise RuntimeError")
    assert [e.id for e in exercises.all_exercises()] == ["ep97.it"]
    exercises.show_progress()
    assert "Episode 97: 0 of 1 solved (open: it)" in capsys.readouterr().out


def test_two_exercises_of_one_id_are_refused(episodes):
    (episodes / "ep98_one.py").write_text(EPISODE)
    (episodes / "ep98_two.py").write_text(EPISODE)
    with pytest.raises(ValueError, match=r"Two exercises have the id ep98\.it"):
        list(exercises.all_exercises())
