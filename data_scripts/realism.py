"""Measure a finished simulated study in the same figures that are known of real data.

Everything is measured in the finished files, through the functions that learners use. A reference that rests on one or
two people says so; figures that follow a minute of data are not tuned to it, only compared.
"""

from dataclasses import dataclass

import nibabel as nib
import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from scipy import stats

from course_utils.atlases import fetch_course_networks, resample_atlas
from course_utils.confounds import count_dummy_volumes, read_confounds
from course_utils.layout import find_run, open_layout
from course_utils.strategies import STRATEGIES, clean_with
from course_utils.truth import read_truth
from data_scripts.references import MEAN_SIGNALS, REFERENCES, measure_real_tables

DEFAULT = "DefaultMode"
EARLY = 5  # volume whose intensities are looked at: after the steady state is reached
WINDOW = 30  # volumes: the real tables that give the figures of the mean signals are no longer


def _read_voxels(run):
    """Read a run inside its mask, (n_volumes, n_voxels) float32; the mask; and one whole volume."""
    mask = np.asarray(nib.load(run.mask).dataobj) > 0
    image = nib.load(run.bold)
    stored, slope = image.dataobj.get_unscaled(), np.float32(image.dataobj.slope)
    return stored[mask].T.astype(np.float32) * slope, mask, stored[..., EARLY] * slope


def _slope(series, t_r):
    """Slope of log power over log frequency from 0.01 to 0.1 Hz, the spectra averaged over columns."""
    frequencies = np.fft.rfftfreq(len(series), t_r)
    inside = (frequencies > 0.01) & (frequencies < 0.1)
    power = (np.abs(np.fft.rfft(series / series.std(0), axis=0)) ** 2).mean(1)
    return np.polyfit(np.log(frequencies[inside]), np.log(power[inside]), 1)[0]


def _detrend(series):
    basis = np.linalg.qr(np.vander(np.linspace(-1, 1, len(series)), 2))[0].astype(series.dtype)
    return series - basis @ (basis.T @ series)


def _windows(table, n_dummy):
    """Variation and correlation of the mean signals over pieces as long as the real tables: medians."""
    signals = table[list(MEAN_SIGNALS)]
    pieces = [signals[i : i + WINDOW] for i in range(n_dummy, len(table) - WINDOW + 1, 10)]
    variation = pd.DataFrame([100 * p.std() / p.mean() for p in pieces]).median()
    shared = pd.DataFrame([p.corr().loc["global_signal", ["csf", "white_matter"]] for p in pieces]).median()
    return variation.add_prefix("cv_").to_dict() | shared.add_prefix("r_").to_dict()


def edges(matrix):
    """List the values above the diagonal.

    Parameters
    ----------
    matrix : ndarray, shape (n, n)

    Returns
    -------
    ndarray, shape (n * (n - 1) / 2,)
    """
    return np.asarray(matrix)[np.triu_indices(len(matrix), 1)]


def _measure_voxels(voxels, grey, volume, table, n_dummy, t_r):
    """Figures of single voxels and of the whole image."""
    steady = voxels[n_dummy:]
    detrended = _detrend(steady[:, grey])
    lagged = (detrended[1:] * detrended[:-1]).sum(0) / (detrended**2).sum(0)
    whole = table["global_signal"]
    fd, dvars = table["framewise_displacement"][n_dummy + 1 :], table["dvars"][n_dummy + 1 :]
    percentiles = np.percentile(volume, [5, 50, 95])
    return {
        "mean_fd": table["framewise_displacement"].mean(),
        "tsnr": float(np.median(steady[:, grey].mean(0) / steady[:, grey].std(0))),
        "dvars_fd": fd.corr(dvars),
        "std_dvars": table["std_dvars"][n_dummy + 1 :].median(),
        "lag_1": float(np.median(lagged)),
        "slope_voxel": _slope(detrended, t_r),
        "first_volume": 100 * (whole[0] / whole[n_dummy:].mean() - 1),
        **dict(zip(("epi_5", "epi_50", "epi_95"), percentiles, strict=True)),
        **_windows(table, n_dummy),
    }


def measure_person(study, run, grey_path, brain_path, atlas):
    """Measure one person.

    Parameters
    ----------
    study : Study
    run : Run
        From `course_utils.layout.find_run`.
    grey_path, brain_path : str
        Probability of grey matter and mask of the whole brain, from the anatomy, in the space of the run.
    atlas : Bunch
        On the grid of the runs.

    Returns
    -------
    figures : dict of float
    connectomes : dict of ndarray, shape (n_regions, n_regions)
        "before" and "after" the 18 regressors and the band, and the planted one, "truth".
    """
    table = read_confounds(run.confounds)
    n_dummy = count_dummy_volumes(table)
    voxels, mask, volume = _read_voxels(run)
    volume = volume[_on_grid(brain_path, run.bold, "nearest") > 0]
    grey = _on_grid(grey_path, run.bold)[mask] > 0.6
    figures = _measure_voxels(voxels, grey, volume, table, n_dummy, run.t_r)

    labels = np.asarray(atlas.maps.dataobj, int)[mask]
    regions = atlas.lut.loc[atlas.lut["index"] != 0, "index"].to_numpy()
    averages = np.stack([voxels[n_dummy:, labels == region].mean(1) for region in regions], 1)
    figures["slope_region"] = _slope(_detrend(averages), run.t_r)
    cleaned = {
        when: clean_with(STRATEGIES[name], averages, table, t_r=run.t_r, n_dummy=n_dummy)
        for when, name in (("before", "none"), ("after", "18P"))
    }
    connectomes = {when: np.corrcoef(series, rowvar=False) for when, series in cleaned.items()}
    connectomes["truth"] = read_truth(study, run.subject).region_connectome(atlas.maps).to_numpy()
    networks = atlas.lut.loc[atlas.lut["index"] != 0, "network"].to_numpy(str)
    return figures | _measure_connectomes(connectomes, networks), connectomes


def _measure_connectomes(connectomes, networks):
    """Figures of one person's connectomes."""
    r = {when: edges(matrix) for when, matrix in connectomes.items()}
    same = edges(networks[:, None] == networks[None])
    default = edges(np.outer(networks == DEFAULT, networks == DEFAULT))
    to_truth = {when: np.corrcoef(r[when], r["truth"])[0, 1] for when in ("before", "after")}
    eigenvalues = np.linalg.eigvalsh(connectomes["after"])
    return {
        "abs_r_before": np.abs(r["before"]).mean(),
        "abs_r_after": np.abs(r["after"]).mean(),
        "mean_r": r["after"].mean(),
        "sd_r": r["after"].std(),
        "within": r["after"][same].mean(),
        "between": r["after"][~same].mean(),
        "top_eigenvalue": 100 * eigenvalues[-1] / len(eigenvalues),
        "rise": to_truth["after"] - to_truth["before"],
        **{f"default_{when}": np.arctanh(values[default]).mean() for when, values in r.items()},
    }


def _on_grid(path, target, interpolation="linear"):
    """Resample an image of probabilities, or a mask, to the grid of a run."""
    from nilearn.image import resample_to_img

    run = nib.load(target)
    reference = nib.Nifti1Image(np.zeros(run.shape[:3], np.int8), run.affine)
    fine = nib.load(path)
    fine = nib.Nifti1Image(fine.get_fdata(dtype=np.float32), fine.affine)
    moved = resample_to_img(fine, reference, interpolation=interpolation, copy_header=True, force_resample=True)
    return moved.get_fdata(dtype=np.float32)


def compare_groups(controls, patients):
    """Estimate the difference of two groups in units of their standard deviation.

    Parameters
    ----------
    controls, patients : array-like
        One value a person.

    Returns
    -------
    d, low, high : float
        Standardised mean difference (Hedges), controls minus patients, and its 95 % confidence interval.
    """
    from statsmodels.stats.meta_analysis import effectsize_smd

    a, b = np.asarray(controls, float), np.asarray(patients, float)
    d, variance = effectsize_smd(a.mean(), a.std(ddof=1), len(a), b.mean(), b.std(ddof=1), len(b))
    reach = stats.norm.ppf(0.975) * np.sqrt(variance)
    return float(d), float(d - reach), float(d + reach)


def _within_groups(values, groups):
    """Take each group's mean out."""
    table = pd.DataFrame(values)
    return (table - table.groupby(np.asarray(groups)).transform("mean")).to_numpy()


def quality_control(connectomes, mean_fd, groups):
    """Correlate each edge with mean FD over people, the difference of the groups taken out (QC-FC).

    Parameters
    ----------
    connectomes : list of ndarray, shape (n_regions, n_regions)
    mean_fd : array-like
        In mm.
    groups : array-like of str

    Returns
    -------
    ndarray, shape (n_edges,)
        Pearson's r.
    """
    z = _within_groups(np.arctanh(np.clip([edges(c) for c in connectomes], -0.999, 0.999)), groups)
    fd = _within_groups(np.asarray(mean_fd, float), groups)
    return (z * fd).sum(0) / np.sqrt((z**2).sum(0) * (fd**2).sum())


@dataclass(frozen=True, eq=False)
class Measured:
    """A study, measured.

    Attributes
    ----------
    people : DataFrame
        One row a person: `diagnosis` and every figure.
    connectomes : dict of {str: list of ndarray}
        "before", "after", "truth": one matrix a person.
    lut : DataFrame
        Regions of the atlas.
    qcfc : dict of {str: ndarray}
        "before", "after": one r an edge.
    distances : ndarray, shape (n_edges,)
        Between the regions, in mm.
    """

    people: pd.DataFrame
    connectomes: dict
    lut: pd.DataFrame
    qcfc: dict
    distances: np.ndarray

    def summarize(self):
        """Put the study's figures beside the references.

        Returns
        -------
        DataFrame
            One row a figure: `title`, `unit`, `least`, `value`, `most`, `low`, `high`, `in_range`, `seen`, `source`,
            `weak`. `value` is the median of the people, and is what is judged; the rise is asked of every one of them.
        """
        people, values = self.people, {}
        for name in REFERENCES:
            if name in people:
                column = people[name]
                values[name] = (column.min(), column.median(), column.max())
        for name, group in (("fd_controls", "CONTROL"), ("fd_patients", "SCHZ")):
            fd = people.loc[people["diagnosis"] == group, "mean_fd"]
            values[name] = (fd.min(), fd.median(), fd.max())
        similar = np.corrcoef([edges(c) for c in self.connectomes["after"]])
        values["similarity"] = tuple(np.quantile(edges(similar), [0, 0.5, 1]))
        for when in ("before", "after"):
            size = np.abs(self.qcfc[when])
            values[f"qcfc_{when}"] = (size.min(), np.median(size), size.max())
        depends = np.corrcoef(self.qcfc["after"], self.distances)[0, 1]
        values["qcfc_distance"] = (depends, depends, depends)
        groups = [people.loc[people["diagnosis"] == g, "default_after"] for g in ("CONTROL", "SCHZ")]
        d, low, high = compare_groups(*groups)
        values["effect"] = (low, d, high)
        real = measure_real_tables()
        rows = []
        for name, reference in REFERENCES.items():
            seen = ", ".join(f"{value:.2f}" for value in real[name]) if name in real else reference.seen
            least, value, most = values[name]
            judged = least if name == "rise" else value
            inside = reference.low <= judged <= reference.high
            rows.append(
                {"name": name, "title": reference.title, "unit": reference.unit}
                | {"least": least, "value": value, "most": most}
                | {"low": reference.low, "high": reference.high, "in_range": bool(inside)}
                | {"seen": seen, "source": reference.source, "weak": reference.weak}
            )
        return pd.DataFrame(rows).set_index("name")


def measure_study(study, jobs=2):
    """Measure everybody.

    Parameters
    ----------
    study : Study
        The simulated one, whole.
    jobs : int
        Processes at once.

    Returns
    -------
    Measured
    """
    layout = open_layout(study)
    subjects = layout.get_subjects()
    runs = [find_run(layout, subject) for subject in subjects]
    grey = {"label": "GM", "suffix": "probseg"}
    brain = {"desc": "brain", "suffix": "mask", "datatype": "anat"}
    paths = [
        [
            layout.get(subject=run.subject, space=run.space, extension=".nii.gz", return_type="file", **wanted)[0]
            for wanted in (grey, brain)
        ]
        for run in runs
    ]
    atlas = resample_atlas(fetch_course_networks(study), runs[0].bold)
    tasks = (delayed(measure_person)(study, run, *each, atlas) for run, each in zip(runs, paths, strict=True))
    found = Parallel(jobs)(tasks)
    people = pd.DataFrame([figures for figures, _ in found], index=pd.Index(subjects, name="subject"))
    people.insert(0, "diagnosis", study.participants.loc["sub-" + people.index, "diagnosis"].to_numpy())
    connectomes = {name: [c[name] for _, c in found] for name in ("before", "after", "truth")}
    lut = atlas.lut[atlas.lut["index"] != 0].reset_index(drop=True)
    centres = lut[["x", "y", "z"]].to_numpy(float)
    distances = edges(np.linalg.norm(centres[:, None] - centres[None], axis=-1))
    qcfc = {
        when: quality_control(connectomes[when], people["mean_fd"], people["diagnosis"]) for when in ("before", "after")
    }
    return Measured(people, connectomes, lut, qcfc, distances)
