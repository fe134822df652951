"""Loops over people that do one thing in another way: the known mistakes of the first exercise of episode 09."""

import numpy as np
import pandas as pd

from course_utils.confounds import EIGHTEEN_REGRESSORS, count_dummy_volumes, read_confounds
from course_utils.connectomes import correlate_regions, edges
from course_utils.signals import average_regions
from course_utils.strategies import BAND, Strategy, clean_with

_read = {}  # averages of the runs looked at last: all mistakes are made from one reading


def _averages(run, atlas):
    """Average over regions with the dummy volumes still in, reading each run once."""
    if run.bold not in _read or _read[run.bold][0] is not atlas.maps:
        while len(_read) > 5:
            _read.pop(next(iter(_read)))
        _read[run.bold] = atlas.maps, average_regions(run.bold, atlas, n_dummy=0, mask_img=run.mask)
    return _read[run.bold][1]


def mean_z(connectome):
    """Average the edges in Fisher's z, as is right.

    Parameters
    ----------
    connectome : DataFrame, shape (n_regions, n_regions)

    Returns
    -------
    float
    """
    return np.arctanh(edges(connectome)).mean()


def mean_r(connectome):
    """Average the edges without going to z.

    Parameters
    ----------
    connectome : DataFrame, shape (n_regions, n_regions)

    Returns
    -------
    float
    """
    return edges(connectome).mean()


def mean_with_diagonal(connectome):
    """Average all cells of the matrix in Fisher's z, the diagonal too.

    Parameters
    ----------
    connectome : DataFrame, shape (n_regions, n_regions)

    Returns
    -------
    float
        Infinity.
    """
    with np.errstate(divide="ignore"):
        return np.arctanh(connectome.to_numpy()).mean()


def loop_with(*, signals=EIGHTEEN_REGRESSORS, band=BAND, n_dummy=None, everywhere=False, summary=mean_z):
    """Make a loop that does one thing in another way.

    Parameters
    ----------
    signals : tuple of str
        Confounds that are regressed out.
    band : tuple of float or None
        Edges of the filter, in Hz.
    n_dummy : {0, "first"}, optional
        Drop no volume, or of everybody as many as of the first person; without it, what each table says.
    everywhere : bool
        Whether all regions are taken, whatever was asked for.
    summary : callable
        From connectome to number.

    Returns
    -------
    callable
        Takes `runs`, `atlas` and `regions`; returns a dict of numbers by subject.
    """
    strategy = Strategy(tuple(signals), high_pass=band[0], low_pass=band[1])

    def _loop(runs, atlas, regions):
        means = {}
        for run in runs:
            averages, table = _averages(run, atlas), read_confounds(run.confounds)
            counted = read_confounds(runs[0].confounds) if n_dummy == "first" else table
            n = 0 if n_dummy == 0 else count_dummy_volumes(counted)
            kept = averages if everywhere else averages[regions]
            kept = kept.loc[:, kept.notna().all()]
            values = clean_with(strategy, kept.to_numpy()[n:], table, t_r=run.t_r, n_dummy=n)
            means[run.subject] = summary(correlate_regions(pd.DataFrame(values, columns=kept.columns)))
        return means

    return _loop


def last_one_only(runs, atlas, regions):
    """Keep the last person alone.

    Parameters
    ----------
    runs, atlas, regions : list of Run, Bunch, list of str
        As the exercise has them.

    Returns
    -------
    dict
        One number.
    """
    return loop_with()(runs[-1:], atlas, regions)


def last_one_in_all(runs, atlas, regions):
    """Give the number of the last person to everybody.

    Parameters
    ----------
    runs, atlas, regions : list of Run, Bunch, list of str
        As the exercise has them.

    Returns
    -------
    dict
        The same number for each.
    """
    number = last_one_only(runs, atlas, regions)[runs[-1].subject]
    return {run.subject: number for run in runs}
