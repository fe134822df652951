"""The confounds table of fMRIPrep: read it, choose columns, drop the dummy volumes, censor volumes with much motion."""

import csv
from pathlib import Path

import numpy as np
import pandas as pd
from nilearn import signal

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


def _count_rows(path):
    """Count the rows of a tab-separated file, below its names, and check that it is whole."""
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
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{path} has more than one column {', '.join(twice)}. Expected each name once.")
    if not text.endswith("\n"):
        raise ValueError(f"{path} ends inside a line: its last value may be cut short. Copy the file again.")
    return len(rows)


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
    n_rows = _count_rows(path)
    if n_volumes is not None and n_rows != n_volumes:
        raise ValueError(
            f"{path} has {n_rows} rows but the run has {n_volumes} volumes. "
            "Is it the table of this run, and is it whole?"
        )
    table = pd.read_csv(
        path, sep="\t", na_values=["n/a"], keep_default_na=False, quoting=csv.QUOTE_NONE, low_memory=False
    )
    for name in table.columns[[dtype.kind not in "iuf" for dtype in table.dtypes]]:
        cells = table[name].dropna()
        volume = pd.to_numeric(cells, errors="coerce").isna().idxmax()
        raise ValueError(
            f"{path} has {cells[volume]!r} in column {name}, volume {volume}. Expected a number or n/a: "
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


def _check_sample_mask(sample_mask, n_volumes, n_confounds):
    """Read the volumes kept as whole numbers; complain unless they are some of 0 to n_volumes - 1, ascending."""
    kept = np.asarray(sample_mask)
    if kept.dtype == bool:
        raise ValueError(
            "sample_mask holds True and False. Expected the indices of the volumes kept: np.flatnonzero(sample_mask)."
        )
    if kept.ndim != 1 or kept.dtype.kind not in "iu" or not len(kept):
        raise ValueError(
            f"sample_mask has the shape {kept.shape} and the type {kept.dtype}. Expected a list of whole numbers, the "
            "indices of the volumes kept."
        )
    if kept[0] < 0 or kept[-1] >= n_volumes or (np.diff(kept) < 1).any():
        raise ValueError(
            f"sample_mask goes from {kept.min()} to {kept.max()}, for {n_volumes} volumes. Expected ascending indices "
            f"from 0 to {n_volumes - 1}, each once. Do they count from the volume that signals begin with?"
        )
    if len(kept) < n_confounds + 2:
        raise ValueError(
            f"{len(kept)} volumes are kept, for {n_confounds} confounds: nothing would be left of the signals. "
            "Expected more volumes than confounds, or leave this run out."
        )
    return kept.astype(np.intp)


def clean_censored(signals, *, sample_mask, t_r, confounds=None, low_pass=None, high_pass=None):
    """Clean signals so that the volumes left out have no influence on those that are kept.

    A filter spreads each volume over its neighbours, so volumes cannot be cut out before it, nor after it alone. The
    order is that of Lindquist et al. 2019, doi 10.1002/hbm.24528: fill each gap by a straight line between the volumes
    kept on its two sides; detrend and filter signals and confounds alike (`nilearn.signal.clean`); drop the censored
    volumes from both; regress the confounds out of what is left. What is left out at either end of the run is cut off
    first: there is nothing to draw a line to.

    Parameters
    ----------
    signals : DataFrame or ndarray, shape (n_volumes, n_signals)
        One column a voxel or region, at every volume, the censored ones too. A column of NaN stays NaN.
    sample_mask : sequence of int
        Indices of the volumes kept, ascending, counted from the first row of `signals`.
    t_r : float
        Repetition time in seconds.
    confounds : DataFrame or ndarray, shape (n_volumes, n_confounds), optional
        What to regress out, at every volume too.
    low_pass, high_pass : float, optional
        Edges of the frequency band that is kept, in Hz.

    Returns
    -------
    cleaned : DataFrame or ndarray, shape (n_kept, n_signals)
        In the unit of `signals`, each column of mean 0. A DataFrame keeps its columns and the labels of its rows kept.

    Raises
    ------
    ValueError
        If `signals` is not two-dimensional, `confounds` has other rows, or `sample_mask` does not name some of them, in
        order and more than there are confounds.

    Examples
    --------
    >>> signals = np.array([[1.0], [2], [3], [999], [5], [7], [6], [5]])
    >>> clean_censored(signals, sample_mask=[0, 1, 2, 4, 5, 6, 7], t_r=2.0).shape
    (7, 1)
    """
    values = np.asarray(signals, dtype=float)
    if values.ndim != 2:
        raise ValueError(f"signals has the shape {values.shape}. Expected two axes: volumes and signals.")
    regressors = np.empty((len(values), 0)) if confounds is None else np.asarray(confounds, dtype=float)
    if regressors.ndim != 2 or len(regressors) != len(values):
        raise ValueError(
            f"confounds has the shape {regressors.shape} but signals has {len(values)} volumes. Expected a row for "
            "each: censored volumes are dropped from both here, not before."
        )
    kept = _check_sample_mask(sample_mask, len(values), regressors.shape[1])
    between = np.arange(kept[0], kept[-1] + 1)
    together = np.column_stack([values, regressors])[kept]
    filled = np.column_stack([np.interp(between, kept, column) for column in together.T])
    filtered = signal.clean(
        filled, t_r=t_r, low_pass=low_pass, high_pass=high_pass, detrend=True, standardize=None, butterworth__copy=True
    )[kept - kept[0]]
    cleaned, regressors = np.split(filtered, [values.shape[1]], axis=1)
    if regressors.shape[1]:
        cleaned = signal.clean(cleaned, confounds=regressors, t_r=t_r, detrend=False, standardize=None)
    cleaned = cleaned - cleaned.mean(axis=0)
    if isinstance(signals, pd.DataFrame):
        return pd.DataFrame(cleaned, signals.index[kept], signals.columns)
    return cleaned
