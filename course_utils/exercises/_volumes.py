"""How a list of volumes that are kept is judged, and a table of confounds that is lined up with an image."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from course_utils.exercises._compare import Array
from course_utils.exercises._values import as_array


def _is_pair(value):
    """Tell whether something is what `load_confounds` returns: a table, and the volumes kept."""
    return isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], pd.DataFrame)


@dataclass(frozen=True, kw_only=True)
class Volumes(Array):
    """Judge a list of volumes. An Index counts as one; any pair that `load_confounds` returned is one known mistake."""

    def _handles(self, value):
        return _is_pair(value) or super()._handles(value)

    def _differs(self, answer, expected):
        if _is_pair(expected):
            return None if _is_pair(answer) else "it is not what load_confounds returns."
        return super()._differs(answer.to_numpy() if isinstance(answer, pd.Index) else answer, expected)


@dataclass(frozen=True, kw_only=True)
class Columns(Array):
    """Judge a table of numbers in which the order of columns counts, and say so if nothing but that order differs."""

    def _differs(self, answer, expected):
        problem = super()._differs(answer, expected)
        if problem and isinstance(answer, np.ndarray | pd.DataFrame | list):
            found = as_array(answer)
            if (
                found is not None
                and found.shape == np.shape(expected)
                and np.allclose(np.sort(found, axis=-1), np.sort(expected, axis=-1), self.rtol, self.atol)
            ):
                return "the values are right, but the columns are in another order than asked for."
        return problem
