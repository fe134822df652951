"""Call solutions and learners' functions so that they can do no harm: on copies, quietly, errors caught."""

import contextlib
import copy
import dis
import inspect
import io
import linecache
import traceback
import types
import warnings

import nibabel as nib
import numpy as np
import pandas as pd

from course_utils.exercises._describe import quote, safe_text, shorten, type_name


class Failure:
    """An error that a call ended with, in place of its result.

    Parameters
    ----------
    error : BaseException
        The error.
    function : callable
        What was called, to find the learner's own line.
    """

    def __init__(self, error, function):
        self.kind = type_name(error)
        self.text = safe_text(error, 120)
        self.line = _line_of(error, function)

    def __str__(self):
        """Write the error on one line: its type, its message, the learner's line."""
        return f"{self.kind}{f': {self.text}' if self.text else ''}{f' ({self.line})' if self.line else ''}"


def _line_of(error, function):
    """Find the line of the learner's function in which an error arose; empty if it has no source."""
    code = getattr(function, "__code__", None)
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if code and frame.filename == code.co_filename
    ]
    if not frames:
        return ""
    source = linecache.getline(frames[-1].filename, frames[-1].lineno).strip()
    return f"in your line {quote(source, 80)}" if source else f"in line {frames[-1].lineno} of your cell"


def guard(value):
    """Copy what a function could change in place.

    Parameters
    ----------
    value : object
        An input of an exercise.

    Returns
    -------
    object
        A copy of arrays, tables, images, containers of them, estimators and random generators; other things as they
        are. An image that reads from its file is given a new object over the same file, so that nothing is cached
        inside the learner's.
    """
    if isinstance(value, np.ndarray | pd.DataFrame | pd.Series):
        return value.copy()
    if isinstance(value, nib.spatialimages.SpatialImage):
        data = value.dataobj if nib.is_proxy(value.dataobj) else np.array(value.dataobj)
        return type(value)(data, value.affine, value.header, extra=value.extra, file_map=value.file_map)
    if type(value) in (list, tuple, set):
        return type(value)(guard(element) for element in value)
    if type(value) is dict:
        return {key: guard(element) for key, element in value.items()}
    if isinstance(value, np.random.Generator | np.random.RandomState) or hasattr(type(value), "get_params"):
        return copy.deepcopy(value)
    return value


def call(function, inputs):
    """Call a function on copies of its inputs; what it prints and warns of is not shown.

    Parameters
    ----------
    function : callable
        A solution, a wrong solution, or what a learner wrote.
    inputs : dict
        Its arguments. They are passed by name, or in this order where the learner chose other names.

    Returns
    -------
    object
        What it returns, or a `Failure` if it raised. Only an interruption by the learner gets through.
    """
    inputs = {name: guard(value) for name, value in inputs.items()}
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        try:
            if fits(function, inputs, by_name=True):
                return function(**inputs)
            return function(*inputs.values())
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # even SystemExit: a learner's function must not end the kernel
            return Failure(error, function)


def fits(function, inputs, *, by_name):
    """Tell whether a function can be called with such arguments.

    Parameters
    ----------
    function : callable
        Any function.
    inputs : dict
        Arguments by name.
    by_name : bool
        Whether the names must fit too, or only their number.

    Returns
    -------
    bool
        False also if the function does not say which arguments it takes and names matter.
    """
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some functions written in C do not say
        return not by_name
    try:
        signature.bind(**inputs) if by_name else signature.bind(*inputs.values())
    except TypeError:
        return False
    return True


def arguments(function):
    """Write the names of a function's arguments.

    Parameters
    ----------
    function : callable
        A function that says which arguments it takes.

    Returns
    -------
    str
        Such as "time_series, t_r"; "no arguments" if it takes none.
    """
    return shorten(", ".join(inspect.signature(function).parameters), 120) or "no arguments"


def is_blank(answer):
    """Tell whether an answer is still the stub.

    Parameters
    ----------
    answer : object
        What was given to `check`.

    Returns
    -------
    bool
        True for `...`, for a list, tuple or dict that holds nothing else, and for a function whose body is nothing but
        `...`, `pass` or a docstring.
    """
    if answer is ...:
        return True
    if type(answer) in (list, tuple) and answer:
        return all(element is ... for element in answer)
    if type(answer) is dict and answer:
        return all(element is ... for element in answer.values())
    if type(answer) is types.FunctionType:
        # RESUME and NOP do nothing; what is left of an empty body loads a constant and returns it
        steps = [step for step in dis.get_instructions(answer) if step.opname not in ("RESUME", "NOP")]
        returned = [step.argval for step in steps if step.opname in ("LOAD_CONST", "RETURN_CONST")]
        others = [s for s in steps if s.opname not in ("LOAD_CONST", "RETURN_CONST", "RETURN_VALUE")]
        return not others and returned in ([None], [...])
    return False


def is_function(value):
    """Tell whether a value is something a learner could mean as a function; a class is not.

    Parameters
    ----------
    value : object
        Anything.

    Returns
    -------
    bool
        Whether it can be called and is no class.
    """
    return callable(value) and not isinstance(value, type)
