"""Say in a few words what kind of thing a learner gave. Never raises, never prints, never long."""

import inspect
import itertools
import numbers
import os
from pathlib import PurePath

import nibabel as nib
import numpy as np
import pandas as pd

LONGEST = 160  # characters of one description
LOOKED_AT = 200  # elements of a list that are looked at to name what is in it


def shorten(text, width):
    """Cut a text to a width and put it on one line.

    Parameters
    ----------
    text : str
        Any text.
    width : int
        Characters to keep at most.

    Returns
    -------
    str
        The text, with three dots at its end if it was cut.
    """
    line = " ".join(text[: 4 * width].split())
    return line if len(line) <= width else line[: width - 3].rstrip() + "..."


def type_name(value):
    """Name the type of a value.

    Parameters
    ----------
    value : object
        Anything, however broken.

    Returns
    -------
    str
        Such as "ndarray".
    """
    return shorten(type.__dict__["__name__"].__get__(type(value)), 40)  # a metaclass cannot get in between


def safe_text(value, width):
    """Write a value as `str` does, even if its own code for that is broken.

    Parameters
    ----------
    value : object
        Anything, however broken; in the engine most often an exception.
    width : int
        Characters to keep at most.

    Returns
    -------
    str
        The text, or empty if the value cannot be written.
    """
    try:
        return shorten(str(value), width)
    except KeyboardInterrupt:
        raise
    except BaseException:  # whatever a learner's own class raises: there is then no text to show
        return ""


def quote(text, width=60):
    """Write a string in quotes, shortened.

    Parameters
    ----------
    text : str
        Any string.
    width : int
        Characters to keep at most.

    Returns
    -------
    str
        One line; control characters are written out.
    """
    return shorten(repr(str(text)[:1000]), width)


def path_name(value):
    """Find the last part of a path.

    Parameters
    ----------
    value : str, Path or BIDSFile
        A path in one of its forms.

    Returns
    -------
    str or None
        The name of the file, or None if the value is not a path.
    """
    if isinstance(value, str | os.PathLike):
        return PurePath(str(os.fspath(value)).replace("\\", "/")).name
    inner = getattr(value, "path", None)
    return PurePath(inner).name if isinstance(inner, str) else None


def describe(value):
    """Say what kind of thing a value is.

    Parameters
    ----------
    value : object
        Anything, however broken.

    Returns
    -------
    str
        A noun phrase of at most 160 characters, such as "an array of shape (65, 77, 49), float64".

    Examples
    --------
    >>> describe(["a", "b", "c"])
    'a list of 3 strings'
    >>> describe({})
    'an empty dict'
    """
    try:
        return shorten(_phrase(value), LONGEST)
    except KeyboardInterrupt:
        raise
    except BaseException:  # a broken __len__, __repr__ or property of a learner's class
        return f"an object of type {type_name(value)} that cannot be described"


def _phrase(value):
    """Find the phrase for a value; broken values raise."""
    if value is None:
        return "None (nothing)"
    if value is ...:
        return "three dots (...)"
    if isinstance(value, bool | np.bool_):
        return f"the truth value {bool(value)}"
    if isinstance(value, numbers.Number):
        return _number_phrase(value)
    if isinstance(value, str):
        return f"the string {quote(value)}" if value else "an empty string"
    if isinstance(value, os.PathLike):
        return f"a path that ends in {quote(path_name(value))}"
    if isinstance(value, pd.DataFrame):
        return _table_phrase(value)
    if isinstance(value, pd.Series):
        return f"one column (Series) of {value.shape[0]:,} values" + (f", {quote(value.name)}" if value.name else "")
    if isinstance(value, np.ndarray):
        if value.shape == ():
            return f"an array without axes that holds one value, {value.dtype}"
        return f"an array of shape {value.shape}, {value.dtype}"
    if isinstance(value, nib.spatialimages.SpatialImage):
        return f"an image of shape {value.shape}, {value.get_data_dtype()}"
    if isinstance(value, list | tuple | set | frozenset | dict):
        return _container_phrase(value)
    return _object_phrase(value)


def _number_phrase(value):
    if isinstance(value, numbers.Integral):
        digits = f"{int(value)}" if abs(int(value)) < 10**18 else "with more than 18 digits"
        return f"the whole number {digits}"
    if isinstance(value, numbers.Real):
        return "NaN (not a number)" if value != value else f"the number {float(value):.6g}"
    return f"the complex number {safe_text(value, 40)}" if isinstance(value, numbers.Complex) else "a number"


def _table_phrase(value):
    n_rows, n_columns = value.shape
    names = ", ".join(shorten(str(name), 24) for name in value.columns[:6])
    more = ", ..." if n_columns > 6 else ""
    columns = f"{n_columns:,} column{'s' * (n_columns != 1)}"
    return f"a table (DataFrame) of {n_rows:,} row{'s' * (n_rows != 1)} and {columns}" + (
        f": {names}{more}" if n_columns else ""
    )


def _container_phrase(value):
    name = type_name(value)
    if len(value) == 0:
        return f"an empty {name}"
    if isinstance(value, dict):
        keys = ", ".join(quote(key, 24) if isinstance(key, str) else safe_text(key, 24) for key in list(value)[:5])
        return f"a dict with {_count(len(value), 'key')}: {keys}{', ...' if len(value) > 5 else ''}"
    words = dict.fromkeys(_element_word(element) for element in itertools.islice(value, LOOKED_AT))
    if len(words) == 1:
        return f"a {name} of {_count(len(value), next(iter(words)))}"
    return f"a {name} of {len(value):,} things of several kinds ({', '.join(list(words)[:3])})"


def _count(n, word):
    return f"{n:,} {word}" + "s" * (n != 1 and not word.endswith("s"))


def _element_word(element):
    """Name the kind of one element of a list, as a noun that takes a plural s."""
    if isinstance(element, bool | np.bool_):
        return "truth value"
    for kinds, word in (
        (numbers.Number, "number"),
        (str, "string"),
        (os.PathLike, "path"),
        (list | tuple, "list"),
        (np.ndarray, "array"),
        (nib.spatialimages.SpatialImage, "image"),
    ):
        if isinstance(element, kinds):
            return word
    return "None value" if element is None else f"{type_name(element)} object"


def _object_phrase(value):
    if isinstance(value, type):
        return f"the class {shorten(value.__name__, 40)} itself, not an object made from it"
    if inspect.ismethod(value) or (inspect.isbuiltin(value) and not inspect.ismodule(value.__self__)):
        return f"the method {shorten(value.__name__, 40)} itself, not what it gives: were the brackets () forgotten?"
    if inspect.isroutine(value):
        return f"a function named {shorten(value.__name__, 40)}"
    if inspect.ismodule(value):
        return f"the module {shorten(value.__name__, 40)}"
    if inspect.isgenerator(value) or isinstance(value, map | filter | zip):
        return f"a {type_name(value)} that has not run yet: were the brackets of list(...) forgotten?"
    if isinstance(value, pd.Index):
        return f"an index of {value.shape[0]:,} labels"
    article = "an" if type_name(value)[:1].lower() in "aeiou" else "a"
    return f"{article} {type_name(value)} object"
