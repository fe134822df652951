"""What differs between two arrays, shapes or affines: one sentence each, which does not give the right values."""

import numbers

import nibabel as nib
import numpy as np

from course_utils.exercises._describe import quote, shorten

FEW = 10  # arrays of so few values: to say where and by how much they differ would give the answer away


def write_label(label):
    """Write one key of a dict, or one label of a table.

    Parameters
    ----------
    label : object
        Most often a string or a number.

    Returns
    -------
    str
        At most 40 characters, in quotes if it is a string.
    """
    return quote(label, 40) if isinstance(label, str) else shorten(str(label), 40)


def some_missing(word, labels, *, show):
    """Say that keys or columns are missing.

    Parameters
    ----------
    word : str
        "key" or "column".
    labels : list
        Those that are missing, at least one.
    show : bool
        Whether one of them may be named.

    Returns
    -------
    str
        A clause without a full stop.
    """
    if len(labels) == 1:
        return f"the {word} {write_label(labels[0])} is missing" if show else f"one {word} is missing"
    return f"{len(labels)} of its {word}s are missing" + (f", such as {write_label(labels[0])}" if show else "")


def some_not_right(n_bad, n_all):
    """Say how many of some values are not right.

    Parameters
    ----------
    n_bad, n_all : int
        At least one, and how many there are.

    Returns
    -------
    str
        A clause without a full stop.
    """
    if n_bad == n_all:
        return f"none of its {n_all} values is right" if n_all > 1 else "its value is not right"
    return f"{n_bad} of its {n_all} values {'is' if n_bad == 1 else 'are'} not right"


def as_array(value):
    """Make an array of numbers or truth values.

    Parameters
    ----------
    value : array, list, tuple, DataFrame or Series
        What should hold numbers only.

    Returns
    -------
    array or None
        None if it does not; masked values become NaN.
    """
    if isinstance(value, np.ma.MaskedArray):
        value = value.astype(float).filled(np.nan)
    try:
        array = np.asarray(value)
        if array.dtype.kind == "O":
            plain = all(isinstance(element, numbers.Real) for element in array.flat)
            array = array.astype(float) if plain else array
    except (TypeError, ValueError):
        return None
    return array if array.dtype.kind in "biuf" else None


def with_axes(shape, axes):
    """Write a shape with the names of its axes.

    Parameters
    ----------
    shape : tuple of int
        Lengths of the axes.
    axes : tuple of str
        Their names, as many as the shape has or more; else they are left out.

    Returns
    -------
    str
        Such as "(148, 64) = (volumes, regions)".
    """
    if not axes or len(axes) < len(shape):
        return str(tuple(shape))
    return f"{tuple(shape)} = ({', '.join(axes[: len(shape)])})"


def shape_problem(found, wanted, axes):
    """Say how two different shapes differ.

    Parameters
    ----------
    found, wanted : tuple of int
        The shapes.
    axes : tuple of str
        Names of the wanted axes; may be empty.

    Returns
    -------
    str
        One sentence.
    """
    if len(found) != len(wanted):
        return f"it has {len(found)} {'axis' if len(found) == 1 else 'axes'} instead of {len(wanted)}."
    if sorted(found) == sorted(wanted):
        return "its axes are in another order."
    names = axes if len(axes) >= len(wanted) else [f"axis {i}" for i in range(len(wanted))]
    pairs = [(name, f, w) for name, f, w in zip(names, found, wanted, strict=False) if f != w]
    return "; ".join(f"{name}: {f:,} instead of {w:,}" for name, f, w in pairs[:4]) + "."


def affine_problem(found, wanted, atol):
    """Say which part of an affine differs.

    Parameters
    ----------
    found, wanted : array, shape (4, 4)
        Voxel indices to mm.
    atol : float
        Tolerance of each entry.

    Returns
    -------
    str or None
        One sentence, or None if they agree.
    """
    if np.allclose(found, wanted, rtol=0, atol=atol):
        return None
    sizes, right_sizes = nib.affines.voxel_sizes(found), nib.affines.voxel_sizes(wanted)
    if not np.allclose(sizes, right_sizes, atol=atol):
        return f"its affine gives voxels of another size: {' x '.join(f'{size:.3g}' for size in sizes)} mm."
    if not np.allclose(found[:3, :3], wanted[:3, :3], rtol=0, atol=atol):
        return "its affine has other directions: an axis is flipped, swapped or turned."
    return f"its affine has another origin: {', '.join(f'{mm:.4g}' for mm in found[:3, 3])} mm."


def value_problem(found, wanted, axes, rtol, atol):
    """Say how the values of two arrays of one shape differ.

    Parameters
    ----------
    found, wanted : array
        Of the same shape.
    axes : tuple of str
        Names of the axes; may be empty.
    rtol, atol : float
        Tolerance of each value.

    Returns
    -------
    str or None
        One sentence, or None if they agree.
    """
    nan_found, nan_wanted = (np.isnan(a) if a.dtype.kind == "f" else np.zeros(a.shape, bool) for a in (found, wanted))
    if n_nan := int(np.count_nonzero(nan_found & ~nan_wanted)):
        return f"{n_nan:,} of its {found.size:,} values {'is' if n_nan == 1 else 'are'} NaN where a number belongs."
    if n_numbers := int(np.count_nonzero(nan_wanted & ~nan_found)):
        are = "is a number" if n_numbers == 1 else "are numbers"
        return f"{n_numbers:,} of its {found.size:,} values {are} where a value should be missing (NaN)."
    bad = ~np.isclose(found, wanted, rtol=rtol, atol=atol, equal_nan=True)
    n_bad = int(np.count_nonzero(bad))
    if n_bad == 0:
        return None
    if found.size <= FEW:
        return f"{some_not_right(n_bad, found.size)}."
    place = np.unravel_index(int(np.argmax(bad)), bad.shape)
    where = f"index {tuple(int(i) for i in place)}"
    if len(axes) >= len(place):
        where = ", ".join(f"{name} {int(i)}" for name, i in zip(axes, place, strict=False))
    largest = np.max(np.abs(found[bad].astype(float) - wanted[bad].astype(float)))
    count = "all" if n_bad == found.size else f"{n_bad:,} of"
    differ = "differs" if n_bad == 1 else "differ"
    return f"{count} its {found.size:,} values {differ}, by up to {largest:.3g}; the first at {where}."
