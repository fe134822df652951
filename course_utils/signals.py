"""From a 4-D image and an atlas to one cleaned, named time series per region."""

import warnings
import zlib

import numpy as np
import pandas as pd
from nibabel.arrayproxy import ArrayProxy
from nilearn import signal
from nilearn.image import load_img

from course_utils.atlases import require_same_grid

PIECE = 1 << 16  # bytes unpacked at once


class LostRegionsWarning(UserWarning):
    """Regions of the atlas have no data in this run.

    Parameters
    ----------
    regions : sequence of str
        Their names; kept as the list `regions`.
    """

    def __init__(self, regions):
        self.regions = list(regions)
        super().__init__(
            f"{len(self.regions)} regions have no data in this run: {', '.join(self.regions)}. "
            "Their columns are NaN. Look at where they lie: outside of the mask or of the field of view, "
            "or too small for the grid."
        )


def _check_images(bold_img, labels_img, mask_img):
    """Raise ValueError unless bold_img is 4-D and the labels and the mask lie on its grid."""
    if len(bold_img.shape) != 4:
        raise ValueError(
            f"bold_img has {len(bold_img.shape)} dimensions, shape {bold_img.shape}. "
            "Expected 4: a run has volumes along its last axis."
        )
    require_same_grid(labels_img, bold_img)
    same_affine = mask_img is None or np.allclose(mask_img.affine, bold_img.affine, atol=1e-3)
    if mask_img is not None and not (mask_img.shape == bold_img.shape[:3] and same_affine):
        raise ValueError(
            f"mask_img has the grid {mask_img.shape}, bold_img has {bold_img.shape[:3]}, or their affines differ. "
            "Expected one grid: take the mask that belongs to this run."
        )


def _check_confounds(confounds, n_volumes, n_dummy):
    """Raise ValueError unless confounds has one row without NaN for each volume kept."""
    n_rows, n_kept = len(confounds), n_volumes - n_dummy
    if n_rows != n_kept:
        raise ValueError(
            f"confounds has {n_rows} rows, but {n_kept} volumes are kept of {n_volumes} (n_dummy={n_dummy}). "
            f"Were the first {n_dummy or 'few'} volumes dropped from only one of them? "
            "select_confounds(table, n_dummy=...) drops them from the table."
        )
    if np.isnan(np.asarray(confounds, dtype=float)).any():
        raise ValueError(
            "confounds has NaN. Expected numbers only: select_confounds deals with the n/a of the first row."
        )


def _label_voxels(labels_img, mask_img, names):
    """Read the labels as integers, 0 outside of the mask, and check that the table names all of them."""
    values = np.asanyarray(labels_img.dataobj)
    labels = values.astype(np.int32)
    if not np.array_equal(values, labels):
        raise ValueError(
            "The labels are not whole numbers. Were they resampled with another interpolation than nearest?"
        )
    unnamed = sorted(set(np.unique(labels).tolist()) - set(names.index) - {0})
    if unnamed:
        raise ValueError(
            f"The label image has the values {unnamed[:5]} that the atlas's table does not name. "
            "Do image and table belong together?"
        )
    if mask_img is not None:
        labels[np.asarray(mask_img.dataobj) == 0] = 0
    if not labels.any():
        raise ValueError("No voxel of any region is left. Do the atlas and the mask lie on the same part of the grid?")
    return labels


def _read_volumes(bold_img):
    """Go through a run, one volume after the other, as the numbers on disk in their order there.

    A file is read into one small buffer: memory for a whole run would have to be cleared for each person. It is read in
    pieces, because gzip copies what it is asked for, and Dask has its workers give large copies back at once.
    """
    stored = bold_img.dataobj
    if not isinstance(stored, ArrayProxy):
        for index in range(stored.shape[3]):
            yield np.asanyarray(stored[..., index]).ravel(order="F")
        return
    volume = np.empty(np.prod(stored.shape[:3]), stored.dtype)
    content = memoryview(volume).cast("B")
    pieces = [content[start : start + PIECE] for start in range(0, len(content), PIECE)]
    try:
        with bold_img.file_map["image"].get_prepare_fileobj("rb") as file:
            file.seek(stored.offset)
            for index in range(stored.shape[3]):
                if sum(map(file.readinto, pieces)) < volume.nbytes:
                    raise EOFError(f"it ends in volume {index} of {stored.shape[3]}")
                yield volume
            file.read(1)  # only at its end does a compressed file say that a byte has changed
    except (EOFError, OSError, zlib.error) as error:
        raise ValueError(
            f"{bold_img.get_filename()} cannot be read to its end ({error}). The file is damaged: copy it again."
        ) from error


def _average_labels(bold_img, labels, n_dummy):
    """Average each label over its voxels; returns (n_volumes - n_dummy, n_found) and the labels found.

    Straight from the numbers on disk, the voxels of a region side by side: a run in floats would take most of the time.
    """
    labels = labels.ravel(order="F")  # the order on disk
    inside = np.flatnonzero(labels)
    inside = inside[np.argsort(labels[inside], kind="stable")]
    found, starts, counts = np.unique(labels[inside], return_index=True, return_counts=True)
    stored, sums = bold_img.dataobj, []
    values = np.empty(len(inside))
    for volume in _read_volumes(bold_img):
        values[:] = volume[inside]  # into the same memory each time, for the same reason
        sums.append(np.add.reduceat(values, starts))
    slope, inter = (stored.slope, stored.inter) if isinstance(stored, ArrayProxy) else (1, 0)
    return np.array(sums[n_dummy:]) / counts * slope + inter, found


def average_regions(bold_img, atlas, *, n_dummy, mask_img=None):
    """Average the signal over each region of an atlas; nothing is cleaned.

    The averages are those of nilearn's `NiftiLabelsMasker`, taken from the numbers on disk without a copy of the run in
    floats.

    Parameters
    ----------
    bold_img : str, Path or 4-D image, shape (x, y, z, n_volumes)
        Preprocessed run.
    atlas : Bunch
        `maps` (label image or its path, on the grid of the run) and `lut` (DataFrame with the columns "index" and
        "name", background 0 may be in it or not), as from `course_utils.atlases` or nilearn.
    n_dummy : int
        Volumes to drop from the start of the run.
    mask_img : str, Path or 3-D image, optional
        Brain mask on the grid of the run. Voxels outside are left out of the averages.

    Returns
    -------
    averages : DataFrame, shape (n_volumes - n_dummy, n_regions)
        Image intensity; one named column per region of the atlas, in the order of its table; the index is the number
        of the volume in the run. A region without a voxel, or without a signal that changes, is a column of NaN.

    Raises
    ------
    ValueError
        If the run is not 4-D, cannot be read or is constant; if grids differ; or if labels are not whole numbers or not
        in the table.
    """
    bold_img, labels_img = load_img(bold_img), load_img(atlas.maps)
    mask_img = None if mask_img is None else load_img(mask_img)
    _check_images(bold_img, labels_img, mask_img)
    n_volumes = bold_img.shape[3]
    if not 0 <= n_dummy < n_volumes:
        raise ValueError(f"n_dummy is {n_dummy} but bold_img has {n_volumes} volumes. Expected 0 to {n_volumes - 1}.")
    names = atlas.lut[atlas.lut["index"] != 0].set_index("index")["name"]
    labels = _label_voxels(labels_img, mask_img, names)
    averages, found = _average_labels(bold_img, labels, n_dummy)
    alive = np.ptp(averages, axis=0) > 0
    if not alive.any():
        raise ValueError("No region has a signal that changes over time. Is bold_img a run, and is it not empty?")
    volumes = pd.RangeIndex(n_dummy, n_volumes, name="volume")
    # not every label has a column
    found = pd.DataFrame(averages[:, alive], index=volumes, columns=names[found].to_numpy()[alive])
    return found.reindex(columns=pd.Index(names, name="region"))


def extract_time_series(bold_img, atlas, *, t_r, n_dummy, confounds=None, mask_img=None, low_pass=None, high_pass=None):
    """Average the signal over each region of an atlas, then clean the averages.

    The order matters: averaged first, each voxel counts with its own amplitude, and cleaning a few averages is much
    cheaper than cleaning every voxel. Averaging is `average_regions`, cleaning is `nilearn.signal.clean`: detrend,
    filter signals and confounds alike (Butterworth), regress the confounds out, standardise.

    Parameters
    ----------
    bold_img : str, Path or 4-D image, shape (x, y, z, n_volumes)
        Preprocessed run.
    atlas : Bunch
        `maps` (label image or its path, on the grid of the run) and `lut` (DataFrame with the columns "index" and
        "name", background 0 may be in it or not), as from `course_utils.atlases` or nilearn.
    t_r : float
        Repetition time in seconds.
    n_dummy : int
        Volumes to drop from the start of the run.
    confounds : DataFrame, shape (n_volumes - n_dummy, n_confounds), optional
        What to regress out, from `course_utils.confounds.select_confounds`.
    mask_img : str, Path or 3-D image, optional
        Brain mask on the grid of the run. Voxels outside are left out of the averages.
    low_pass, high_pass : float, optional
        Edges of the frequency band that is kept, in Hz.

    Returns
    -------
    time_series : DataFrame, shape (n_volumes - n_dummy, n_regions)
        Mean 0 and standard deviation 1; one named column per region of the atlas, in the order of its table;
        the index is the time since the start of the run in seconds. A region without data is a column of NaN.

    Raises
    ------
    ValueError
        If the run is not 4-D, cannot be read or is constant; if grids differ; if labels are not whole numbers or not
        in the table; or if the confounds do not fit the volumes kept.

    Warns
    -----
    LostRegionsWarning
        If a region has no voxel, or no signal that changes. The warning's `regions` are their names.
    """
    bold_img = load_img(bold_img)
    if confounds is not None and len(bold_img.shape) == 4:
        _check_confounds(confounds, bold_img.shape[3], n_dummy)
    averages = average_regions(bold_img, atlas, n_dummy=n_dummy, mask_img=mask_img)
    alive = averages.notna().all()
    cleaned = signal.clean(
        averages.loc[:, alive].to_numpy(), confounds=confounds, t_r=t_r, low_pass=low_pass, high_pass=high_pass,
        detrend=True, standardize="zscore_sample",
    )  # fmt: skip

    seconds = pd.Index(averages.index * t_r, name="time (s)")
    time_series = pd.DataFrame(cleaned, index=seconds, columns=averages.columns[alive])
    time_series = time_series.reindex(columns=averages.columns)
    lost = averages.columns[~alive]
    if len(lost):
        warnings.warn(LostRegionsWarning(lost), stacklevel=2)
    return time_series
