"""Runs of a few people, some kilobytes each, whose correlations after cleaning are known."""

import functools
import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from course_utils.confounds import NINE_REGRESSORS
from course_utils.layout import Run

N_VOLUMES, T_R = 2000, 2.0  # so long that what a filter does at the ends does not matter
SLOW = 120  # cycles in a run: 0.03 Hz, in the middle of the band
FAST = 750  # 0.19 Hz, above the band
REGIONS = ("front", "back", "elsewhere")


def _wave(cycles, shift=0.0):
    return np.cos(2 * np.pi * (cycles * np.arange(N_VOLUMES) / N_VOLUMES + shift))


@functools.cache
def write_small_group(correlations, *, dummies):
    """Write one run for each correlation, into a folder that lasts as long as this Python.

    The regions "front" and "back" hear one slow wave, shifted so that they correlate as asked for. What else they hear
    is above the band, or is one of 18 confounds; and the first volumes are brighter.

    Parameters
    ----------
    correlations : tuple of float
        Of the two regions, after cleaning, one a person.
    dummies : tuple of int
        How many volumes at the start are marked as not yet in a steady state, one number a person.

    Returns
    -------
    dict
        `runs` (list of Run), `atlas` (Bunch) and `regions` (list of str): "front" and "back".
    """
    folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
    _FOLDERS.append(folder)
    runs = []
    for number, (r, n_dummy) in enumerate(zip(correlations, dummies, strict=True), start=1):
        waves = {name: _wave(150 + 15 * i, 0.1 * number) for i, name in enumerate(NINE_REGRESSORS)}
        table = pd.DataFrame(waves)
        table = table.join(table.diff().add_suffix("_derivative1"))
        table["framewise_displacement"] = table["trans_x_derivative1"].abs()
        shared = table["csf"].to_numpy()
        series = np.stack(
            [
                _wave(SLOW) + (0.2 + 0.1 * number) * shared + 0.4 * _wave(FAST),
                _wave(SLOW, np.arccos(r) / (2 * np.pi)) + 0.5 * shared + 0.3 * _wave(FAST, 0.1),
                _wave(SLOW, 0.2) + 0.5 * shared,
            ]
        )
        series[:, :n_dummy] += 20  # brighter
        for volume in range(n_dummy):
            table[f"non_steady_state_outlier{volume:02d}"] = np.eye(N_VOLUMES, dtype=int)[volume]
        files = {kind: Path(folder.name, f"sub-0{number}_{kind}") for kind in ("bold.nii", "mask.nii", "confounds.tsv")}
        nib.save(nib.Nifti1Image((100 + series).reshape(3, 1, 1, -1).astype(np.float32), np.eye(4)), files["bold.nii"])
        nib.save(nib.Nifti1Image(np.ones((3, 1, 1), np.uint8), np.eye(4)), files["mask.nii"])
        table.to_csv(files["confounds.tsv"], sep="\t", na_rep="n/a", index=False)
        runs.append(Run(f"0{number}", "small", *files.values(), T_R))
    labels_img = nib.Nifti1Image(np.array([1, 2, 3], np.int16).reshape(3, 1, 1), np.eye(4))
    lut = pd.DataFrame({"index": [1, 2, 3], "name": REGIONS})
    return {"runs": runs, "atlas": Bunch(maps=labels_img, lut=lut), "regions": list(REGIONS[:2])}


_FOLDERS = []  # a folder vanishes with the object that made it
