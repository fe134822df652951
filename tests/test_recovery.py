"""Cleaning a group in many ways, and the table of what each recovers, on signals made here."""

import numpy as np
import pandas as pd
import pytest

from course_utils.confounds import MOTION_PARAMETERS
from course_utils.connectomes import correlate_group
from course_utils.group import Group
from course_utils.recovery import (
    WAYS,
    clean_scrubbed,
    correlate_ways,
    edge_networks,
    recovery_table,
    replace_by_noise,
)
from course_utils.strategies import STRATEGIES, Strategy

REGIONS = ["a", "b", "c", "d"]
N_DUMMY, N_KEPT, T_R = 2, 120, 2.0
SIX = Strategy(MOTION_PARAMETERS)


def make_group(n_people=6, *, artefact=0.0, spikes=()):
    """People whose regions a and b go together; a motion parameter is mixed into all regions by `artefact`."""
    rng = np.random.default_rng(10)
    averages, confounds, rows = {}, {}, {}
    for i in range(n_people):
        subject = f"{19001 + i}"
        table = pd.DataFrame(rng.standard_normal((N_KEPT + N_DUMMY, 6)), columns=list(MOTION_PARAMETERS))
        table = table.rolling(5, min_periods=1).mean()  # slow, so that it passes the band
        table["framewise_displacement"] = [np.nan, *rng.uniform(0.05, 0.3, N_KEPT + N_DUMMY - 1)]
        signals = rng.standard_normal((N_KEPT, 4))
        signals[:, 1] += signals[:, 0]
        signals += artefact * table["trans_x"].to_numpy()[N_DUMMY:, None] * np.array([1.0, -1, 1, -1])
        for volume in spikes:
            table.loc[N_DUMMY + volume, "framewise_displacement"] = 2.0
        averages[subject] = pd.DataFrame(100 + signals, pd.RangeIndex(N_DUMMY, N_KEPT + N_DUMMY), REGIONS)
        averages[subject]["lost"] = np.nan
        confounds[subject] = table
        rows[subject] = {
            "diagnosis": "CONTROL" if i % 2 else "SCHZ",
            "mean_fd": table["framewise_displacement"].mean(),
            "n_dummy": N_DUMMY,
        }
    people = pd.DataFrame(rows).T.astype({"mean_fd": float})
    return Group(people, pd.DataFrame(columns=["reason"]), averages, confounds, T_R)


def test_ways_cover_all_strategies_and_the_band_and_scrubbing():
    assert set(STRATEGIES) < set(WAYS)
    assert WAYS["18P, no band"][0].choose_columns([]) == STRATEGIES["18P"].choose_columns([])
    assert (WAYS["18P, no band"][0].low_pass, WAYS["18P, no band"][0].high_pass) == (None, None)
    assert WAYS["18P, scrubbed"] == (STRATEGIES["18P"], 0.5)


def test_without_volumes_above_the_threshold_scrubbing_changes_next_to_nothing():
    group = make_group()
    scrubbed = correlate_group(clean_scrubbed(group, SIX, fd_threshold=0.5))
    assert np.allclose(scrubbed, correlate_group(group.clean(SIX)), atol=0.02, equal_nan=True)


def test_what_is_scrubbed_does_not_matter():
    group, spoilt = make_group(spikes=[20, 21, 60]), make_group(spikes=[20, 21, 60])
    for signals in spoilt.averages.values():
        signals.iloc[[20, 21, 60], :4] += 1000
    ours, theirs = (clean_scrubbed(g, SIX, fd_threshold=0.5)["19001"] for g in (group, spoilt))
    assert len(ours) == N_KEPT - 3
    assert np.allclose(ours, theirs, equal_nan=True)
    assert ours["lost"].isna().all()


def test_a_person_with_too_few_volumes_is_named():
    with pytest.raises(ValueError, match=r"sub-19001 at 0\.01 mm"):
        clean_scrubbed(make_group(), SIX, fd_threshold=0.01)


def test_noise_has_the_lengths_of_the_signals_and_nothing_of_them():
    group = make_group()
    noise = replace_by_noise(group, rng=np.random.default_rng(1), subjects=["19002", "19003"])
    assert noise.subjects == ["19002", "19003"]
    for subject in noise.subjects:
        pd.testing.assert_index_equal(noise.averages[subject].index, group.averages[subject].index)
    r = correlate_group(noise.averages)
    assert r["a", "b"].abs().max() < 0.4
    assert not r.isna().any(axis=None)
    assert group.averages["19002"].mean().iloc[0] > 99, "the group itself is not changed"


def test_networks_of_both_ends():
    networks = pd.Series({"a": "Default", "b": "Default", "c": "Visual"})
    names = pd.MultiIndex.from_tuples([("a", "b"), ("b", "c")])
    assert edge_networks(names, networks).tolist() == [["Default", "Default"], ["Default", "Visual"]]


def make_table(**more):
    group = make_group(artefact=2.0)
    ways = {"none": (STRATEGIES["none"], None), "six": (SIX, None), "six, scrubbed": (SIX, 0.28)}
    found = correlate_ways(group, ways)
    edges = found["none"].columns
    planted = pd.DataFrame(0.0, group.subjects, edges)
    planted["a", "b"] = np.sqrt(0.5) + np.array([0.01, -0.01, 0.02, -0.02, 0.03, 0.01])
    planted.loc[:, [pair for pair in edges if "lost" in pair]] = np.nan
    noise = correlate_ways(replace_by_noise(group, rng=np.random.default_rng(3)), ways)
    return recovery_table(
        found,
        group.participants,
        distances=np.arange(len(edges)) * 10.0,
        inside=np.array([pair in [("a", "b"), ("c", "d")] for pair in edges]),
        rng=np.random.default_rng(4),
        n_permutations=50,
        **({"planted": planted, "noise": noise} if not more else more["without"]),
    )


def test_the_table_tells_cleaned_from_not_cleaned():
    table = make_table()
    assert list(table.index) == ["planted", "none", "six", "six, scrubbed"]
    assert table.loc["planted", "pattern"] == 1
    assert table.loc["none", "pattern"] < 0.5 < table.loc["six", "pattern"]
    assert table.loc["none", "volumes"] == pytest.approx(N_KEPT, rel=0.25)
    assert table.loc["six", "volumes"] < table.loc["none", "volumes"] / 2
    assert table.loc[["none", "six"]].notna().all(axis=None)


def test_without_truth_and_noise_their_columns_are_left_out():
    table = make_table(without={})
    assert list(table.index) == ["none", "six", "six, scrubbed"]
    assert set(table.columns) == {"qc_fc", "qc_fc_chance", "slope", "d"}
