"""Measures of how well a way of cleaning worked, on tables small enough to work out by hand."""

import numpy as np
import pandas as pd
import pytest

from course_utils.evaluation import (
    cohen_d,
    count_independent_volumes,
    error_to_truth,
    qc_fc,
    qc_fc_by_chance,
    slope_with_distance,
)

PEOPLE = ["01", "02", "03", "04"]
EDGES = pd.MultiIndex.from_tuples([("a", "b"), ("a", "c"), ("b", "c")], names=["region_a", "region_b"])
MEAN_FD = pd.Series([0.1, 0.2, 0.3, 0.4], PEOPLE)
GROUPS = pd.Series(["CONTROL", "CONTROL", "SCHZ", "SCHZ"], PEOPLE)


def table(rows):
    return pd.DataFrame(rows, PEOPLE[: len(rows)], EDGES, dtype=float)


def test_a_shift_of_all_edges_is_level_and_not_pattern():
    planted = table([[0.3, 0.5, 0.7], [0.1, 0.2, 0.6]])
    found = error_to_truth(planted - 0.2, planted)
    assert np.allclose(found, [[1, -0.2, 0.2]] * 2)


def test_a_wrong_pattern_at_the_right_level():
    error = error_to_truth(table([[0.5, 0.3, 0.1]]), table([[0.1, 0.3, 0.5]])).loc["01"]
    assert np.allclose(error, [-1, 0, np.sqrt((0.16 + 0.16) / 3)])


def test_edges_without_a_value_are_left_out_of_the_error():
    error = error_to_truth(table([[0.1, np.nan, 0.5]]), table([[0.2, 0.9, 0.6]])).loc["01"]
    assert np.allclose(error, [1, -0.1, 0.1])


def test_truth_of_other_people_and_in_another_order_is_no_matter():
    found = table([[0.1, 0.2, 0.4]] * 2)
    planted = table([[0.1, 0.2, 0.4]] * 4).iloc[::-1, ::-1]
    assert np.allclose(error_to_truth(found, planted), [[1, 0, 0]] * 2)


def test_qc_fc_by_hand():
    found = qc_fc(table([[0.1, 0.4, 0.3], [0.2, 0.3, np.nan], [0.3, 0.2, 0.1], [0.4, 0.1, 0.2]]), MEAN_FD)
    assert np.allclose(found[:2], [1, -1])
    assert np.isnan(found.iloc[2]), "an edge that somebody lacks has no QC-FC"
    assert found.index.equals(EDGES)


def test_a_difference_between_groups_is_not_motion_within_them():
    """The edge follows the group exactly, and motion inside a group not at all."""
    correlations = table([[0.5, 0.1, 0], [0.5, 0.2, 1], [0.2, 0.1, 0], [0.2, 0.2, 1]])
    assert qc_fc(correlations, MEAN_FD).iloc[0] == pytest.approx(-2 / np.sqrt(5))
    within = qc_fc(correlations + 1e-9 * np.outer([0, 1, 1, 0], [1, 0, 0]), MEAN_FD, groups=GROUPS)
    assert within.iloc[0] == pytest.approx(0, abs=1e-6)
    assert within.iloc[1] == pytest.approx(1)


def test_too_few_people_are_refused():
    with pytest.raises(ValueError, match="2 people are too few"):
        qc_fc(table([[0.1, 0.2, 0.3], [0.1, 0.2, 0.3]]), MEAN_FD)


def random_people(n_people, n_edges, rng):
    people = [f"{i:03}" for i in range(n_people)]
    return pd.DataFrame(rng.normal(size=(n_people, n_edges)), people), pd.Series(
        rng.uniform(0.1, 0.5, n_people), people
    )


def test_each_shuffle_is_a_qc_fc_of_some_order():
    """With three people there are six orders; what is found must be among them, and all of them are."""
    correlations, mean_fd = random_people(3, 1, np.random.default_rng(1))
    orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]]
    possible = {
        round(float(qc_fc(correlations, pd.Series(mean_fd.to_numpy()[o], mean_fd.index)).iloc[0]), 9) for o in orders
    }
    shuffled = qc_fc_by_chance(correlations, mean_fd, n_permutations=200, rng=np.random.default_rng(2))
    assert {round(float(r), 9) for r in shuffled[:, 0]} == possible


def test_chance_level_of_twenty_people():
    """Median absolute r of independent edges: 0.160 (the median of |r| under no correlation, 18 degrees of freedom)."""
    correlations, mean_fd = random_people(20, 3000, np.random.default_rng(3))
    shuffled = qc_fc_by_chance(correlations, mean_fd, n_permutations=50, rng=np.random.default_rng(4))
    assert np.median(np.abs(shuffled)) == pytest.approx(0.160, abs=0.003)
    assert shuffled.shape == (50, 3000)


def test_shuffling_within_groups_keeps_the_groups_apart():
    """Motion differs between the groups only; within them there is nothing to shuffle."""
    correlations, _ = random_people(4, 5, np.random.default_rng(5))
    groups = pd.Series(["a", "a", "b", "b"], correlations.index)
    mean_fd = pd.Series([0.1, 0.2, 5.1, 5.2], correlations.index)
    real = qc_fc(correlations, mean_fd, groups=groups).abs()
    shuffled = qc_fc_by_chance(correlations, mean_fd, n_permutations=40, rng=np.random.default_rng(6), groups=groups)
    # two people in a group can keep their motion or swap it: with both groups kept or both swapped, r is the real one
    same = np.isclose(np.abs(shuffled), real.to_numpy()).all(axis=1)
    assert 5 < same.sum() < 35


def test_slope_is_per_100_mm_and_leaves_nan_out():
    distances = np.array([0.0, 50, 100, 150])
    assert slope_with_distance([0.3, 0.2, 0.1, 0.0], distances) == pytest.approx(-0.2)
    assert slope_with_distance([0.3, np.nan, 0.1, 0.0], distances) == pytest.approx(-0.2)
    many = slope_with_distance([[0.3, 0.2, 0.1, 0.0], [0.0, 0.5, 1.0, 1.5]], distances)
    assert np.allclose(many, [-0.2, 1.0])


@pytest.mark.parametrize("n", [20, 150])
def test_white_noise_is_worth_its_volumes(n):
    noise = np.random.default_rng(7).standard_normal((n, 90))
    r = np.corrcoef(noise, rowvar=False)[np.triu_indices(90, 1)]
    assert count_independent_volumes(pd.DataFrame([r])).iloc[0] == pytest.approx(n, rel=0.06)


def test_cohen_d_by_hand():
    """Means 2 and 1; variances 1 and 1; unequal sizes."""
    assert cohen_d(pd.Series([1.0, 2, 3]), pd.Series([0.0, 1, 2])) == pytest.approx(1)
    # variances 1 (3 people) and 0.5 (2 people): pooled (2 * 1 + 1 * 0.5) / 3
    assert cohen_d(pd.Series([1.0, 2, 3]), pd.Series([0.5, 1.5])) == pytest.approx(1 / np.sqrt(2.5 / 3))
