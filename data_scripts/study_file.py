"""A small file that describes another study: how many people, how long, how large the effect, how much motion.

Here it is read, and what each line says is checked by itself. Constants by name are the matter of `constant_rules`.
"""

import tomllib
from difflib import get_close_matches
from pathlib import Path

from data_scripts.parameters import PROFILES
from data_scripts.records import StudyError

EXAMPLE = """\
name = "large effect"      # goes into dataset_description.json
profile = "quick"          # grids to start from: course or quick
subjects = 40              # people, half in each group; or a list of labels
seed = 7
t_r = 0.8                  # seconds between two volumes
n_volumes = 300
voxel_size = [3, 3, 3]     # mm, of the BOLD images
effect = 1.5               # times the planted difference; "none" for no difference
motion = 2.0               # times as much motion

[physics.networks]         # any constant of data_scripts/parameters.py, by its group and name
local = 0.2
"""
COMMENTS = {
    "t_r": "seconds between two volumes",
    "n_volumes": "volumes in a run",
    "voxel_size": "mm",
    "anat_step": "mm between the voxels of T1w images",
    "seed": "the same seed gives the same study",
    "motion": "times as much motion as in the course's study",
}
LIMITS = {
    "t_r": (0.3, 6.0),
    "n_volumes": (30, 3000),
    "voxel_size": (2.0, 8.0),
    "anat_step": (1, 4),
    "seed": (0, 2**63),
    "motion": (0.0, 4.0),
}
PLANNED = ("name", "profile", "seed", "subjects", "t_r", "n_volumes", "voxel_size", "anat_step", "effect", "motion")
KNOWN = (*PLANNED, "physics")


def read_study_file(file):
    """Read a file that describes a study, and check what each line says by itself.

    Parameters
    ----------
    file : path-like

    Returns
    -------
    dict
        As in the file.

    Raises
    ------
    StudyError
        If it cannot be read, or holds an unknown name, a wrong type or an impossible value.
    """
    try:
        content = tomllib.loads(Path(file).read_bytes().decode("utf-8"))
    except OSError as error:
        raise StudyError(f"{file} cannot be read ({error.strerror}): --parameters takes a file.") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise StudyError(
            f'{file} is not a TOML file ({error}): write lines such as t_r = 2.0 or name = "large effect";'
            " `python -m data_scripts simulate --help` shows an example."
        ) from None
    for key, value in content.items():
        if key not in KNOWN:
            raise StudyError(f"{file}: there is no setting {key!r}{suggest(key, KNOWN)}")
        if key != "physics" and (fault := _find_fault(key, value)):
            found = f"{value!r}" if isinstance(value, str) else value
            raise StudyError(f"{file}: {key} is {found}; {fault}.")
    return content


def suggest(name, known):
    """End a sentence about a name that is unknown.

    Parameters
    ----------
    name : str
    known : sequence of str

    Returns
    -------
    str
        The name that is most like it; all of them if none is.
    """
    close = get_close_matches(name, known, n=1, cutoff=0.5)
    return f": did you mean {close[0]}?" if close else f". Known are {', '.join(known)}."


def _find_fault(key, value):
    """Say what a setting should be, if it is not; otherwise None."""
    if key == "name":
        fine = isinstance(value, str) and len(value.strip()) > 0 and len(value) <= 80 and value.isprintable()
        return None if fine else "it must be a text of one line, at most 80 characters"
    if key == "profile":
        return None if value in tuple(PROFILES) else f"it must be one of {', '.join(map(repr, PROFILES))}"
    if key == "subjects":
        if isinstance(value, list):
            fine = value and all(isinstance(label, str) for label in value)
            return None if fine else 'labels are a list of texts, such as ["19001", "59001"]'
        fine = _is_whole(value) and value >= 2 and value % 2 == 0
        return (
            None if fine else "it must be an even number of people, 2 or more, half in each group; or a list of labels"
        )
    if key == "effect":
        fine = value == "none" or _is_number(value)
        return None if fine else 'it must be a number, times the planted difference, or "none"'
    low, high = LIMITS[key]
    whole = isinstance(low, int)
    says = f"it must be a {'whole ' if whole else ''}number from {low:g} to {high:g} ({COMMENTS[key]})"
    if key == "voxel_size":
        says = f"it must be a number from {low:g} to {high:g}, or three of them, for x, y and z ({COMMENTS[key]})"
        values = value if isinstance(value, list) and len(value) == 3 else [value]
    else:
        values = [value]
    fine = all((_is_whole(item) if whole else _is_number(item)) and low <= item <= high for item in values)
    return None if fine else says


def _is_whole(value):
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value):
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")
