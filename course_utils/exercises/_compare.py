"""How an answer is judged: the comparisons from which the author of an exercise chooses.

`Number(unit="mm", between=(0, 10))` makes one; what it can do is written in `_comparison.py`. Those for arrays, images,
tables and names are in modules beside this one and imported here, so that all are found in one place. One that a single
exercise needs is a subclass of `Comparison` in the module of that exercise.
"""

import inspect
import numbers
from dataclasses import dataclass

import numpy as np
import pandas as pd

from course_utils.exercises._compare_arrays import Array, Image, Table
from course_utils.exercises._compare_names import Files, Names, Text
from course_utils.exercises._comparison import Comparison
from course_utils.exercises._describe import type_name
from course_utils.exercises._values import some_missing, some_not_right, write_label

__all__ = [
    "Array",
    "Comparison",
    "Files",
    "Image",
    "Mapping",
    "Names",
    "Number",
    "Same",
    "Table",
    "Text",
    "Truth",
    "compare_by_kind",
]


@dataclass(frozen=True, kw_only=True)
class Number(Comparison):
    """Judge one number.

    Attributes
    ----------
    rtol, atol : float
        Tolerance, relative to the expected value and absolute (in its unit).
    unit : str
        What is counted or measured, such as "mm", "s" or "edges".
    between : tuple of float, optional
        Lowest and highest plausible value: tells a learner who is outside that the unit may be wrong.
    whole : bool
        Whether it is a whole number; 12.0 counts as one.
    """

    rtol: float = 1e-6
    atol: float = 0.0
    unit: str = ""
    between: tuple | None = None
    whole: bool = False

    def _handles(self, value):
        if isinstance(value, np.ndarray):
            return value.shape == () and value.dtype.kind in "iuf"
        return isinstance(value, numbers.Real) and not isinstance(value, bool | np.bool_)

    def _expects(self, expected):
        unit = f" ({self.unit})" if self.unit else ""
        size = ", between {:,.9g} and {:,.9g}".format(*self.between) if self.between else ""
        return f"{'a whole number' if self.whole else 'a number'}{unit}{size}"

    def _differs(self, answer, expected):
        if not self.handles(answer):
            return _why_no_number(answer)
        found, wanted = float(answer), float(expected)
        if np.isclose(found, wanted, rtol=self.rtol, atol=self.atol, equal_nan=True):
            return None
        if not np.isfinite(found):
            return "it is not finite: was something divided by zero, or a missing value averaged?"
        if self.whole and found != round(found):
            return "it is not a whole number."
        if self.between and not self.between[0] <= found <= self.between[1]:
            return "it is outside the plausible range."
        if not np.isfinite(wanted):
            return "no finite number is right here."
        return "it is too large." if found > wanted else "it is too small."


def _why_no_number(answer):
    """Say why something is not a number."""
    if isinstance(answer, str):
        try:
            float(answer)
        except ValueError:
            return "it is text, not a number."
        return "it is text, not a number: leave out the quotes."
    if isinstance(answer, np.ndarray | pd.Series | pd.DataFrame | list | tuple) and np.size(answer) == 1:
        return "it holds one value, but is not a number itself: take the value out."
    return "it is not one number."


@dataclass(frozen=True, kw_only=True)
class Mapping(Comparison):
    """Judge a dict, or a Series read as one, key by key.

    Attributes
    ----------
    values : comparison or dict of comparison, optional
        How values are judged, all alike or by key. Without it, by the kind of the expected value.
    show_keys : bool
        Whether keys that are missing may be named. False where finding the keys is the task.
    """

    values: object = None
    show_keys: bool = True

    def _handles(self, value):
        return isinstance(value, dict)

    def _expects(self, expected):
        keys = ", ".join(write_label(key) for key in list(expected)[:6]) + (", ..." if len(expected) > 6 else "")
        kinds = dict.fromkeys(self._judge(key, value).expects(value) for key, value in expected.items())
        with_keys = f" with the keys {keys}" if self.show_keys else ""
        return f"a dict{with_keys}" + (f"; each value is {next(iter(kinds))}" if len(kinds) == 1 else "")

    def _judge(self, key, expected):
        """Choose the comparison of one value."""
        chosen = self.values.get(key) if isinstance(self.values, dict) else self.values
        return chosen if chosen is not None and chosen.handles(expected) else compare_by_kind(expected)

    def _differs(self, answer, expected):
        if not isinstance(answer, dict | pd.Series):
            return "it is not a dict."
        found = dict(answer.items())
        extra = [key for key in found if key not in expected]
        missing = [key for key in expected if key not in found]
        if extra:
            return f"the key {write_label(extra[0])} does not belong in it."
        if missing:
            return f"{some_missing('key', missing, show=self.show_keys)}."
        problems = {}
        for key, value in expected.items():
            problem = "it is still blank." if found[key] is ... else self._judge(key, value)(found[key], value)
            if problem is not None:
                problems[key] = problem
        if not problems:
            return None
        key, problem = next(iter(problems.items()))
        return f"{some_not_right(len(problems), len(expected))}. At {write_label(key)}: {problem}"


@dataclass(frozen=True)
class Truth(Comparison):
    """Judge True or False; numpy's kinds of them count as well."""

    def _handles(self, value):
        return isinstance(value, bool | np.bool_)

    def _expects(self, expected):
        return "True or False"

    def _differs(self, answer, expected):
        if not self.handles(answer):
            return "it is neither True nor False."
        return None if bool(answer) == bool(expected) else "it is the other one."


@dataclass(frozen=True)
class Same(Comparison):
    """Judge values of a kind that no other comparison handles: the same object, or equal and of one type."""

    def _handles(self, value):
        return True

    def _expects(self, expected):
        return f"a value of the type {type_name(expected)}"

    def _differs(self, answer, expected):
        if answer is expected:
            return None
        if type(answer) is not type(expected) or inspect.isroutine(expected) or not bool(answer == expected):
            return "it is not what it should be."
        return None


def compare_by_kind(value):
    """Choose the comparison that fits a value.

    Parameters
    ----------
    value : object
        What an answer is to be compared with.

    Returns
    -------
    comparison
        The first that handles the value, with its usual tolerances.
    """
    kinds = (Truth(), Number(), Text(case=True), Image(), Table(), Mapping(), Files(), Array(), Same())
    return next(kind for kind in kinds if kind.handles(value))
