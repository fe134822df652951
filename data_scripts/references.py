"""Figures of real data that the simulated study is put beside, each with a range and a source.

A reference that rests on one or two people says so: it was widened by judgement.
"""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from course_utils.confounds import count_dummy_volumes, read_confounds

MEAN_SIGNALS = ("global_signal", "csf", "white_matter")
REAL_TABLES = "fMRIPrep tables of two real runs, 30 volumes each, group unknown, which ship with nilearn"
REAL_FILES = ("test_desc-confounds_regressors.tsv", "test-v21_desc-confounds_timeseries.tsv")  # little, much motion
REAL_CONTROL = "one real control, 43 regions of Yeo et al. 2011"
ONE_VOLUME = "one real volume in the MNI mask"


@dataclass(frozen=True)
class Reference:
    """What real data show.

    Attributes
    ----------
    title, unit : str
    low, high : float
        Range that is asked for.
    source : str
        Citation with DOI, or the data it was seen in.
    seen : str
        Figure that the source gives; empty if it is computed from the real tables.
    weak : bool
        Whether it rests on one or two people.
    """

    title: str
    unit: str
    low: float
    high: float
    source: str
    seen: str
    weak: bool = False


MURPHY = "Murphy et al. 2007, NeuroImage 34:565, doi 10.1016/j.neuroimage.2006.09.032"
CIRIC = "Ciric et al. 2017, NeuroImage 154:174, doi 10.1016/j.neuroimage.2017.03.020"
HE = "He 2011, J Neurosci 31:13786, doi 10.1523/JNEUROSCI.2111-11.2011"
POWER = "Power et al. 2012, NeuroImage 59:2142, doi 10.1016/j.neuroimage.2011.10.018"
WOOLRICH = "Woolrich et al. 2001, NeuroImage 14:1370, doi 10.1006/nimg.2001.0931"
BLOCH = "Bloch equation with the T1 of each tissue, TR 2 s, 77 to 90 degrees"
AT_77 = "by the formula at 77 degrees: grey +22, white +8, CSF +131"
TWENTY = "20 people of one study, measured while the course was made"
CHANCE = "20 people, no relation: 0.160 by simulation"

REFERENCES = {
    "fd_controls": Reference("Mean FD, controls (median)", "mm", 0.08, 0.30, REAL_TABLES, "", True),
    "fd_patients": Reference("Mean FD, patients (median)", "mm", 0.11, 0.40, "one patient of ds000030", "0.26", True),
    "tsnr": Reference("tSNR of grey matter (median)", "1", 40, 80, MURPHY, "40 to 80 at 3 T and 3 mm"),
    "dvars_fd": Reference("DVARS and FD, r (median)", "r", -0.2, 0.8, REAL_TABLES, "", True),
    "std_dvars": Reference("Standardised DVARS (median)", "1", 0.75, 1.3, REAL_TABLES, "", True),
    "cv_global_signal": Reference("Variation of the global signal", "%", 0.2, 0.9, REAL_TABLES, "", True),
    "cv_csf": Reference("Variation of the CSF signal", "%", 0.2, 1.0, REAL_TABLES, "", True),
    "cv_white_matter": Reference("Variation of the white-matter signal", "%", 0.08, 0.4, REAL_TABLES, "", True),
    "r_csf": Reference("Global and CSF signal, r", "r", 0.5, 0.95, REAL_TABLES, "", True),
    "r_white_matter": Reference("Global and white-matter signal, r", "r", 0.5, 0.95, REAL_TABLES, "", True),
    "lag_1": Reference("Lag-1 autocorrelation, grey voxels", "r", 0.2, 0.5, WOOLRICH, "0.2 to 0.5 at 2 to 3 s"),
    "slope_voxel": Reference("Spectral slope 0.01-0.1 Hz, voxels", "log/log", -1.0, -0.3, HE, "-0.5 to -1"),
    "slope_region": Reference("Spectral slope 0.01-0.1 Hz, regions", "log/log", -1.3, -0.5, HE, "-0.5 to -1"),
    "first_volume": Reference("First volume, global signal", "%", 20, 45, BLOCH, AT_77),
    "epi_5": Reference("EPI intensity, 5th percentile", "1", 100, 300, ONE_VOLUME, "184", True),
    "epi_50": Reference("EPI intensity, median", "1", 600, 800, ONE_VOLUME, "703", True),
    "epi_95": Reference("EPI intensity, 95th percentile", "1", 850, 1150, ONE_VOLUME, "995", True),
    "abs_r_before": Reference("Mean |r| before cleaning", "r", 0.3, 0.6, "two people of ds000030", "0.3 to 0.6", True),
    "abs_r_after": Reference("Mean |r| after cleaning", "r", 0.18, 0.32, REAL_CONTROL, "0.2 to 0.3", True),
    "mean_r": Reference("Mean r after cleaning", "r", -0.05, 0.06, REAL_CONTROL, "0.006", True),
    "sd_r": Reference("SD of r after cleaning", "r", 0.22, 0.36, REAL_CONTROL, "0.284", True),
    "within": Reference("r within networks, after cleaning", "r", 0.15, 0.55, REAL_CONTROL, "0.207", True),
    "between": Reference("r between networks, after cleaning", "r", -0.09, 0.03, REAL_CONTROL, "-0.046", True),
    "top_eigenvalue": Reference("Largest eigenvalue, share of trace", "%", 12, 30, REAL_CONTROL, "21", True),
    "similarity": Reference("Similarity of connectomes, two people", "r", 0.2, 0.5, TWENTY, "0.31", True),
    "qcfc_before": Reference("QC-FC before cleaning (median |r|)", "r", 0.10, 0.55, CIRIC, "rises with motion"),
    "qcfc_after": Reference("QC-FC after cleaning (median |r|)", "r", 0.10, 0.30, CHANCE, "0.16 by chance"),
    "qcfc_distance": Reference("QC-FC and distance, after cleaning", "r", -0.4, 0.2, CIRIC, "-0.3 to 0"),
    "rise": Reference(
        "Rise of r to truth through cleaning (every person)",
        "r",
        0.10,
        1.0,
        "asked of this simulation",
        "at least 0.10",
    ),
    "effect": Reference("Group difference d after cleaning", "SD", 0.0, 2.5, "this design, see below", "one draw"),
}


def measure_real_tables():
    """Measure the two real tables as the simulated ones are measured.

    Returns
    -------
    DataFrame, shape (2, n_figures)
        The person who moves little, then the one who moves much.
    """
    import nilearn.interfaces.fmriprep

    folder = Path(nilearn.interfaces.fmriprep.__file__).parent / "data"
    rows = []
    for name in REAL_FILES:
        table = read_confounds(folder / name)
        n_dummy = count_dummy_volumes(table)
        steady = table[n_dummy + 1 :]
        signals = table[n_dummy:][list(MEAN_SIGNALS)]
        shared = signals.corr().loc["global_signal", ["csf", "white_matter"]]
        rows.append(
            {
                "fd_controls": table["framewise_displacement"].mean(),
                "dvars_fd": steady["framewise_displacement"].corr(steady["dvars"]),
                "std_dvars": steady["std_dvars"].median(),
                **(100 * signals.std() / signals.mean()).add_prefix("cv_").to_dict(),
                **shared.add_prefix("r_").to_dict(),
            }
        )
    return pd.DataFrame(rows, index=["little motion", "much motion"])
