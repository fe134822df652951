"""Ways of cleaning a run, by name: which columns to regress out, which frequencies to keep.

Each is a plain description, so that one loop can try them all on the same averages.
"""

from dataclasses import dataclass

from nilearn import signal

from course_utils.confounds import MOTION_PARAMETERS, NINE_REGRESSORS, select_confounds

BAND = (0.009, 0.08)  # Hz, high-pass and low-pass edge
N_COMPONENTS = 5  # of aCompCor: Behzadi et al. 2007, doi 10.1016/j.neuroimage.2007.04.042


@dataclass(frozen=True)
class Strategy:
    """One way of cleaning.

    Attributes
    ----------
    signals : tuple of str
        Columns of the confounds table that are used as they are.
    derivatives, powers : bool
        Whether the difference from the volume before, and the square, of each of these (and of each other's) go along.
    compcor : bool
        Whether the first anatomical components (five, or all if there are fewer) go along, with the slow cosines that
        they need.
    high_pass, low_pass : float or None
        Edges of the frequency band that is kept, in Hz.
    """

    signals: tuple = ()
    derivatives: bool = False
    powers: bool = False
    compcor: bool = False
    high_pass: float | None = BAND[0]
    low_pass: float | None = BAND[1]

    def choose_columns(self, table):
        """Choose the columns of a confounds table.

        Parameters
        ----------
        table : DataFrame, shape (n_volumes, n_columns)
            From `course_utils.confounds.read_confounds`.

        Returns
        -------
        list of str
            Their names; empty if nothing is regressed out.
        """
        endings = [""] + ["_derivative1"] * self.derivatives + ["_power2"] * self.powers
        endings += ["_derivative1_power2"] * (self.derivatives and self.powers)
        chosen = [name + ending for ending in endings for name in self.signals]
        if self.compcor:
            # fMRIPrep keeps components up to half of the variance: in a few runs fewer than five
            chosen += [name for name in table.columns if name.startswith("a_comp_cor")][:N_COMPONENTS]
            chosen += [name for name in table.columns if name.startswith("cosine")]
        return chosen


TISSUES = ("csf", "white_matter")
STRATEGIES = {
    "none": Strategy(high_pass=None, low_pass=None),
    "band": Strategy(),
    "6P": Strategy(MOTION_PARAMETERS),
    "9P": Strategy(NINE_REGRESSORS),
    "16P": Strategy((*MOTION_PARAMETERS, *TISSUES), derivatives=True),
    "18P": Strategy(NINE_REGRESSORS, derivatives=True),
    "24P": Strategy(MOTION_PARAMETERS, derivatives=True, powers=True),
    "36P": Strategy(NINE_REGRESSORS, derivatives=True, powers=True),
    # the cosines are its high-pass filter: a second one would be fitted to what they left
    "aCompCor": Strategy(MOTION_PARAMETERS, derivatives=True, compcor=True, high_pass=None),
}


def clean_with(strategy, averages, table, *, t_r, n_dummy):
    """Clean the signals of regions with one strategy.

    Parameters
    ----------
    strategy : Strategy
        One of `STRATEGIES`, or your own.
    averages : array-like, shape (n_volumes - n_dummy, n_regions)
        Not cleaned, the dummy volumes dropped, no NaN.
    table : DataFrame, shape (n_volumes, n_columns)
        From `course_utils.confounds.read_confounds`, the dummy volumes still in it.
    t_r : float
        Repetition time in seconds.
    n_dummy : int
        Volumes that were dropped from the start.

    Returns
    -------
    ndarray, shape (n_volumes - n_dummy, n_regions)
        Detrended; mean 0 and standard deviation 1.

    Raises
    ------
    ValueError
        If columns are missing from the table.
    """
    columns = strategy.choose_columns(table)
    return signal.clean(
        averages,
        confounds=select_confounds(table, columns, n_dummy=n_dummy) if columns else None,
        t_r=t_r,
        high_pass=strategy.high_pass,
        low_pass=strategy.low_pass,
        detrend=True,
        standardize="zscore_sample",
        butterworth__copy=True,  # the same numbers, four times as fast: all signals at once, not one by one
    )
