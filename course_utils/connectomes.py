"""From time series to matrices of correlation with the names of the regions, and to lists of edges."""

import numpy as np
import pandas as pd


def correlate_regions(time_series):
    """Correlate every pair of regions over time.

    This is Pearson's r from the plain (empirical) covariance. nilearn's `ConnectivityMeasure` computes it from a shrunk
    covariance unless it is told otherwise, rejects NaN, and returns a matrix without names.

    Parameters
    ----------
    time_series : DataFrame, shape (n_volumes, n_regions)
        Cleaned BOLD, arbitrary units; one named column per region. A region without data is a column of NaN.

    Returns
    -------
    connectome : DataFrame, shape (n_regions, n_regions)
        Pearson r in [-1, 1], symmetric, diagonal exactly 1. A region without data keeps its row and its column: NaN.

    Raises
    ------
    ValueError
        If a region is constant, so that its r is undefined; if a column has some NaN but is not all NaN; or if two
        regions have one name.

    Examples
    --------
    >>> time_series = pd.DataFrame({"left": [1.0, 2.0, 3.0], "right": [2.0, 4.0, 6.0], "lost": [np.nan] * 3})
    >>> correlate_regions(time_series).round(2)
           left  right  lost
    left    1.0    1.0   NaN
    right   1.0    1.0   NaN
    lost    NaN    NaN   NaN
    """
    regions = time_series.columns
    if not regions.is_unique:
        twice = sorted(set(regions[regions.duplicated()]))
        raise ValueError(f"The names {twice} occur more than once. Expected one name per region: rename them.")
    missing = time_series.isna()
    patchy = regions[missing.any() & ~missing.all()]
    if len(patchy):
        raise ValueError(
            f"{', '.join(patchy)} have NaN at some volumes. Expected a number at every volume, or at none."
        )
    alive = time_series.loc[:, ~missing.any()]
    values = alive.to_numpy(dtype=float)
    constant = alive.columns[np.ptp(values, axis=0) == 0]
    if len(constant):
        raise ValueError(
            f"{', '.join(constant)} are constant: their correlation is undefined. Set regions without data to NaN."
        )
    r = np.clip(np.corrcoef(values, rowvar=False), -1, 1).reshape(alive.shape[1], alive.shape[1])
    r = (r + r.T) / 2
    np.fill_diagonal(r, 1)
    names = regions.rename(None)
    return pd.DataFrame(r, alive.columns, alive.columns).reindex(index=names, columns=names)


def edges(connectome):
    """List every pair of regions once: the part of the matrix above its diagonal.

    Parameters
    ----------
    connectome : DataFrame, shape (n_regions, n_regions)
        Symmetric, with the same names on rows and columns.

    Returns
    -------
    values : Series, shape (n_regions * (n_regions - 1) / 2,)
        One value per edge, row by row; the index has two levels, `region_a` and `region_b`. NaN stays.

    Raises
    ------
    ValueError
        If rows and columns do not have the same names in the same order, or the matrix is not symmetric.

    Examples
    --------
    >>> names = ["a", "b", "c"]
    >>> connectome = pd.DataFrame([[1, 0.2, 0.3], [0.2, 1, 0.4], [0.3, 0.4, 1]], names, names)
    >>> edges(connectome).loc["a", "c"]
    np.float64(0.3)
    """
    if not connectome.index.equals(connectome.columns):
        raise ValueError(
            f"Rows and columns of the connectome differ: shape {connectome.shape}. Expected the same names in the same "
            "order: reindex both alike."
        )
    values = connectome.to_numpy(dtype=float)
    if not np.allclose(values, values.T, equal_nan=True):
        raise ValueError("The connectome is not symmetric, so half of it does not hold every edge.")
    row, column = np.triu_indices(len(values), k=1)
    index = pd.MultiIndex.from_arrays([connectome.index[row], connectome.index[column]], names=["region_a", "region_b"])
    return pd.Series(values[row, column], index=index)


def average_by_network(connectome, networks):
    """Average the edges inside each network, and those between it and all others.

    The mean is taken over Fisher's z = arctanh(r) and brought back to r.

    Parameters
    ----------
    connectome : DataFrame, shape (n_regions, n_regions)
        Pearson r, from `correlate_regions`. Edges that are NaN are left out.
    networks : Series, shape (n_regions,)
        Network of each region, indexed by the region's name.

    Returns
    -------
    means : DataFrame, shape (n_networks, 2)
        Columns "within" and "between", Pearson r; one row per network, in the order in which they first occur. NaN
        where there is no edge.
    """
    z = np.arctanh(edges(connectome))
    first, second = (networks.loc[z.index.get_level_values(level)].to_numpy() for level in (0, 1))
    means = {}
    for network in dict.fromkeys(networks.loc[connectome.index]):
        inside = (first == network) & (second == network)
        touching = (first == network) | (second == network)
        means[network] = {"within": np.tanh(z[inside].mean()), "between": np.tanh(z[touching & ~inside].mean())}
    return pd.DataFrame(means).T.rename_axis("network")


def correlate_group(time_series):
    """Correlate every pair of regions in each person: one row a person, one column an edge.

    Parameters
    ----------
    time_series : dict of str to DataFrame, shape (n_volumes, n_regions)
        Cleaned BOLD of each person, with the same regions in the same order; as from `Group.clean` of
        `course_utils.group`. The number of volumes may differ.

    Returns
    -------
    correlations : DataFrame, shape (n_people, n_edges)
        Pearson r; rows in the order of the dict, columns those of `edges` (`region_a`, `region_b`). NaN where one of
        the two regions has no data in that person.

    Raises
    ------
    ValueError
        If there is nobody, or if the regions of two people differ.

    Examples
    --------
    >>> one = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": [1.0, 3.0, 2.0]})
    >>> correlate_group({"19001": one, "19002": -one}).loc["19002", ("a", "b")].round(2)
    np.float64(0.5)
    """
    if not time_series:
        raise ValueError("There is nobody to correlate: time_series is empty.")
    first, *others = time_series
    for subject in others:
        if not time_series[subject].columns.equals(time_series[first].columns):
            raise ValueError(
                f"The regions of {subject} differ from those of {first}, in their names or their order. Expected one "
                "atlas for everybody."
            )
    rows = {subject: edges(correlate_regions(series)) for subject, series in time_series.items()}
    return pd.DataFrame(rows).T.rename_axis("subject")
