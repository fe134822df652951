"""What an exercise is, and how an answer to it is checked.

An exercise is data: a solution, a comparison, hints, known mistakes, one case worked by hand. This module makes the
three replies from them.
"""

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass

from course_utils import progress
from course_utils.exercises._calls import Failure, arguments, call, fits, is_blank, is_function
from course_utils.exercises._compare import Comparison, Text, compare_by_kind
from course_utils.exercises._describe import describe, safe_text, shorten, type_name
from course_utils.exercises._parts import KnownCase, Wrong, is_complete_wrong, is_named_function
from course_utils.exercises._reply import CORRECT, NOT_ATTEMPTED, not_yet, say, wrap

__all__ = ["Choice", "Exercise", "KnownCase", "Wrong"]

_told = set()  # notes on book-keeping that this session has printed: once is enough


@dataclass(frozen=True)
class _Case:
    """One place where an answer is judged: inputs, what is right there, what the learner's answer is there."""

    inputs: dict
    expected: object
    answer: object


@dataclass(kw_only=True, eq=False, repr=False)
class Exercise:
    """One exercise of an episode.

    Written as a module-level variable of `course_utils/exercises/epNN_name.py`; its id is made from the two names, such
    as "ep05.fifth_volume". The solution and the wrong solutions are plain functions of the same module, whose
    arguments are the inputs that the notebook passes to `check`. They neither change their inputs nor print.

    Attributes
    ----------
    title : str
        A few words.
    solve : callable
        The solution. The book shows its source. It returns the answer or, where the learner writes a function, it is
        that function.
    compare : comparison
        How an answer is judged, from `_compare.py` (where the learner writes a function: how what it returns is).
    hints : list of str
        Two or three, from a nudge to almost there.
    wrong : dict of Wrong
        Known mistakes by name.
    known_case : KnownCase
        One input with a hand-worked answer.
    why : str
        Why it matters; printed when the answer is correct.
    example_inputs : callable
        Gives the inputs on which the tests run the exercise, made from the study at hand. Without it, none.
    answer_is_function : bool
        Whether the learner writes a function.
    """

    title: str
    solve: Callable
    compare: Comparison
    hints: list
    wrong: dict
    known_case: KnownCase
    why: str
    example_inputs: Callable = dict
    answer_is_function: bool = False

    def __post_init__(self):
        """Refuse an exercise that is not complete, with a sentence for its author."""
        complaints = [
            ("a title, found none", self.title),
            ("why it matters (`why`), found nothing", self.why),
            ("a named function as `solve`, whose source the book can show", is_named_function(self.solve)),
            (f"two or three hints, found {len(self.hints)}", len(self.hints) in (2, 3) and all(self.hints)),
            ("at least one known mistake in `wrong`, found none", self.wrong),
            ("a Wrong(function, message) for each name in `wrong`", all(map(is_complete_wrong, self.wrong.values()))),
            ("a KnownCase(inputs, answer) as `known_case`", isinstance(self.known_case, KnownCase)),
            ("a comparison from _compare.py as `compare`", isinstance(self.compare, Comparison)),
            ("a function without arguments as `example_inputs`", callable(self.example_inputs)),
        ]
        for wanted, found in complaints:
            if not found:
                raise ValueError(f"The exercise {self.title!r} is not complete: expected {wanted}.")

    @property
    def id(self):
        """Episode and name of the variable.

        Returns
        -------
        str
            Such as "ep05.fifth_volume".
        """
        return f"{self.solve.__module__.rpartition('.')[2].partition('_')[0]}.{self.name}"

    @property
    def name(self):
        """Name of the variable that holds this exercise in the module of its solution.

        Returns
        -------
        str
            Such as "fifth_volume".
        """
        names = [key for key, value in vars(sys.modules[self.solve.__module__]).items() if value is self]
        return names[0] if names else self.solve.__name__

    def __repr__(self):
        """Write title, id, and what can be done with it."""
        given = "".join(f", {name}={name}" for name in self._input_names())
        return f"{self.title} ({self.id}): .check(answer{given}), .hint() to .hint({len(self.hints)}), .solution()"

    def _input_names(self):
        return list(inspect.signature(self.solve).parameters)

    def check(self, answer=..., /, *more, **inputs):
        """Judge an answer and print one of three replies. Nothing is raised, whatever is given.

        Parameters
        ----------
        answer : object
            What the learner found; `...` is a blank.
        *more : object
            Nothing: a second answer is met with a sentence.
        **inputs : object
            What the answer was found from, by the names of the solution's arguments.
        """
        if answer is ... and "answer" not in self._input_names():
            answer = inputs.pop("answer", ...)  # given by name, as one easily does
        try:
            reply = self._judge(answer, more, inputs)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a promise to learners: no check ends in a traceback
            reply = self._not_yet(answer, None, f"checking it ended with an error ({type_name(error)})")
        if not reply.startswith(NOT_ATTEMPTED):
            note = progress.record(self.id, "correct" if reply.startswith(CORRECT) else "not yet")
            if note and note not in _told:
                _told.add(note)
                reply += f"\n{note}"
        say(reply)

    def hint(self, n=1):
        """Print one hint.

        Parameters
        ----------
        n : int
            Which one; 1 is the gentlest.
        """
        if n not in range(1, len(self.hints) + 1):
            say(f"There are {len(self.hints)} hints: ask for hint(1) to hint({len(self.hints)}).")
            return
        after = f"More: .hint({n + 1})" if n < len(self.hints) else "This was the last hint. All of it: .solution()"
        say(f"Hint {n} of {len(self.hints)}. {self.hints[n - 1]}\n{after}")

    def solution(self):
        """Print the source of the solution."""
        print(inspect.getsource(self.solve).rstrip())

    def _judge(self, answer, more, inputs):
        """Find the reply to an answer."""
        if is_blank(answer):
            return f"{NOT_ATTEMPTED}. Replace the three dots (...) with your answer, then run the cell."
        if more or not fits(self.solve, inputs, by_name=True):
            line = f"ex.{self.name}.check({', '.join(['answer', *(f'{name}={name}' for name in self._input_names())])})"
            return self._not_yet(answer, None, f"the line that checks it was changed. It should be like {line}")
        if self.answer_is_function and (problem := self._function_problem(answer, inputs)):
            return self._not_yet(answer, f"a function of {arguments(self.solve)}", problem)
        right = call(self.solve, inputs)
        if isinstance(right, Failure):
            # not the line in which it arose: that is a line of the solution
            error = f"{right.kind}{f': {right.text}' if right.text else ''}"
            problem = f"the inputs are not as the cells above leave them ({error}). Run the notebook from its top"
            return self._not_yet(answer, None, problem)
        cases = [_Case(inputs, right, answer)]
        if self.answer_is_function:
            cases = [
                _Case(self.known_case.inputs, self.known_case.answer, call(answer, self.known_case.inputs)),
                _Case(inputs, right, call(answer, inputs)),
            ]
        for case in cases:
            problem = self._difference(case.answer, case.expected)
            if problem is not None:
                return self._explain(answer, case, problem, self._likely_reason(cases))
        return f"{CORRECT}. {self.why}"

    def _function_problem(self, answer, inputs):
        """Say why something cannot be called as the function that is asked for."""
        try:
            if not is_function(answer):
                return "it is not a function. Give its name, without brackets"
            if not fits(answer, inputs, by_name=True) and not fits(answer, inputs, by_name=False):
                return f"it takes {arguments(answer)}"
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # an object that pretends to be a function
            return f"looking at it ended with an error ({type_name(error)})"
        return None

    def _explain(self, answer, case, problem, reason):
        """Write the reply to an answer that differs in one case."""
        expected = self.compare.expects(case.expected)
        if not self.answer_is_function:
            return self._not_yet(answer, expected, problem, reason)
        if isinstance(case.answer, Failure):
            return self._not_yet(answer, f"a function that returns {expected}", f"it raised {case.answer}", reason)
        given = ", ".join(f"{name}: {shorten(describe(value), 60)}" for name, value in case.inputs.items())
        found = f"a function that returns {describe(case.answer)} (called with {shorten(given, 120)})"
        return self._not_yet(found, f"a function that returns {expected}", problem, reason, described=True)

    def _not_yet(self, answer, expected, problem, reason=None, *, described=False):
        """Write the reply from its parts; the answer may be described already."""
        return not_yet(answer if described else describe(answer), expected, problem, reason, f"ex.{self.name}.hint()")

    def _difference(self, answer, expected):
        """Compare two values; None if they are equal, else a sentence."""
        if type(answer) is Failure or type(expected) is Failure:
            same = type(answer) is type(expected) and answer.kind == expected.kind
            return None if same else "it ended with an error."
        compare = self.compare if self.compare.handles(expected) else compare_by_kind(expected)
        try:
            return compare(answer, expected)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # an answer may be an object that breaks when it is looked at
            return f"looking at it ended with an error ({type_name(error)}: {safe_text(error, 80)})."

    def _likely_reason(self, cases):
        """Find the known mistake that gives the learner's answer in every case, and is a mistake in one of them."""
        for wrong in self.wrong.values():
            guesses = [call(wrong.solve, case.inputs) for case in cases]
            if not self.answer_is_function and type(guesses[0]) is Failure:
                continue
            pairs = list(zip(guesses, cases, strict=True))
            same = all(self._difference(case.answer, guess) is None for guess, case in pairs)
            if same and any(self._difference(guess, case.expected) is not None for guess, case in pairs):
                return wrong.message
        return None


class Choice(Exercise):
    """An exercise whose answer is one of some options, each with its reason.

    Parameters
    ----------
    title : str
        A few words.
    solve : callable
        Returns the letter of the right option; its docstring says why it is right, because the book shows its source.
    options : dict of str
        Text of each option by its letter. `show()` prints them.
    reasons : dict of str
        Why an option is not the right one, by its letter, for every option but the right one. That one option has no
        such reason is the hand-worked answer against which `solve` is tested.
    hints : list of str
        Two or three, from a nudge to almost there.
    why : str
        Why it matters; printed when the answer is correct.
    example_inputs : callable
        Gives the inputs on which the tests run the exercise; most choices have none.

    Raises
    ------
    ValueError
        If not exactly one option is without a reason, or something else is missing.
    """

    def __init__(self, *, title, solve, options, reasons, hints, why, example_inputs=dict):
        right = [letter for letter in options if letter not in reasons]
        strangers = [letter for letter in reasons if letter not in options]
        if len(right) != 1 or strangers:
            raise ValueError(
                f"The exercise {title!r} is not complete: expected a reason for every option but one, "
                f"found none for {right} and reasons for unknown options {strangers}."
            )
        self.options = options
        super().__init__(
            title=title,
            solve=solve,
            compare=Text(options=tuple(options)),
            hints=hints,
            wrong={f"option_{letter}": Wrong(_always(letter), reason) for letter, reason in reasons.items()},
            known_case=KnownCase(example_inputs, right[0]),
            why=why,
            example_inputs=example_inputs,
        )

    def show(self):
        """Print the options."""
        print("\n".join(wrap(f"{letter}) {text}", indent=" " * 3) for letter, text in self.options.items()))


def _always(letter):
    """Make a function that returns a letter, whatever it is given."""

    def choose(**inputs):
        return letter

    return choose
