"""What episode 10 says of the repeated simulated studies holds in the table that it reads."""

import pytest
from scipy import stats
from statsmodels.formula.api import ols

from course_utils.replicates import load_replicates
from course_utils.strategies import STRATEGIES

MOTION_ONLY = ("none", "band", "6P", "24P")
MEAN_SIGNALS = ("9P", "16P", "18P", "36P")


@pytest.fixture(scope="module")
def replicates():
    return load_replicates()


@pytest.fixture(scope="module")
def differences(replicates):
    """Mean Cohen's d over the studies, by effect and strategy."""
    of_group = replicates.groupby(["effect", "strategy", "study", "diagnosis"])["default_mode"]
    mean, variance = of_group.mean().unstack(), of_group.var().unstack()
    d = (mean["CONTROL"] - mean["SCHZ"]) / variance.mean(axis=1) ** 0.5
    return d.groupby(["effect", "strategy"]).mean()


def with_motion(replicates, strategy):
    rows = replicates[(replicates["effect"] == "none") & (replicates["strategy"] == strategy)]
    found = stats.pearsonr(rows["mean_fd"], rows["default_mode"])
    return found.statistic, found.confidence_interval(), len(rows)


def test_there_are_400_people_and_all_strategies(replicates):
    assert set(replicates["strategy"]) == {"truth", "signals", *STRATEGIES}
    assert with_motion(replicates, "18P")[2] == 400


def test_both_kinds_of_study_have_the_same_people(replicates):
    one, other = (
        replicates[(replicates["effect"] == e) & (replicates["strategy"] == "truth")].set_index(["study", "subject"])
        for e in ("none", "planted")
    )
    assert one.index.equals(other.index)
    assert (one["age"] == other["age"]).all()
    assert (one["mean_fd"] - other["mean_fd"]).abs().max() < 0.01


@pytest.mark.parametrize("strategy", MEAN_SIGNALS)
def test_mean_signals_tie_the_network_to_motion_downwards(replicates, strategy):
    _, interval, _ = with_motion(replicates, strategy)
    assert interval.high < 0


@pytest.mark.parametrize("strategy", ["none", "6P", "24P"])
def test_motion_parameters_only_tie_it_upwards(replicates, strategy):
    _, interval, _ = with_motion(replicates, strategy)
    assert interval.low > 0


@pytest.mark.parametrize("strategy", ["truth", "signals"])
def test_what_was_planted_does_not_know_motion(replicates, strategy):
    r, interval, _ = with_motion(replicates, strategy)
    assert abs(r) < 0.1
    assert interval.low < 0 < interval.high


def test_what_is_lost_and_what_is_invented(differences):
    planted, none = differences["planted"], differences["none"]
    assert (planted[list(MOTION_ONLY)] < 0.6 * planted["truth"]).all()
    assert (planted[[*MEAN_SIGNALS, "aCompCor"]] > 0.7 * planted["truth"]).all()
    assert (none[list(MEAN_SIGNALS)] > 0.15).all()
    assert abs(none["aCompCor"]) < none[list(MEAN_SIGNALS)].min()
    recovered = planted - none
    assert planted["9P"] > planted["aCompCor"], "who finds more ..."
    assert recovered["9P"] < recovered["aCompCor"], "... need not recover more"


def test_no_strategy_is_nearest_to_the_truth_in_pattern_and_free_of_motion(replicates, differences):
    """First in one column, not in another: the page says that nothing wins everywhere."""
    none = replicates[replicates["effect"] == "none"]
    best_pattern = none[none["strategy"].isin(STRATEGIES)].groupby("strategy")["r_truth"].mean().idxmax()
    least_motion = min(STRATEGIES, key=lambda name: abs(with_motion(replicates, name)[0]))
    assert best_pattern != least_motion


def test_motion_as_covariate_takes_out_what_18p_invented(replicates):
    """Interval of the difference in 400 people: without the covariate it leaves 0 out, with it it holds 0."""
    chosen = replicates[(replicates["effect"] == "none") & (replicates["strategy"] == "18P")]
    chosen = chosen.assign(control=(chosen["diagnosis"] == "CONTROL").astype(float))
    alone = ols("default_mode ~ control", chosen).fit().conf_int().loc["control"]
    beside = ols("default_mode ~ control + mean_fd", chosen).fit().conf_int().loc["control"]
    assert alone[0] > 0
    assert beside[0] < 0 < beside[1]


@pytest.mark.parametrize("strategy", list(STRATEGIES))
def test_no_cleaning_passes_the_signals(differences, strategy):
    recovered = differences["planted"] - differences["none"]
    assert recovered[strategy] < recovered["signals"]
