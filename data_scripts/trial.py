"""One person of each group on coarse grids, thrown away: whether changed parameters can be simulated at all."""

import warnings
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd

from data_scripts.images import Volume
from data_scripts.parameters import PROFILES

FEWEST_LEVELS = 16  # of an intensity; the course's own images have about 100


class TrialError(ValueError):
    """What came out cannot be right. The message says which file, and how."""


def try_parameters(people, profile, physics, seed, load_ingredients, simulate_person):
    """Simulate the first person of each group on the grids of the quick profile, and look at what comes out.

    Parameters
    ----------
    people : sequence of Person
    profile : Profile
        Its TR and its number of volumes are kept.
    physics : Physics
    seed : int
    load_ingredients, simulate_person : callable
        As in `generator.Generator`.

    Raises
    ------
    TrialError
        If a number is not finite, or an image is empty or overflows.
    ValueError, ArithmeticError, IndexError, numpy.linalg.LinAlgError
        From the simulation itself.
    """
    quick = PROFILES["quick"]
    coarse = {name: getattr(quick, name) for name in ("bold_shape", "bold_zooms", "bold_origin", "anat_step")}
    profile = replace(profile, **coarse)
    ingredients = load_ingredients(profile)
    firsts = [
        person for before, person in pairwise([None, *people]) if getattr(before, "diagnosis", "") != person.diagnosis
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # what they warn of is found in the contents
        for person in firsts:
            for path, content in simulate_person(person, profile, ingredients, seed, physics):
                fault = _find_fault(content)
                if fault:
                    raise TrialError(f"{path.name} {fault}")


def _find_fault(content):
    """Say what is wrong with the content of a file; None if nothing is."""
    if isinstance(content, Volume):
        data = content.data
        if data.dtype.kind == "f" and not np.isfinite(data).all():
            return "holds voxels that are not finite"
        if data.min() < 0:
            return "overflows: an intensity is too large for its slope"
        levels = len(np.unique(data[-1] if data.ndim == 4 else data))
        if levels < (FEWEST_LEVELS if data.dtype == np.int16 else 2):
            return f"holds only {levels} different values: its slope is too large"
        return None
    if isinstance(content, pd.DataFrame):
        numbers = content.select_dtypes("number").to_numpy(float)[1:]  # the first row of derivatives is n/a
        return None if np.isfinite(numbers).all() else "holds numbers that are not finite"
    if isinstance(content, dict):
        arrays = [value for value in content.values() if isinstance(value, np.ndarray) and value.dtype.kind == "f"]
        return None if all(np.isfinite(value).all() for value in arrays) else "holds numbers that are not finite"
    return None
