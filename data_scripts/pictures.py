"""The pictures of the realism report: a finished study in, matplotlib figures out, each with what to look for in it."""

from dataclasses import dataclass, field
from functools import cached_property

import matplotlib
import nibabel as nib
import numpy as np
from matplotlib import pyplot as plt
from nilearn import image, masking, plotting, signal

from course_utils.confounds import count_dummy_volumes, read_confounds, select_confounds
from course_utils.layout import MNI, find_run, open_layout

POSTERIOR_CINGULATE = (0, -52, 26)  # mm, MNI
BAND = {"low_pass": 0.08, "high_pass": 0.009}  # Hz


@dataclass(frozen=True)
class Picture:
    """One picture of the report.

    Attributes
    ----------
    figure : Figure
    title, alt : str
        What it is; what it shows, for those who do not see it.
    artificial : str
        What still looks artificial in it.
    """

    figure: matplotlib.figure.Figure = field(repr=False)
    title: str
    alt: str
    artificial: str


class _Example:
    """One person's files, read when they are needed."""

    def __init__(self, study, layout, subject):
        self.study, self.layout, self.subject = study, layout, subject
        self.run = find_run(layout, subject)
        self.table = read_confounds(self.run.confounds)
        self.n_dummy = count_dummy_volumes(self.table)

    def find(self, **entities):
        """Find one image of this person.

        Parameters
        ----------
        **entities : str
            As for pybids.

        Returns
        -------
        str
            Its path.
        """
        found = self.layout.get(subject=self.subject, extension=".nii.gz", return_type="file", **entities)
        if len(found) != 1:
            raise ValueError(f"Found {len(found)} images of sub-{self.subject} with {entities}; expected one.")
        return found[0]

    @cached_property
    def bold(self):
        """The run without its dummy volumes, float32."""
        run = image.load_img(self.run.bold, dtype="float32")
        return image.new_img_like(run, run.dataobj[..., self.n_dummy :], copy_header=True)

    @cached_property
    def voxels(self):
        """Signals inside the mask, shape (n_volumes, n_voxels)."""
        return masking.apply_mask(self.bold, str(self.run.mask), dtype="f")

    @cached_property
    def grey(self):
        """Which of these voxels are mostly grey matter."""
        path = self.find(space=MNI, label="GM", suffix="probseg")
        moved = image.resample_to_img(
            path, self.run.mask, interpolation="linear", copy_header=True, force_resample=True
        )
        return masking.apply_mask(moved, str(self.run.mask)) > 0.6

    def clean(self, series):
        """Clean signals with the 18 regressors and the band."""
        regressors = select_confounds(self.table, n_dummy=self.n_dummy)
        options = {
            "t_r": self.run.t_r,
            "detrend": True,
            "standardize": "zscore_sample",
            "butterworth__copy": True,
            **BAND,
        }
        return signal.clean(series, confounds=regressors, **options)


def _draw_anatomy(low, high):
    """Draw the heads of two people, raw and in MNI space."""
    figure, axes = plt.subplots(2, 1, figsize=(8, 6))
    raw = low.study.root / f"sub-{low.subject}" / "anat" / f"sub-{low.subject}_T1w.nii.gz"
    preprocessed = high.find(space=MNI, desc="preproc", suffix="T1w")
    shown = {f"sub-{low.subject}, as from the scanner": raw, f"sub-{high.subject}, MNI space": preprocessed}
    for ax, (title, path) in zip(axes, shown.items(), strict=True):
        img = image.load_img(path, dtype="float32")
        plotting.plot_anat(img, axes=ax, title=title, draw_cross=False, colorbar=False, dim=0)
    return Picture(
        figure,
        "Anatomy",
        "Three cuts each through two simulated heads: a brain with grey and white matter, dark fluid, a bright scalp.",
        "Both brains are the same averaged template, bent: the folds are those of an average of many people and too"
        " smooth. Skull base, eyes, face and neck are drawn from simple shapes, and there are no vessels.",
    )


def _draw_epi(low, high):
    """Draw the mean functional image and its tSNR."""
    figure, axes = plt.subplots(2, 1, figsize=(8, 6))
    mean_img = image.mean_img(low.bold, copy_header=True)
    plotting.plot_epi(mean_img, axes=axes[0], title=f"sub-{low.subject}, mean volume", draw_cross=False)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.nan_to_num(low.voxels.mean(0) / low.voxels.std(0))
    ratio_img = masking.unmask(ratio, str(low.run.mask))
    plotting.plot_img(ratio_img, axes=axes[1], title="tSNR", cmap="viridis", colorbar=True, vmax=120, draw_cross=False)
    return Picture(
        figure,
        "Functional image and tSNR",
        "A blurred brain with bright fluid and darker white matter, signal lost above the sinuses; below it tSNR,"
        " high over most of the brain, low at its base and along the fluid of the midline.",
        "Dropout has the same place and nearly the same shape in everybody. Air is exactly 0, without ghosts. The tSNR"
        " map lacks the pattern of a real coil and of parallel imaging.",
    )


def _draw_carpet(axes, example):
    fd = example.table["framewise_displacement"][example.n_dummy :]
    times = fd.index * example.run.t_r
    axes[0].plot(times, fd, color="black", linewidth=0.8)
    axes[0].set(ylim=(0, 1), ylabel="FD (mm)", xticks=[], xlim=(times[0], times[-1]))
    axes[0].set_title(f"sub-{example.subject}, mean FD {fd.mean():.2f} mm")
    rng = np.random.default_rng(0)
    n_rows = min(900, example.grey.sum(), (~example.grey).sum())
    rows = [rng.choice(np.flatnonzero(where), n_rows, replace=False) for where in (example.grey, ~example.grey)]
    series = signal.clean(example.voxels[:, np.concatenate(rows)], detrend=True, standardize="zscore_sample")
    extent = (times[0], times[-1], series.shape[1], 0)
    axes[1].imshow(series.T, cmap="gray", vmin=-2, vmax=2, aspect="auto", extent=extent, interpolation="nearest")
    axes[1].axhline(n_rows, color="#d55e00", linewidth=1.5)
    axes[1].set(xlabel="time (s)", yticks=[n_rows / 2, 1.5 * n_rows], yticklabels=["grey matter", "other"])


def _draw_carpets(low, high):
    """Draw FD and carpet of the person who moves least and of the one who moves most."""
    figure, axes = plt.subplots(
        2, 2, figsize=(10, 5), height_ratios=[1, 3], layout="constrained", sharey="row", squeeze=False
    )
    for column, example in enumerate((low, high)):
        _draw_carpet(axes[:, column], example)
    return Picture(
        figure,
        "Motion and carpet",
        "Framewise displacement above a carpet of voxels' signals for the stillest and the most restless person: dark"
        " and light vertical bands run through the grey matter of both, sharper ones where the second moves.",
        "Movements are jerks and shifts drawn from one family; real people also cough, swallow and fall asleep. The"
        " bands are stripes of a few causes, where real ones have many.",
    )


def _draw_spectra(low, high):
    """Draw the power of grey-matter voxels over frequency."""
    figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
    for example, colour in ((low, "#0072b2"), (high, "#d55e00")):
        series = signal.clean(example.voxels[:, example.grey], detrend=True, standardize="zscore_sample")
        power = (np.abs(np.fft.rfft(series, axis=0)) ** 2).mean(1)[1:]
        frequencies = np.fft.rfftfreq(len(series), example.run.t_r)[1:]
        ax.loglog(frequencies, power / power.sum(), color=colour, label=f"sub-{example.subject}")
    for slope, style in ((-0.5, "--"), (-1, ":")):
        ax.loglog(
            [0.01, 0.1], 0.03 * (np.array([0.01, 0.1]) / 0.01) ** slope, style, color="0.4", label=f"slope {slope}"
        )
    ax.set(xlabel="frequency (Hz)", ylabel="share of the power")
    ax.legend()
    return Picture(
        figure,
        "Spectra",
        "Power of grey-matter voxels falls from 0.01 to 0.1 Hz with a slope between -0.5 and -1 in both people and"
        " flattens above.",
        "Breathing makes one narrow line near its rate; in real people it wanders more. Neural power has one shape"
        " everywhere in the brain.",
    )


def _draw_seed_map(low, high):
    """Draw what correlates with the posterior cingulate after cleaning."""
    figure, axes = plt.subplots(2, 1, figsize=(8, 6))
    for ax, example in zip(axes, (low, high), strict=True):
        smooth = image.smooth_img(example.bold, 6)
        series = example.clean(masking.apply_mask(smooth, str(example.run.mask), dtype="f"))
        mask = np.asarray(nib.load(example.run.mask).dataobj) > 0
        places = nib.affines.apply_affine(example.bold.affine, np.argwhere(mask))
        near = np.linalg.norm(places - POSTERIOR_CINGULATE, axis=1) < 8
        seed = signal.clean(series[:, near].mean(1, keepdims=True), detrend=False, standardize="zscore_sample")
        r_img = masking.unmask((series * seed).sum(0) / (len(series) - 1), str(example.run.mask))
        title = f"sub-{example.subject}: r with the posterior cingulate"
        plotting.plot_stat_map(
            r_img, axes=ax, title=title, threshold=0.3, vmax=1, cut_coords=POSTERIOR_CINGULATE, draw_cross=False
        )
    return Picture(
        figure,
        "Seed map",
        "Two people's maps of correlation with the posterior cingulate: precuneus, angular gyri and medial prefrontal"
        " cortex are positive, regions of attention negative.",
        "Regions are round blobs around the nodes of the simulation, of one size, and do not follow the folds.",
    )


def _draw_connectomes(measured):
    """Draw the mean connectome before and after cleaning and as planted."""
    figure, axes = plt.subplots(1, 3, figsize=(11, 4), layout="constrained")
    networks = measured.lut["network"]
    ends = np.flatnonzero(networks.ne(networks.shift(-1))) + 0.5
    titles = {"before": "not cleaned", "after": "18 regressors and band", "truth": "planted"}
    for ax, (name, title) in zip(axes, titles.items(), strict=True):
        mean = np.mean(measured.connectomes[name], axis=0)
        np.fill_diagonal(mean, np.nan)
        drawn = ax.imshow(mean, cmap="RdBu_r", vmin=-0.8, vmax=0.8, interpolation="nearest")
        ax.set(title=title, xticks=[], yticks=[])
        for end in ends[:-1]:
            ax.axhline(end, color="black", linewidth=0.4)
            ax.axvline(end, color="black", linewidth=0.4)
    figure.colorbar(drawn, ax=axes, label="Pearson r, mean of all people", shrink=0.8)
    return Picture(
        figure,
        "Connectomes",
        "Three mean matrices. Before cleaning nearly every cell is red; after it the blocks of networks stand out on"
        " the diagonal, and blue cells appear; the planted matrix has the same blocks and fewer blue cells.",
        "Networks are blocks with little structure inside; real ones have hubs and sub-networks.",
    )


def _draw_quality_control(measured):
    """Draw how edges go with motion, over distance."""
    figure, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
    titles = {"before": "not cleaned", "after": "18 regressors and band"}
    for ax, (when, title) in zip(axes, titles.items(), strict=True):
        ax.hexbin(measured.distances, measured.qcfc[when], gridsize=25, cmap="Blues", mincnt=1)
        slope, start = np.polyfit(measured.distances, measured.qcfc[when], 1)
        reach = np.array([measured.distances.min(), measured.distances.max()])
        ax.plot(reach, start + slope * reach, color="#d55e00")
        ax.axhline(0, color="black", linewidth=0.6)
        ax.set(title=title, xlabel="distance between regions (mm)", ylim=(-1, 1))
    axes[0].set_ylabel("QC-FC: r of an edge with mean FD")
    return Picture(
        figure,
        "Connectivity and motion",
        "Two clouds of edges over distance: correlation with mean FD scatters widely about zero; the line through the"
        " cleaned edges is nearly flat.",
        "With so few people the cloud is mostly chance. Real studies often show a clearer fall with distance.",
    )


def _draw_group_effect(measured):
    """Draw default-mode coupling in both groups, planted, before and after cleaning."""
    figure, axes = plt.subplots(1, 3, figsize=(9, 4), sharey=True, layout="constrained")
    rng = np.random.default_rng(1)
    titles = {"truth": "planted", "before": "not cleaned", "after": "18 regressors and band"}
    for ax, (when, title) in zip(axes, titles.items(), strict=True):
        for place, group in enumerate(("CONTROL", "SCHZ")):
            z = measured.people.loc[measured.people["diagnosis"] == group, f"default_{when}"]
            ax.plot(place + 0.1 * rng.standard_normal(len(z)), z, "o", color=("#0072b2", "#d55e00")[place], alpha=0.7)
            ax.plot([place - 0.3, place + 0.3], [z.mean()] * 2, color="black")
        ax.set(title=title, xticks=[0, 1], xticklabels=["CONTROL", "SCHZ"])
    axes[0].set_ylabel("default-mode coupling (mean Fisher z)")
    return Picture(
        figure,
        "Group difference",
        "Default-mode coupling of each person in two groups: controls lie higher than patients in the planted truth,"
        " much less so before cleaning, and again after it, at a lower level.",
        "The difference is planted as a teaching device; that patients and controls differ in this one number only is"
        " a simplification.",
    )


def draw_all(study, measured):
    """Draw every picture, one after the other.

    Parameters
    ----------
    study : Study
    measured : Measured

    Yields
    ------
    Picture
        Close its figure when it is saved.
    """
    layout = open_layout(study)
    still, restless = measured.people["mean_fd"].idxmin(), measured.people["mean_fd"].idxmax()
    low, high = _Example(study, layout, still), _Example(study, layout, restless)
    for draw in (_draw_anatomy, _draw_epi, _draw_carpets, _draw_spectra, _draw_seed_map):
        yield draw(low, high)
    del low, high
    for draw in (_draw_connectomes, _draw_quality_control, _draw_group_effect):
        yield draw(measured)
