"""The confounds table of fMRIPrep: read it, choose columns, drop the dummy volumes."""

from pathlib import Path

import numpy as np
import pandas as pd

# six motion parameters (mm and radians) and three mean signals, each with its difference from one volume to
# the next: the regressors of Yeo et al. 2011, doi 10.1152/jn.00338.2011
MOTION_PARAMETERS = tuple(f"{kind}_{axis}" for kind in ("trans", "rot") for axis in "xyz")
NINE_REGRESSORS = (*MOTION_PARAMETERS, "global_signal", "csf", "white_matter")
EIGHTEEN_REGRESSORS = NINE_REGRESSORS + tuple(f"{name}_derivative1" for name in NINE_REGRESSORS)

# what fMRIPrep called them before version 1.2
OLD_NAMES = {
    **dict(zip(MOTION_PARAMETERS, ("X", "Y", "Z", "RotX", "RotY", "RotZ"), strict=True)),
    "global_signal": "GlobalSignal", "csf": "CSF", "white_matter": "WhiteMatter",
    "framewise_displacement": "FramewiseDisplacement",
}  # fmt: skip
DUMMY_PREFIX = "non_steady_state_outlier"


def _read_cells(path):
    """Split a tab-separated file into its names and rows of text, and check that it is whole."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not a text file. Expected the table *_desc-confounds_timeseries.tsv.") from None
    names, *rows = [line.split("\t") for line in text.splitlines()] or [[]]
    if not rows or len(names) < 2:
        raise ValueError(
            f"{path} is not a table: found {len(rows)} rows below {len(names)} names separated by tabs. "
            "Expected a confounds table of fMRIPrep, one row a volume."
        )
    for number, row in enumerate(rows):
        if len(row) != len(names):
            raise ValueError(
                f"{path} has {len(row)} values in the row of volume {number} but {len(names)} names. "
                "The file seems to be cut short or edited: copy it again."
            )
    if not text.endswith("\n"):
        raise ValueError(f"{path} ends inside a line: its last value may be cut short. Copy the file again.")
    return names, rows


def read_confounds(path, n_volumes=None):
    """Read the confounds table of one run.

    Parameters
    ----------
    path : str or Path
        The file `*_desc-confounds_timeseries.tsv`.
    n_volumes : int, optional
        How many volumes the run has. If given, the table must have as many rows.

    Returns
    -------
    DataFrame, shape (n_volumes, n_columns)
        One row a volume, numbers only. "n/a" becomes NaN.

    Raises
    ------
    ValueError
        If the file is not a table of numbers, is cut short, or has another number of rows than `n_volumes`.
    """
    path = Path(path)
    names, rows = _read_cells(path)
    if n_volumes is not None and len(rows) != n_volumes:
        raise ValueError(
            f"{path} has {len(rows)} rows but the run has {n_volumes} volumes. "
            "Is it the table of this run, and is it whole?"
        )
    cells = pd.DataFrame(rows, columns=names).replace("n/a", np.nan)
    table = cells.apply(pd.to_numeric, errors="coerce")
    unreadable = cells.where(table.isna()).stack().dropna()
    if len(unreadable):
        volume, name = unreadable.index[0]
        raise ValueError(
            f"{path} has {unreadable.iloc[0]!r} in column {name}, volume {volume}. Expected a number or n/a: "
            "is this a confounds table?"
        )
    return table


def count_dummy_volumes(table):
    """Count the volumes at the start of a run that fMRIPrep marked as not yet in a steady state.

    Parameters
    ----------
    table : DataFrame, shape (n_volumes, n_columns)
        From `read_confounds`. Each column `non_steady_state_outlierXX` has a 1 at one volume.

    Returns
    -------
    int
        Number of volumes to drop from the start of image and table; 0 if no column marks any.

    Raises
    ------
    ValueError
        If the marked volumes are not the first ones of the run.
    """
    columns = [name for name in table.columns if name.startswith(DUMMY_PREFIX)]
    marked = np.flatnonzero((table[columns] != 0).any(axis=1))
    if not np.array_equal(marked, np.arange(len(marked))):
        raise ValueError(
            f"The columns {DUMMY_PREFIX}* mark the volumes {marked.tolist()}. Expected the first volumes of the run, "
            "without a gap: look at the global signal and choose n_dummy by hand."
        )
    return len(marked)


def select_confounds(table, columns=EIGHTEEN_REGRESSORS, *, n_dummy):
    """Choose the columns to regress out, without the dummy volumes.

    The first row of a derivative is n/a, because nothing comes before the first volume. It takes the value of the
    second row, as in nilearn's `load_confounds`; with `n_dummy` of 1 or more that row is dropped and the choice
    does not matter.

    Parameters
    ----------
    table : DataFrame, shape (n_volumes, n_columns)
        From `read_confounds`.
    columns : sequence of str
        Names of the columns, by default the 18 of Yeo et al. 2011.
    n_dummy : int
        Volumes to drop from the start. Drop the same ones from the image.

    Returns
    -------
    confounds : DataFrame, shape (n_volumes - n_dummy, n_confounds)
        Without NaN; the index is the number of the volume in the run.

    Raises
    ------
    ValueError
        If columns are missing, if `n_dummy` leaves no volume, or if there is a NaN below the first row.
    """
    columns = list(columns)
    missing = [name for name in columns if name not in table.columns]
    if missing:
        found = ", ".join(map(str, table.columns[:8])) + (", ..." if table.shape[1] > 8 else "")
        old = [name for name in missing if OLD_NAMES.get(name) in table.columns]
        hint = (
            f"fMRIPrep before 1.2 wrote this table: there, {old[0]} was {OLD_NAMES[old[0]]}. Rename its columns."
            if old
            else "Is this the table *_desc-confounds_timeseries.tsv of fMRIPrep 20.2 or newer?"
        )
        raise ValueError(
            f"{len(missing)} of {len(columns)} columns are missing: {', '.join(missing)}. Found {found}. {hint}"
        )
    if not 0 <= n_dummy < len(table):
        raise ValueError(f"n_dummy is {n_dummy} but the table has {len(table)} rows. Expected 0 to {len(table) - 1}.")
    chosen = table[columns].copy()
    if len(chosen) > 1:
        chosen.iloc[0] = chosen.iloc[0].fillna(chosen.iloc[1])
    confounds = chosen.iloc[n_dummy:]
    holes = [name for name in columns if confounds[name].isna().any()]
    if holes:
        volume = confounds.index[confounds[holes[0]].isna()][0]
        raise ValueError(
            f"{', '.join(holes)} have no value at volume {volume}. Expected n/a in the first row only: "
            "choose other columns or repair the table."
        )
    return confounds
