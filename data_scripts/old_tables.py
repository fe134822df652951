"""Confounds tables of fMRIPrep from 2017, in today's columns.

The old columns were seen in code that reads them, in fMRIPrep's sources of 2017, and in its documentation of versions
1.0 and 1.1. A renamed column keeps its text, digit for digit. What later versions added to the six motion parameters
and the three mean signals (differences, squares) is computed from them in the same way.
"""

import json
import re

import numpy as np
import pandas as pd

RENAMED = {
    "X": "trans_x", "Y": "trans_y", "Z": "trans_z", "RotX": "rot_x", "RotY": "rot_y", "RotZ": "rot_z",
    "GlobalSignal": "global_signal", "CSF": "csf", "WhiteMatter": "white_matter",
    "FramewiseDisplacement": "framewise_displacement",
    "stdDVARS": "std_dvars", "non-stdDVARS": "dvars",
    "vx-wisestdDVARS": "vx_wise_std_dvars",  # today's tables have no such column
}  # fmt: skip
NUMBERED = (
    (re.compile(r"aCompCor(\d+)"), r"a_comp_cor_\1"),
    (re.compile(r"tCompCor(\d+)"), r"t_comp_cor_\1"),
    (re.compile(r"Cosine(\d+)"), r"cosine\1"),
    (re.compile(r"NonSteadyStateOutlier(\d+)"), r"non_steady_state_outlier\1"),
    (re.compile(r"AROMAAggrComp(\d+)"), r"aroma_motion_\1"),
)
EXPANDED = ("global_signal", "csf", "white_matter", *(f"{kind}_{axis}" for kind in ("trans", "rot") for axis in "xyz"))
TODAY = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


class TableError(ValueError):
    """A table that is not one of fMRIPrep's. One sentence."""


def rename_column(name):
    """Give a column today's name.

    Parameters
    ----------
    name : str

    Returns
    -------
    str or None
        None if it is neither an old name that is known nor in today's form.

    Examples
    --------
    >>> rename_column("RotX"), rename_column("aCompCor03")
    ('rot_x', 'a_comp_cor_03')
    """
    if name in RENAMED:
        return RENAMED[name]
    for old, new in NUMBERED:
        if found := old.fullmatch(name):
            return found.expand(new)
    return name if TODAY.fullmatch(name) else None


def split_table(text):
    """Split a tab-separated table into names and rows of text.

    Parameters
    ----------
    text : str

    Returns
    -------
    names : list of str
    rows : list of list of str
        As many cells in each as there are names.

    Raises
    ------
    TableError
        If it is not a whole table.
    """
    names, *rows = [line.split("\t") for line in text.splitlines()] or [[]]
    if len(names) < 2 or not rows or any(len(row) != len(names) for row in rows):
        raise TableError(f"is not a whole table: {len(rows)} rows below {len(names)} names.")
    return names, rows


def convert_table(text):
    """Turn a confounds table into today's.

    Parameters
    ----------
    text : str
        Tab-separated, one row a volume below the names.

    Returns
    -------
    text : str
        The same if it is one of today: all names, and beside each signal its differences and squares.
    changes : list of str
        One sentence for each thing that was changed.

    Raises
    ------
    TableError
        If it is not a table, or two columns would have one name.
    """
    names, rows = split_table(text)
    new = {name: rename_column(name) for name in names}
    kept = {new[name]: [row[i] or "n/a" for row in rows] for i, name in enumerate(names) if new[name]}
    if len(kept) < sum(name is not None for name in map(new.get, names)):
        raise TableError(f"has two columns that are one today: {', '.join(names)}.")
    added = _expand(kept)
    if not added and all(old == name for old, name in new.items()):
        return text, []
    changes = [f"column {old} is now {name}" for old, name in new.items() if name not in (old, None)]
    changes += [f"column {old} was left out: it is not known here" for old, name in new.items() if name is None]
    if added:
        changes.append(f"computed from the columns above: {', '.join(added)}")
    changes += [f"there is no {name}, and none was invented" for name in EXPANDED if name not in kept]
    columns = kept | added
    lines = [list(columns), *zip(*columns.values(), strict=True)]
    return "".join("\t".join(line) + "\n" for line in lines), changes


def _expand(columns):
    """Compute the differences and squares that later versions of fMRIPrep put beside a column; text in and out."""
    added = {}
    for name in EXPANDED:
        if name not in columns:
            continue
        try:
            values = np.array([np.nan if cell == "n/a" else float(cell) for cell in columns[name]])
        except ValueError as error:
            raise TableError(f"has something else than numbers in {name} ({error}).") from None
        difference = np.concatenate([[np.nan], np.diff(values)])
        new = {
            "derivative1": difference,
            "power2": values**2,
            "derivative1_power2": difference**2,
        }
        for end, numbers in new.items():
            if f"{name}_{end}" not in columns:
                added[f"{name}_{end}"] = ["n/a" if np.isnan(value) else repr(float(value)) for value in numbers]
    return added


def describe_columns(text):
    """Describe the columns of a converted table, as far as nilearn asks for it.

    fMRIPrep of 2017 wrote no such file. Its aCompCor components are those of one mask, white matter and CSF together:
    node `combine_rois` of `fmriprep/workflows/confounds.py` at commit 5b319ef of its repository, spring 2017.

    Parameters
    ----------
    text : str
        The table.

    Returns
    -------
    dict
        What the JSON file beside the table holds.
    """
    described = {}
    for name in text.partition("\n")[0].split("\t"):
        if name.startswith("a_comp_cor_"):
            described[name] = {"Method": "aCompCor", "Mask": "combined", "Retained": True}
        elif name.startswith("t_comp_cor_"):
            described[name] = {"Method": "tCompCor", "Retained": True}
        elif name in ("global_signal", "csf", "white_matter"):
            described[name] = {"Method": "Mean"}
    return described


def read_text(path):
    """Read a table as text.

    Parameters
    ----------
    path : Path

    Returns
    -------
    str

    Raises
    ------
    TableError
        If it is not text.
    """
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise TableError("is not text.") from None


def keep_people(text, people):
    """Keep some rows of a table of participants, as they are.

    Parameters
    ----------
    text : str
        `participants.tsv`, with the column participant_id.
    people : collection of str
        With "sub-".

    Returns
    -------
    text : str
    absent : list of str
        Those of whom the table knows nothing.

    Raises
    ------
    TableError
        If it has no such column.
    """
    head, *rows = text.splitlines()
    names = head.lstrip("\ufeff").split("\t")
    if "participant_id" not in names:
        raise TableError(f"has no column participant_id, but {', '.join(names[:6])}.")
    column = names.index("participant_id")
    kept = {row.split("\t")[column]: row for row in rows if row.strip()}
    lines = ["\t".join(names), *(kept[person] for person in sorted(people) if person in kept)]
    return "\n".join(lines) + "\n", sorted(set(people) - set(kept))


def list_changes(rows):
    """Write down what was changed, as a table.

    Parameters
    ----------
    rows : list of (str, str, str)
        Published name, today's name, what was done.

    Returns
    -------
    str
        Tab-separated.
    """
    return pd.DataFrame(rows, columns=["published", "today", "change"]).to_csv(sep="\t", index=False)


def read_repetition_time(*places):
    """Look up the repetition time in the first JSON file that has it.

    Parameters
    ----------
    *places : Path
        May be missing.

    Returns
    -------
    float or None
        Seconds.
    """
    for path in places:
        try:
            seconds = json.loads(path.read_text(encoding="utf-8"))["RepetitionTime"]
        except (OSError, ValueError, KeyError, TypeError):
            continue  # no such file, or nothing of this in it
        if isinstance(seconds, int | float) and 0 < seconds < 60:
            return float(seconds)
    return None
