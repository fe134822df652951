"""What the confounds tables of 2017 lacked, computed from the run beside them.

The derivatives of ds000030 are of 2017 (doi 10.12688/f1000research.11964.2); public code that reads them says that they
were made with fMRIPrep 0.4.4, of May. fMRIPrep's list of changes says what tables did not have yet: the mean of the CSF
came with 1.0.0-rc9 in November, columns for volumes outside of the steady state with 0.6.0, the slow cosines with 0.5.3
or later. Its `workflows/confounds.py` of that spring (commit 5b319ef) takes mean and trend out of the signals of white
matter and brain, `SignalExtraction(detrend=True)`; today's tables keep them.
"""

import numpy as np
from nilearn.image import resample_to_img

from data_scripts.confounds import HIGH_PASS_PERIOD, cosine_basis, count_non_steady_state, tissue_masks
from data_scripts.old_tables import RENAMED, TableError, rename_column, split_table

MEANS = {"global_signal": "brain", "csf": "csf", "white_matter": "white"}
N_FIRST = 50  # volumes among which those outside of the steady state are looked for, as in fMRIPrep


def complete_table(text, run, brain_img, maps, t_r):
    """Add to a table of 2017 the columns that later ones have; one of today stays as it is.

    Parameters
    ----------
    text : str
        As published.
    run, brain_img : Nifti1Image
        Preprocessed run and its brain mask, on one grid.
    maps : dict of Nifti1Image
        Probability of "white" and "csf", on any grid of the same space.
    t_r : float
        In seconds.

    Returns
    -------
    text : str
        New columns have today's names and stand at the end.
    changes : list of str
        One sentence for each kind of column that was computed.

    Raises
    ------
    TableError
        If it is not a whole table, or has another number of rows than the run has volumes.
    """
    names, rows = split_table(text)
    if not set(names) & set(RENAMED):
        return text, []
    if len(rows) != run.shape[3]:
        raise TableError(f"has {len(rows)} rows, for {run.shape[3]} volumes.")
    today = [rename_column(name) or name for name in names]
    columns = dict(zip(names, zip(*rows, strict=True), strict=True))
    values = run.get_fdata(dtype=np.float32, caching="unchanged")
    added, changes = _mean_signals(dict(zip(today, columns.values(), strict=True)), values, brain_img, maps)
    n_skip = sum(name.startswith("non_steady_state_outlier") for name in today)
    if not n_skip:
        n_skip = count_non_steady_state(values[..., :N_FIRST].mean(axis=(0, 1, 2), dtype=float))
        added |= {f"non_steady_state_outlier{i:02}": np.eye(len(rows))[i] for i in range(n_skip)}
        changes.append(f"computed from the run: {n_skip} volumes at its start are outside of the steady state")
    if not any(name.startswith("cosine") for name in today):
        cosines = cosine_basis(len(rows) - n_skip, t_r)
        padded = np.vstack([np.zeros((n_skip, cosines.shape[1])), cosines])
        added |= {f"cosine{i:02}": column for i, column in enumerate(padded.T)}
        changes.append(f"computed: {len(padded.T)} cosines, those slower than {HIGH_PASS_PERIOD:g} s")
    kept = {name: cells for name, cells in columns.items() if rename_column(name) not in added}
    kept |= {name: [f"{value:.9g}" for value in numbers] for name, numbers in added.items()}
    return "".join("\t".join(line) + "\n" for line in [list(kept), *zip(*kept.values(), strict=True)]), changes


def _mean_signals(columns, values, brain_img, maps):
    """Compute the mean signals that lack, and those from which the mean itself was taken out."""
    absent = [name for name in MEANS if name not in columns]
    centred = [name for name in MEANS if name in columns and _is_centred(columns[name])]
    brain = np.asarray(brain_img.dataobj) > 0
    if not (absent or centred):
        return {}, []
    if brain.shape != values.shape[:3]:
        found = f"the mask has the grid {brain.shape}, the run {values.shape[:3]}"
        return {}, [f"{name} could not be computed: {found}" for name in (*absent, *centred)]
    tissues = {
        name: resample_to_img(img, brain_img, force_resample=True, copy_header=True).get_fdata(dtype=np.float32)
        for name, img in maps.items()
    }
    masks = {"brain": brain} | (tissue_masks(tissues, brain) if len(tissues) == 2 else {})
    usable = [name for name, where in MEANS.items() if where in masks and masks[where].any()]
    added = {
        name: values[masks[MEANS[name]]].mean(axis=0, dtype=float) for name in usable if name in {*absent, *centred}
    }
    changes = [f"computed from the run: {name}; none was published" for name in absent if name in added]
    changes += [
        f"computed anew from the run: {name}; the published one lacks its mean and trend"
        for name in centred
        if name in added
    ]
    wanting = [name for name in (*absent, *centred) if name not in added]
    changes += [f"{name} could not be computed: no map says where its voxels are" for name in wanting]
    return added, changes


def _is_centred(cells):
    """Whether a column's mean is small beside its spread, which the mean of a brain never is."""
    try:
        numbers = np.array([float(cell) for cell in cells if cell not in ("n/a", "")])
    except ValueError as error:
        raise TableError(f"has something else than numbers in a mean signal ({error}).") from None
    return len(numbers) > 0 and abs(numbers.mean()) <= numbers.std()
