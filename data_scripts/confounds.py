"""The confounds table, computed from the images as fMRIPrep does, never from the causes.

Definitions: https://fmriprep.org/en/stable/outputs.html#confounds, and those of nipype's `algorithms.confounds`, which
fMRIPrep calls.
"""

import numpy as np
import pandas as pd
from scipy import ndimage

from data_scripts.motion import framewise_displacement, rigid_matrices

MOTION_COLUMNS = tuple(f"{kind}_{axis}" for kind in ("trans", "rot") for axis in "xyz")
SIGNAL_COLUMNS = ("global_signal", "csf", "white_matter")
HIGH_PASS_PERIOD = 128.0  # s, of the cosines
BRAIN_RADIUS = 80.0  # mm, of rmsd: Jenkinson et al. 2002, NeuroImage 17:825
VARIANCE_KEPT = 0.5  # CompCor components are kept until they explain half of the variance
TEMPORAL_SHARE = 0.02  # tCompCor looks at the 2 % of voxels that vary most
VOXELS_AT_ONCE = 4096  # their series fit a processor's cache
FD_THRESHOLD, DVARS_THRESHOLD = 0.5, 1.5  # mm and 1: frames beyond either get a motion_outlier column


def count_non_steady_state(signal, threshold=3.5):
    """Count the volumes at the start whose mean signal is an outlier.

    Parameters
    ----------
    signal : ndarray, shape (n_volumes,)
        Mean of each of the first 50 volumes.
    threshold : float
        Of the modified z score 0.6745 |x - median| / MAD (Iglewicz and Hoaglin 1993).

    Returns
    -------
    int
    """
    away = np.abs(signal - np.median(signal))
    outlier = 0.6745 * away > threshold * np.median(away)
    return int(np.argmin(outlier)) if not outlier.all() else len(signal)


def compute_dvars(series):
    """Compute DVARS and standardised DVARS (Power et al. 2012; Nichols 2013).

    Parameters
    ----------
    series : ndarray, shape (n_volumes, n_voxels)
        In the brain.

    Returns
    -------
    dvars, std_dvars : ndarray, shape (n_volumes,)
        The first of each is NaN. `dvars` is in units of a thousandth of the median intensity; `std_dvars` is
        relative to what noise of the voxels' SD and lag-1 autocorrelation would give.
    """
    scale = np.float32(1000 / np.median(series))
    lower, upper = (int(np.floor(q * (len(series) - 1))) for q in (0.25, 0.75))
    squares, expected = np.zeros(len(series) - 1), []
    for start in range(0, series.shape[1], VOXELS_AT_ONCE):
        scaled = np.ascontiguousarray(series[:, start : start + VOXELS_AT_ONCE].T)  # a voxel's values lie side by side
        scaled *= scale
        ordered = np.sort(scaled, axis=1)  # short rows: faster than finding two places in each
        sd = (ordered[:, upper] - ordered[:, lower]) / 1.349
        scaled, sd = scaled[sd > 0], sd[sd > 0]
        steps = np.diff(scaled, axis=1)
        squares += np.einsum("vt,vt->t", steps, steps, dtype=float)
        scaled -= scaled.mean(1, keepdims=True)
        lagged = np.einsum("vt,vt->v", scaled[:, 1:], scaled[:, :-1]) / np.einsum("vt,vt->v", scaled, scaled)
        expected.append(np.sqrt(2 * (1 - lagged)) * sd)
    expected = np.concatenate(expected)
    dvars = np.sqrt(squares / len(expected))
    first = [np.nan]
    return np.concatenate([first, dvars]), np.concatenate([first, dvars / expected.mean()])


def compute_rmsd(parameters):
    """Compute the root mean square displacement between volumes over a sphere of 80 mm (Jenkinson et al. 2002).

    Parameters
    ----------
    parameters : ndarray, shape (n_volumes, 6)
        In mm and radians.

    Returns
    -------
    ndarray, shape (n_volumes,)
        In mm; the first is NaN.
    """
    matrices = rigid_matrices(parameters)
    step = matrices[1:] @ np.linalg.inv(matrices[:-1]) - np.eye(4)
    turn, shift = step[:, :3, :3], step[:, :3, 3]
    squares = BRAIN_RADIUS**2 / 5 * (turn**2).sum((1, 2)) + (shift**2).sum(1)
    return np.concatenate([[np.nan], np.sqrt(squares)])


def cosine_basis(n_volumes, t_r, period=HIGH_PASS_PERIOD):
    """Make the discrete cosines slower than a period, without the constant.

    Parameters
    ----------
    n_volumes : int
    t_r, period : float
        In seconds.

    Returns
    -------
    ndarray, shape (n_volumes, n_cosines)
        Of unit length. As in SPM and nipype: floor(2 n t_r / period) regressors, of which the constant is one.
    """
    order = max(1, int(np.floor(2 * n_volumes * t_r / period)))
    times = np.arange(n_volumes) + 0.5
    cosines = [np.sqrt(2 / n_volumes) * np.cos(np.pi / n_volumes * k * times) for k in range(1, order)]
    return np.stack(cosines, 1) if cosines else np.empty((n_volumes, 0))


def tissue_masks(tissues, brain):
    """Find voxels that are surely white matter or CSF, away from their edge.

    Parameters
    ----------
    tissues : dict of ndarray, shape (z, y, x)
        "white", "csf": probability.
    brain : ndarray of bool, shape (z, y, x)

    Returns
    -------
    dict of ndarray of bool, shape (z, y, x)
        "white", "csf".
    """
    inner = ndimage.binary_erosion(brain, iterations=2)
    masks = {}
    for name, eroded in (("white", ndimage.binary_erosion(tissues["white"] > 0.9)), ("csf", inner)):
        probability = tissues[name] * eroded
        # coarse grids have few pure voxels: take the purest 20 rather than none
        threshold = min(0.95 if name == "white" else 0.8, np.sort(probability, axis=None)[-20])
        masks[name] = probability >= max(threshold, 1e-6)
    return masks


def principal_components(series, cosines, n_skip):
    """Find components of voxels' time courses after the slow cosines are taken out (CompCor, Behzadi et al. 2007).

    Parameters
    ----------
    series : ndarray, shape (n_volumes, n_voxels)
    cosines : ndarray, shape (n_volumes - n_skip, n_cosines)
    n_skip : int
        Volumes at the start to leave out; the components are 0 there.

    Returns
    -------
    components : ndarray, shape (n_volumes, n_kept)
    singular : ndarray
        All singular values, largest first.
    """
    kept = series[n_skip:].astype(np.float32)
    basis, _ = np.linalg.qr(np.column_stack([np.ones(len(kept)), cosines]))
    basis = basis.astype(np.float32)
    kept = kept - basis @ (basis.T @ kept)
    sd = kept.std(0)
    kept = kept[:, sd > 0] / sd[sd > 0]
    values, vectors = np.linalg.eigh((kept @ kept.T).astype(float))
    values, vectors = np.maximum(values[::-1], 0), vectors[:, ::-1]
    explained = np.cumsum(values) / values.sum()
    n_kept = int(np.searchsorted(explained, VARIANCE_KEPT)) + 1
    components = np.zeros((len(series), n_kept))
    components[n_skip:] = vectors[:, :n_kept]
    return components, np.sqrt(values)


def _describe_components(prefix, mask, singular, n_kept, n_dropped):
    """JSON metadata of one set of components, kept and dropped ones, as fMRIPrep writes it."""
    share = singular**2 / (singular**2).sum()
    method = "tCompCor" if prefix == "t" else "aCompCor"
    described = {}
    for k, (value, explained, total) in enumerate(zip(singular, share, np.cumsum(share), strict=True)):
        name = f"{prefix}_comp_cor_{k:02d}" if k < n_kept else f"dropped_{n_dropped + k - n_kept}"
        described[name] = {
            "CumulativeVarianceExplained": float(total),
            "Method": method,
            "Retained": k < n_kept,
            "SingularValue": float(value),
            "VarianceExplained": float(explained),
        }
        if mask:
            described[name]["Mask"] = mask
    return described


def _expand(table):
    """Add derivative1, power2 and derivative1_power2 of signals and motion; first derivatives are NaN."""
    columns = {}
    for name in (*SIGNAL_COLUMNS, *MOTION_COLUMNS):
        values = np.asarray(table[name], float)
        slope = np.concatenate([[np.nan], np.diff(values)])
        columns[name] = values
        columns[f"{name}_derivative1"] = slope
        columns[f"{name}_power2"] = values**2
        columns[f"{name}_derivative1_power2"] = slope**2
    return columns


def _one_column_each(prefix, rows, n_volumes):
    """Indicator columns: one a row of `rows`, 1 in that row and 0 elsewhere."""
    return {f"{prefix}{k:02d}": np.eye(n_volumes)[row] for k, row in enumerate(rows)}


def _temporal_voxels(series, inner, n_skip):
    """Voxels, away from the brain's edge, whose signal varies most after a quadratic trend is taken out."""
    kept = series[n_skip:, inner]
    basis, _ = np.linalg.qr(np.vander(np.linspace(-1, 1, len(kept)), 3).astype(np.float32))
    sd = (kept - basis @ (basis.T @ kept)).std(0)
    chosen = np.zeros(len(inner), bool)
    chosen[np.flatnonzero(inner)[sd >= np.quantile(sd, 1 - TEMPORAL_SHARE)]] = True
    return chosen


def compute_confounds(series, brain, tissues, motion_estimate, whole_mean, t_r):
    """Make the table of confounds and its JSON.

    Parameters
    ----------
    series : ndarray of float32, shape (n_volumes, n_voxels)
        Preprocessed BOLD in the brain mask, in the order of `numpy.flatnonzero(brain)`.
    brain : ndarray of bool, shape (z, y, x)
    tissues : dict of ndarray, shape (z, y, x)
        Probabilities on the BOLD grid, "grey", "white", "csf".
    motion_estimate : ndarray, shape (n_volumes, 6)
        In mm and radians.
    whole_mean : ndarray, shape (n_volumes,)
        Mean of the whole image, air included: from this fMRIPrep finds non-steady-state volumes.
    t_r : float
        In seconds.

    Returns
    -------
    table : DataFrame, one row a volume
        NaN (n/a on disk) in the first row of derivatives, framewise_displacement, rmsd, dvars and std_dvars.
    description : dict
        Content of the table's JSON file.
    """
    n_volumes = len(series)
    flat = np.flatnonzero(brain)
    masks = {name: mask.ravel()[flat] for name, mask in tissue_masks(tissues, brain).items()}
    either = masks["white"] | masks["csf"]
    signals = {"global_signal": slice(None), "csf": masks["csf"], "white_matter": masks["white"], "csf_wm": either}
    table = {name: series[:, where].mean(1, dtype=float) for name, where in signals.items()}
    description = {name: {"Method": "Mean"} for name in table}
    table |= dict(zip(MOTION_COLUMNS, motion_estimate.T, strict=True))
    expanded = _expand(table)
    table = {k: v for k, v in expanded.items() if k.startswith(SIGNAL_COLUMNS)} | {"csf_wm": table["csf_wm"]}
    table["dvars"], table["std_dvars"] = compute_dvars(series)
    table["framewise_displacement"] = framewise_displacement(motion_estimate)
    table["rmsd"] = compute_rmsd(motion_estimate)

    n_skip = count_non_steady_state(whole_mean[:50])
    cosines = cosine_basis(n_volumes - n_skip, t_r)
    inner = ndimage.binary_erosion(brain, iterations=2).ravel()[flat]
    sets = {
        "t": (_temporal_voxels(series, inner, n_skip), None),
        "a": (either, "combined"),
        "c": (masks["csf"], "CSF"),
        "w": (masks["white"], "WM"),
    }
    n_dropped = 0
    for prefix, (where, mask) in sets.items():
        components, singular = principal_components(series[:, where], cosines, n_skip)
        table |= {f"{prefix}_comp_cor_{k:02d}": column for k, column in enumerate(components.T)}
        description |= _describe_components(prefix, mask, singular, components.shape[1], n_dropped)
        n_dropped += len(singular) - components.shape[1]

    padded = np.concatenate([np.zeros((n_skip, cosines.shape[1])), cosines])
    table |= {f"cosine{k:02d}": column for k, column in enumerate(padded.T)}
    table |= _one_column_each("non_steady_state_outlier", range(n_skip), n_volumes)
    table |= {k: v for k, v in expanded.items() if k.startswith(MOTION_COLUMNS)}
    moved = (table["framewise_displacement"] > FD_THRESHOLD) | (table["std_dvars"] > DVARS_THRESHOLD)
    table |= _one_column_each("motion_outlier", np.flatnonzero(moved), n_volumes)
    return pd.DataFrame(table), description
