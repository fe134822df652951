"""How well a way of cleaning worked: how near it comes to the truth, how much motion it leaves, what it costs.

Each function takes a table of correlations, one row a person and one column an edge, as from
`course_utils.connectomes.correlate_group`. Who knows the truth has simulated it; what motion leaves (QC-FC) and what
cleaning costs can be measured in any study.
"""

import numpy as np
import pandas as pd
from scipy import stats

PER = 100  # mm, to which the slope of QC-FC refers


def error_to_truth(correlations, planted):
    """Compare connectomes with the planted ones, person by person.

    Parameters
    ----------
    correlations, planted : DataFrame, shape (n_people, n_edges)
        Pearson r. Of `planted`, the people and edges of `correlations` are used; edges that are NaN in either are left
        out.

    Returns
    -------
    DataFrame, shape (n_people, 3)
        `pattern`: correlation with the truth over edges. `level`: mean difference to the truth. `rms`: root mean square
        of the differences, in which the level is contained.
    """
    planted = planted.loc[correlations.index, correlations.columns]
    difference = correlations - planted
    pattern = {person: correlations.loc[person].corr(planted.loc[person]) for person in correlations.index}
    return pd.DataFrame(
        {
            "pattern": pd.Series(pattern),
            "level": difference.mean(axis=1),
            "rms": np.sqrt((difference**2).mean(axis=1)),
        }
    )


def _without_groups(values, groups):
    """Subtract from each person's values the mean of the group; without groups, nothing."""
    return values if groups is None else values - values.groupby(groups.loc[values.index]).transform("mean")


def qc_fc(correlations, mean_fd, *, groups=None):
    """Correlate each edge with motion, over people.

    Parameters
    ----------
    correlations : DataFrame, shape (n_people, n_edges)
        Pearson r of each person.
    mean_fd : Series
        Mean framewise displacement, in mm, of each of these people.
    groups : Series, optional
        Group of each person. The means of the groups are then taken out of both, so that a difference between groups
        that also move differently does not count as motion.

    Returns
    -------
    Series, shape (n_edges,)
        Pearson r in [-1, 1]; NaN where somebody lacks the edge.

    Raises
    ------
    ValueError
        If there are fewer than three people.
    """
    if len(correlations) < 3:
        raise ValueError(f"{len(correlations)} people are too few to correlate over people. Expected 3 or more.")
    mean_fd = _without_groups(mean_fd.loc[correlations.index].astype(float), groups)
    values = _without_groups(correlations, groups)
    r = stats.pearsonr(values.to_numpy(dtype=float), mean_fd.to_numpy()[:, np.newaxis], axis=0).statistic
    return pd.Series(r, index=correlations.columns)


def qc_fc_by_chance(correlations, mean_fd, *, n_permutations, rng, groups=None):
    """Compute QC-FC as it is when motion belongs to other people: shuffled among them again and again.

    Parameters
    ----------
    correlations : DataFrame, shape (n_people, n_edges)
        Pearson r of each person.
    mean_fd : Series
        Mean framewise displacement, in mm, of each of these people.
    n_permutations : int
        How often.
    rng : numpy.random.Generator
        Source of the shuffling.
    groups : Series, optional
        Group of each person. Their means are then taken out, and motion is shuffled within each group.

    Returns
    -------
    ndarray, shape (n_permutations, n_edges)
        Pearson r; NaN where somebody lacks the edge.
    """
    mean_fd = _without_groups(mean_fd.loc[correlations.index].astype(float), groups)
    values = _without_groups(correlations, groups).to_numpy(dtype=float)
    values = values - values.mean(axis=0)
    group_of = np.zeros(len(mean_fd)) if groups is None else groups.loc[correlations.index].to_numpy()
    shuffled = np.tile(mean_fd.to_numpy() - mean_fd.mean(), (n_permutations, 1))
    for group in np.unique(group_of):
        inside = np.flatnonzero(group_of == group)
        shuffled[:, inside] = rng.permuted(shuffled[:, inside], axis=1)
    scale = np.sqrt((shuffled[:1] ** 2).sum() * (values**2).sum(axis=0))
    return shuffled @ values / scale


def slope_with_distance(values, distances):
    """Fit a straight line to QC-FC against the distance of the two regions.

    Parameters
    ----------
    values : array-like, shape (n_edges,) or (n_permutations, n_edges)
        From `qc_fc` or `qc_fc_by_chance`. Edges that are NaN are left out.
    distances : ndarray, shape (n_edges,)
        Between the centres of the two regions, in mm.

    Returns
    -------
    float or ndarray, shape (n_permutations,)
        Change of r per 100 mm.
    """
    values = np.asarray(values, dtype=float)
    there = ~np.isnan(values).any(axis=tuple(range(values.ndim - 1)))
    return PER * np.polyfit(distances[there], values[..., there].T, 1)[0]


def count_independent_volumes(noise_correlations):
    """Count how many independent volumes a cleaned run is worth, from correlations of noise that was cleaned alike.

    The correlation of two signals of n independent volumes has a variance of 1 / (n - 1). This is turned around.

    Parameters
    ----------
    noise_correlations : DataFrame, shape (n_people, n_edges)
        Pearson r of pairs of noise; NaN are left out.

    Returns
    -------
    Series, shape (n_people,)
        Number of volumes.
    """
    return 1 + 1 / (noise_correlations**2).mean(axis=1)


def cohen_d(controls, patients):
    """Express the difference between two groups in units of their common standard deviation.

    Parameters
    ----------
    controls, patients : Series
        One value a person.

    Returns
    -------
    float
        Positive if the controls have more.
    """
    freedom = len(controls) - 1, len(patients) - 1
    variance = (freedom[0] * controls.var() + freedom[1] * patients.var()) / sum(freedom)
    return (controls.mean() - patients.mean()) / np.sqrt(variance)
