"""Exercises: solutions, checks, hints and known mistakes, one module an episode.

A notebook imports the module of its episode: `from course_utils.exercises import ep05_functional as ex`. An author
writes `Exercise(...)` or `Choice(...)` (`_engine.py`) with a comparison (`_compare.py`) into such a module; there is no
list to keep.
"""

import importlib
import pkgutil
import re

from course_utils import progress
from course_utils.exercises._engine import Exercise

EPISODE_MODULE = re.compile(r"ep\d\d_\w+")


def exercises_in(module):
    """List the exercises of one module, in the order in which they are written.

    Parameters
    ----------
    module : module
        The module of an episode.

    Returns
    -------
    list of Exercise
        One for each module-level variable that holds one.

    Raises
    ------
    ValueError
        If an exercise has two names, or its solution was written in another module: its id would not be its own.
    """
    found = [(name, value) for name, value in vars(module).items() if isinstance(value, Exercise)]
    for name, exercise in found:
        if exercise.solve.__module__ != module.__name__:
            raise ValueError(
                f"{module.__name__}.{name}: its solution was written in {exercise.solve.__module__}; expected in the "
                "same module, where the book looks for its source."
            )
        if exercise.name != name:
            raise ValueError(f"{module.__name__}: {name} and {exercise.name} are one exercise; expected one name.")
    return [exercise for _, exercise in found]


def all_exercises():
    """Go through the exercises of all episodes.

    Yields
    ------
    Exercise
        In the order of the episodes.

    Raises
    ------
    ValueError
        If two exercises have one id.
    """
    seen = set()
    for info in sorted(pkgutil.iter_modules(__path__), key=lambda info: info.name):
        if EPISODE_MODULE.fullmatch(info.name):
            for exercise in exercises_in(importlib.import_module(f"{__name__}.{info.name}")):
                if exercise.id in seen:
                    raise ValueError(f"Two exercises have the id {exercise.id}; expected one. Rename one of them.")
                seen.add(exercise.id)
                yield exercise


def show_progress():
    """Print which exercises of the whole course are solved, tried and still open."""
    progress.show(exercise.id for exercise in all_exercises())
