"""A confounds table on disk for exercises that hand one to nilearn's `load_confounds`."""

import functools
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd


@functools.cache
def write_small_run(fd, std_dvars, *, n_marked):
    """Write the confounds table of a run into a folder that lasts as long as this Python.

    Parameters
    ----------
    fd, std_dvars : tuple of float, one a volume
        Framewise displacement in mm, and standardised DVARS; NaN in the first row.
    n_marked : int
        How many volumes at the start are marked as not yet in a steady state.

    Returns
    -------
    str
        Path of the image beside the table. The file is empty: `load_confounds` looks at its name only.
    """
    folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
    _FOLDERS.append(folder)
    stem = Path(folder.name, "sub-01_task-rest_")
    motion = [f"{kind}_{axis}" for kind in ("trans", "rot") for axis in "xyz"]
    table = pd.DataFrame({name: 0.1 * np.arange(len(fd)) for name in motion})
    table = table.join(table.diff().add_suffix("_derivative1"))
    table = table.join((table**2).add_suffix("_power2"))
    table["framewise_displacement"], table["std_dvars"] = fd, std_dvars
    for number in range(n_marked):
        table[f"non_steady_state_outlier{number:02d}"] = np.eye(len(fd))[number]
    table.to_csv(f"{stem}desc-confounds_timeseries.tsv", sep="\t", na_rep="n/a", index=False)
    Path(f"{stem}desc-confounds_timeseries.json").write_text("{}", encoding="utf-8")
    image = Path(f"{stem}space-MNI152NLin2009cAsym_desc-preproc_bold.nii.gz")
    image.touch()
    return str(image)


_FOLDERS = []  # a folder vanishes with the object that made it
