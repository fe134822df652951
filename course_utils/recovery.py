"""Many ways of cleaning one study, and one table that says what each of them recovers and what it costs.

The ways are those of `course_utils.strategies`, and a few more without the band or without the volumes in which the
head moved. The measures are those of `course_utils.evaluation`.
"""

from dataclasses import replace

import nibabel as nib
import numpy as np
import pandas as pd
from scipy.spatial.distance import pdist

from course_utils.atlases import fetch_course_networks, resample_atlas
from course_utils.confounds import clean_censored, select_confounds
from course_utils.connectomes import correlate_group, edges
from course_utils.evaluation import (
    cohen_d,
    count_independent_volumes,
    error_to_truth,
    qc_fc,
    qc_fc_by_chance,
    slope_with_distance,
)
from course_utils.group import extract_group
from course_utils.layout import find_run, open_layout
from course_utils.strategies import STRATEGIES
from course_utils.truth import list_truths, read_truth

NO_BAND = {"high_pass": None, "low_pass": None}
FD_THRESHOLD = 0.5  # mm, as in episode 06
# name of a way of cleaning -> its strategy, and the FD in mm above which a volume is left out
WAYS = {name: (strategy, None) for name, strategy in STRATEGIES.items()} | {
    "18P, no band": (replace(STRATEGIES["18P"], **NO_BAND), None),
    "36P, no band": (replace(STRATEGIES["36P"], **NO_BAND), None),
    "18P, scrubbed": (STRATEGIES["18P"], FD_THRESHOLD),
    "aCompCor, scrubbed": (STRATEGIES["aCompCor"], FD_THRESHOLD),
}


def clean_scrubbed(group, strategy, *, fd_threshold):
    """Clean the signals of a group, and leave out the volumes in which the head moved much.

    Parameters
    ----------
    group : Group
        From `course_utils.group.extract_group`.
    strategy : Strategy
        From `course_utils.strategies`.
    fd_threshold : float
        Volumes with a framewise displacement above it, in mm, are left out.

    Returns
    -------
    dict of str to DataFrame, shape (n_kept, n_regions)
        Of each person, as `course_utils.confounds.clean_censored` gives it: mean 0, unit of the image.

    Raises
    ------
    ValueError
        If too few volumes of a person are left for the confounds of the strategy. Leave that person out.
    """
    cleaned = {}
    for subject in group.subjects:
        table, n_dummy = group.confounds[subject], int(group.participants.loc[subject, "n_dummy"])
        columns = strategy.choose_columns(table)
        moved = table["framewise_displacement"].iloc[n_dummy:] > fd_threshold
        try:
            cleaned[subject] = clean_censored(
                group.averages[subject],
                sample_mask=np.flatnonzero(~moved),
                t_r=group.t_r,
                confounds=select_confounds(table, columns, n_dummy=n_dummy) if columns else None,
                low_pass=strategy.low_pass,
                high_pass=strategy.high_pass,
            )
        except ValueError as error:
            raise ValueError(f"sub-{subject} at {fd_threshold:g} mm: {error}") from error
    return cleaned


def correlate_ways(group, ways=WAYS):
    """Clean a group in several ways, and correlate all pairs of regions after each.

    Parameters
    ----------
    group : Group
        From `course_utils.group.extract_group`.
    ways : dict of str to tuple
        Name, and (Strategy, FD threshold in mm or None), as in `WAYS`.

    Returns
    -------
    dict of str to DataFrame, shape (n_people, n_edges)
        Pearson r, as from `course_utils.connectomes.correlate_group`.
    """
    return {
        name: correlate_group(
            group.clean(strategy) if threshold is None else clean_scrubbed(group, strategy, fd_threshold=threshold)
        )
        for name, (strategy, threshold) in ways.items()
    }


def replace_by_noise(group, *, rng, subjects=None):
    """Put white noise in the place of people's signals, and keep confounds and lengths.

    Cleaned like the signals, it shows how large correlations become by chance.

    Parameters
    ----------
    group : Group
        From `course_utils.group.extract_group`.
    rng : numpy.random.Generator
        Source of the noise.
    subjects : sequence of str, optional
        For whom; without it, everybody.

    Returns
    -------
    Group
        These people, with their confounds.
    """
    averages = {}
    for subject in group.subjects if subjects is None else subjects:
        signals = group.averages[subject]
        averages[subject] = pd.DataFrame(rng.standard_normal(signals.shape), signals.index, signals.columns)
    return replace(group, averages=averages)


def read_planted_edges(study, atlas, subjects):
    """Read the planted correlation of every pair of regions.

    Parameters
    ----------
    study : Study
        The simulated one.
    atlas : Bunch
        On the grid of the runs.
    subjects : sequence of str
        Labels.

    Returns
    -------
    DataFrame, shape (n_people, n_edges)
        Pearson r, with the columns of `course_utils.connectomes.correlate_group`.

    Raises
    ------
    ValueError
        If the study has no truth.
    """
    names = atlas.lut[atlas.lut["index"] != 0].set_index("index")["name"]
    rows = {}
    for subject in subjects:
        connectome = read_truth(study, subject).region_connectome(atlas.maps)
        connectome = connectome.rename(index=names, columns=names).reindex(index=list(names), columns=list(names))
        rows[subject] = edges(connectome)
    return pd.DataFrame(rows).T.rename_axis("subject")


def edge_networks(edge_names, networks):
    """Look up the networks of the two regions of each edge.

    Parameters
    ----------
    edge_names : MultiIndex, shape (n_edges,)
        Columns of a table from `course_utils.connectomes.correlate_group`.
    networks : Series
        Network of each region, indexed by the region's name.

    Returns
    -------
    ndarray of str, shape (n_edges, 2)
    """
    return np.column_stack([networks.loc[edge_names.get_level_values(level)] for level in (0, 1)])


def recovery_table(correlations, people, *, distances, inside, rng, planted=None, noise=None, n_permutations=1000):
    """Put every measure of every way of cleaning into one table.

    Parameters
    ----------
    correlations : dict of str to DataFrame, shape (n_people, n_edges)
        From `correlate_ways`.
    people : DataFrame
        `mean_fd` (mm) and `diagnosis` ("CONTROL" or another) of each person.
    distances : ndarray, shape (n_edges,)
        Between the centres of the two regions, in mm.
    inside : ndarray of bool, shape (n_edges,)
        Edges whose mean Fisher z is compared between the groups.
    rng : numpy.random.Generator
        For the shuffling of QC-FC.
    planted : DataFrame, shape (n_people, n_edges), optional
        From `read_planted_edges`; without it, the columns `pattern` and `level` and the row "planted" are left out.
    noise : dict of str to DataFrame, optional
        From `correlate_ways`, of noise; without it the column `volumes` is left out.
    n_permutations : int
        For the chance level of QC-FC.

    Returns
    -------
    DataFrame, one row a way
        `pattern`, `level`: means over people, from `error_to_truth`. `qc_fc`, `qc_fc_chance`: median absolute QC-FC
        over edges, and the 97.5th percentile of what shuffled motion gives. `slope`: of QC-FC, per 100 mm. `volumes`:
        independent volumes that a run is worth. `d`: difference between the groups in this one study.
    """
    rows = {}
    if planted is not None:
        rows["planted"] = {"pattern": 1.0, "level": 0.0, "d": _group_difference(planted, people, inside)}
    for name, found in correlations.items():
        row = {} if planted is None else error_to_truth(found, planted)[["pattern", "level"]].mean().to_dict()
        of_motion = qc_fc(found, people["mean_fd"])
        chance = qc_fc_by_chance(found, people["mean_fd"], n_permutations=n_permutations, rng=rng)
        row |= {"qc_fc": of_motion.abs().median()}
        row |= {"qc_fc_chance": np.percentile(np.nanmedian(np.abs(chance), axis=1), 97.5)}
        row |= {"slope": slope_with_distance(of_motion, distances)}
        if noise is not None:
            row["volumes"] = count_independent_volumes(noise[name]).mean()
        rows[name] = row | {"d": _group_difference(found, people, inside)}
    return pd.DataFrame(rows).T.rename_axis("way")


def _group_difference(correlations, people, inside):
    """Cohen's d of the mean Fisher z over some edges, controls minus patients."""
    z = np.arctanh(correlations.loc[:, inside]).mean(axis=1)
    control = people.loc[z.index, "diagnosis"] == "CONTROL"
    return cohen_d(z[control], z[~control])


def evaluate_study(study, ways=WAYS, *, network="DefaultMode", seed=10, n_jobs=None):
    """Make the recovery table of one study, from its files.

    Parameters
    ----------
    study : Study
        From `course_utils.dataset.open_study`. Where nothing was planted, the columns that need it are left out.
    ways : dict of str to tuple
        As in `WAYS`.
    network : str
        Network of the course's atlas in which the groups are compared.
    seed : int
        Of the noise and of the shuffling.
    n_jobs : int, optional
        Processes that read the runs.

    Returns
    -------
    DataFrame
        As from `recovery_table`.
    """
    rng = np.random.default_rng(seed)
    layout = open_layout(study)
    atlas = resample_atlas(fetch_course_networks(study), nib.load(find_run(layout, layout.get_subjects()[0]).mask))
    regions = atlas.lut[atlas.lut["index"] != 0].set_index("name")
    group = extract_group(study, atlas, n_jobs=n_jobs)
    found = correlate_ways(group, ways)
    network_of = edge_networks(next(iter(found.values())).columns, regions["network"])
    return recovery_table(
        found,
        group.participants,
        distances=pdist(regions[["x", "y", "z"]]),
        inside=(network_of == network).all(axis=1),
        rng=rng,
        planted=read_planted_edges(study, atlas, group.subjects) if list_truths(study) else None,
        noise=correlate_ways(replace_by_noise(group, rng=rng), ways),
    )
