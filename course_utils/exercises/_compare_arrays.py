"""How arrays, images and tables are judged; see `_compare.py` for what a comparison is."""

import os
from dataclasses import dataclass

import nibabel as nib
import numpy as np
import pandas as pd

from course_utils.exercises._comparison import Comparison
from course_utils.exercises._describe import shorten
from course_utils.exercises._values import (
    affine_problem,
    as_array,
    shape_problem,
    some_missing,
    value_problem,
    with_axes,
    write_label,
)

IMAGE_AXES = ("x", "y", "z", "volumes")


@dataclass(frozen=True, kw_only=True)
class Array(Comparison):
    """Judge an array: its shape, where NaN are, its values. Lists and tables of numbers count as arrays.

    Attributes
    ----------
    axes : tuple of str
        What each axis is, such as ("volumes", "regions").
    rtol, atol : float
        Tolerance of each value.
    unit : str
        Unit of the values.
    between : tuple of float, optional
        Lowest and highest plausible value.
    values : {"numbers", "truth values", "whole numbers"}, optional
        What the values must be; without it, numbers and truth values compare as equals.
    """

    axes: tuple = ()
    rtol: float = 1e-6
    atol: float = 1e-9
    unit: str = ""
    between: tuple | None = None
    values: str = ""

    def _handles(self, value):
        return isinstance(value, np.ndarray | list | tuple) and as_array(value) is not None

    def _expects(self, expected):
        values = f" of {self.values}" if self.values else ""
        unit = f", in {self.unit}" if self.unit else ""
        size = ", values between {:,.9g} and {:,.9g}".format(*self.between) if self.between else ""
        return f"an array{values} of shape {with_axes(np.shape(expected), self.axes)}{unit}{size}"

    def _differs(self, answer, expected):
        if isinstance(answer, nib.spatialimages.SpatialImage):
            return "it is an image: the array is inside it."
        if not isinstance(answer, np.ndarray | list | tuple | pd.DataFrame | pd.Series):
            return "it is not an array."
        found, wanted = as_array(answer), as_array(expected)
        if found is None:
            return "it does not make an array of numbers: its rows differ in length, or something else is among them."
        if found.shape != wanted.shape:
            return shape_problem(found.shape, wanted.shape, self.axes)
        problem = self._kind_problem(found) or value_problem(found, wanted, self.axes, self.rtol, self.atol)
        if problem and self.between and found.dtype.kind in "iuf":
            low, high = self.between
            slack = 1e-6 * max(abs(low), abs(high))  # a correlation of a signal with itself may round to above 1
            if np.any((found < low - slack) | (found > high + slack)):
                problem += " Some values are outside the plausible range."
        return problem

    def _kind_problem(self, found):
        """Say that the values are not of the kind asked for, if so."""
        is_truth = found.dtype.kind == "b"
        if self.values == "truth values" and not is_truth:
            return "its values are numbers, not True and False."
        if self.values and self.values != "truth values" and is_truth:
            return "its values are True and False, not numbers."
        if self.values == "whole numbers" and found.dtype.kind == "f" and not np.array_equal(found, np.round(found)):
            return "not all of its values are whole numbers."
        return None


@dataclass(frozen=True, kw_only=True)
class Image(Comparison):
    """Judge a nibabel image: shape, affine, values; the type in which values are stored does not count.

    Attributes
    ----------
    rtol, atol : float
        Tolerance of each value.
    affine_atol : float
        Tolerance of the affine's entries, in mm.
    check_t_r : bool
        Whether a 4-D image must carry the right repetition time in its header.
    """

    rtol: float = 1e-5
    atol: float = 1e-6
    affine_atol: float = 1e-3
    check_t_r: bool = False

    def _handles(self, value):
        return isinstance(value, nib.spatialimages.SpatialImage)

    def _expects(self, expected):
        return f"an image of shape {with_axes(expected.shape, IMAGE_AXES)}, with its affine"

    def _differs(self, answer, expected):
        if isinstance(answer, os.PathLike) or (isinstance(answer, str) and str(answer).endswith((".nii", ".nii.gz"))):
            return "it is a path, not an image: load it first."
        if isinstance(answer, str):
            return "it is text, not an image. A formula goes into image.math_img."
        if isinstance(answer, np.ndarray):
            return "it is an array: it has lost the affine that makes an image of it."
        if not self.handles(answer):
            return "it is not an image."
        if answer.shape != expected.shape:
            return shape_problem(answer.shape, expected.shape, IMAGE_AXES)
        problem = affine_problem(answer.affine, expected.affine, self.affine_atol)
        if problem is None and self.check_t_r and len(expected.shape) > 3:
            found, wanted = (float(img.header.get_zooms()[3]) for img in (answer, expected))
            problem = (
                None
                if np.isclose(found, wanted, atol=1e-3)
                else (f"its header gives a repetition time of {found:g} s, which is not that of the run.")
            )
        if problem is not None:
            return problem
        # dataobj, not get_fdata: that would leave a second copy of the data inside the learner's image
        found, wanted = (np.asanyarray(img.dataobj) for img in (answer, expected))
        return value_problem(found, wanted, IMAGE_AXES, self.rtol, self.atol)


@dataclass(frozen=True, kw_only=True)
class Table(Comparison):
    """Judge a DataFrame, or one column (a Series): labels of columns and rows, then values.

    Attributes
    ----------
    rtol, atol : float
        Tolerance of each number.
    ordered : bool
        Whether the order of rows and of columns counts.
    index : bool
        Whether the labels of rows count.
    show_columns : bool
        Whether columns that are missing may be named. False where finding them is the task.
    """

    rtol: float = 1e-6
    atol: float = 1e-9
    ordered: bool = False
    index: bool = True
    show_columns: bool = True

    def _handles(self, value):
        return isinstance(value, pd.DataFrame | pd.Series)

    def _expects(self, expected):
        if isinstance(expected, pd.Series):
            return f"one column (Series) of {expected.shape[0]:,} values"
        names = ", ".join(shorten(str(name), 24) for name in expected.columns[:6])
        columns = f": {names}{', ...' if expected.shape[1] > 6 else ''}" if self.show_columns else ""
        return f"a table (DataFrame) of {expected.shape[0]:,} rows and {expected.shape[1]:,} columns{columns}"

    def _differs(self, answer, expected):
        if isinstance(expected, pd.Series):
            if isinstance(answer, pd.DataFrame):
                return "it is a whole table: choose one column of it."
            if not isinstance(answer, pd.Series):
                return "it is not a Series."
            return self._compare(answer.to_frame("values"), expected.to_frame("values"))
        if not isinstance(answer, pd.DataFrame):
            return "it is one column, not a table." if isinstance(answer, pd.Series) else "it is not a table."
        return self._compare(answer, expected)

    def _compare(self, found, wanted):
        """Compare two tables: labels, then values."""
        extra, missing = found.columns.difference(wanted.columns, sort=False), wanted.columns.difference(found.columns)
        if len(extra):
            return f"the column {write_label(extra[0])} does not belong in it."
        if len(missing):
            return f"{some_missing('column', list(missing), show=self.show_columns)}."
        if found.shape != wanted.shape:
            return shape_problem(found.shape, wanted.shape, ("rows", "columns"))
        if self.index:
            strangers = found.index.difference(wanted.index, sort=False)
            if len(strangers):
                which = f"such as {write_label(strangers[0])}"
                have = "has" if len(strangers) == 1 else "have"
                return f"{len(strangers)} of its rows {have} a label that does not belong, {which}."
            if not found.index.equals(wanted.index):
                if self.ordered or not (found.index.is_unique and wanted.index.is_unique):
                    return "the labels of its rows are in another order."
                found = found.loc[wanted.index]
        if not found.columns.equals(wanted.columns):
            if self.ordered or not found.columns.is_unique:
                return "its columns are in another order."
            found = found[wanted.columns]
        return self._column_problem(found, wanted)

    def _column_problem(self, found, wanted):
        """Compare two tables of the same labels, column by column."""
        for position, name in enumerate(wanted.columns):
            ours, theirs = wanted.iloc[:, position], found.iloc[:, position]
            is_number = pd.api.types.is_numeric_dtype(ours)
            if is_number != pd.api.types.is_numeric_dtype(theirs):
                holds = "text or objects" if is_number else "numbers"
                return f"the column {write_label(name)} holds {holds}, which is not what it should hold."
            if is_number:
                a, b = (column.to_numpy(dtype=float, na_value=np.nan) for column in (theirs, ours))
                n_bad = int(np.count_nonzero(~np.isclose(a, b, self.rtol, self.atol, equal_nan=True)))
            else:
                equal = (theirs.to_numpy(dtype=object) == ours.to_numpy(dtype=object)) | (
                    theirs.isna().to_numpy() & ours.isna().to_numpy()
                )
                n_bad = int(np.count_nonzero(~equal))
            if n_bad:
                differ = "differs" if n_bad == 1 else "differ"
                return f"{n_bad:,} of the {len(ours):,} values in the column {write_label(name)} {differ}."
        return None
