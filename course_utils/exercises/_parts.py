"""The parts of an exercise that its author writes, beside the solution."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Wrong:
    """A known mistake: a solution that makes it, and what to tell the learner who made it too.

    Attributes
    ----------
    solve : callable
        Takes the same inputs as the solution and returns what the mistake gives.
    message : str
        One or two sentences that help, without giving the answer.
    """

    solve: Callable
    message: str


class KnownCase:
    """One input with an answer that was worked out by hand, not by the solution.

    Parameters
    ----------
    inputs : dict or callable
        Arguments of the solution by name, or a function without arguments that makes them when they are needed.
    answer : object
        The right answer to them (where the learner writes a function: what that function must return).
    """

    def __init__(self, inputs, answer):
        self._inputs = inputs
        self.answer = answer

    @cached_property
    def inputs(self):
        """Look up, or make, the arguments of the solution.

        Returns
        -------
        dict
            By name.
        """
        return self._inputs() if callable(self._inputs) else self._inputs


def is_named_function(value):
    """Tell whether something is a function written with `def`.

    Parameters
    ----------
    value : object
        What an author gave as a solution.

    Returns
    -------
    bool
        False for a lambda, too.
    """
    return inspect.isfunction(value) and value.__name__ != "<lambda>"


def is_complete_wrong(value):
    """Tell whether an entry of `wrong` has its parts.

    Parameters
    ----------
    value : object
        What an author gave.

    Returns
    -------
    bool
        Whether it is a `Wrong` with a function and a message.
    """
    return isinstance(value, Wrong) and callable(value.solve) and bool(value.message)
