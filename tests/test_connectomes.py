"""Correlations with names, and lists of edges, worked out by hand."""

import numpy as np
import pandas as pd
import pytest
from nilearn.connectome import ConnectivityMeasure, sym_matrix_to_vec
from sklearn.covariance import EmpiricalCovariance

from course_utils.connectomes import average_by_network, correlate_group, correlate_regions, edges

NAMES = ["a", "b", "c", "d"]


@pytest.fixture
def time_series():
    """Four regions, 50 volumes."""
    rng = np.random.default_rng(3)
    return pd.DataFrame(rng.normal(size=(50, 4)) @ rng.normal(size=(4, 4)), columns=NAMES)


def test_three_volumes_by_hand():
    series = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": [1.0, 3.0, 2.0], "c": [3.0, 2.0, 1.0]})
    # deviations -1 0 1 and -1 1 0: sum of products 1, sums of squares 2 and 2
    expected = pd.DataFrame([[1, 0.5, -1], [0.5, 1, -0.5], [-1, -0.5, 1]], list("abc"), list("abc"))
    pd.testing.assert_frame_equal(correlate_regions(series), expected)


def test_same_as_nilearn_with_the_plain_covariance(time_series):
    measure = ConnectivityMeasure(kind="correlation", cov_estimator=EmpiricalCovariance(), standardize="zscore_sample")
    theirs = measure.fit_transform([time_series.to_numpy()])[0]
    np.testing.assert_allclose(correlate_regions(time_series), theirs, atol=1e-12)


def test_scale_and_offset_do_not_matter(time_series):
    moved = time_series * [1, 10, 0.01, 5] + [0, 100, -3, 7]
    np.testing.assert_allclose(correlate_regions(moved), correlate_regions(time_series), atol=1e-12)


def test_symmetric_with_ones(time_series):
    connectome = correlate_regions(time_series).to_numpy()
    assert np.array_equal(connectome, connectome.T)
    assert np.array_equal(np.diag(connectome), np.ones(4))
    assert (np.abs(connectome) <= 1).all()


def test_lost_regions_stay_and_change_nothing_else(time_series):
    whole = correlate_regions(time_series)
    connectome = correlate_regions(time_series.assign(b=np.nan))
    assert connectome.index.tolist() == connectome.columns.tolist() == NAMES
    assert connectome.loc["b"].isna().all()
    assert connectome["b"].isna().all()
    kept = ["a", "c", "d"]
    np.testing.assert_allclose(connectome.loc[kept, kept], whole.loc[kept, kept])


@pytest.mark.parametrize("n_left", [0, 1])
def test_all_regions_lost_but(time_series, n_left):
    series = time_series.copy()
    series.iloc[:, n_left:] = np.nan
    connectome = correlate_regions(series)
    assert connectome.shape == (4, 4)
    assert connectome.notna().to_numpy().sum() == n_left


def test_what_has_no_correlation(time_series):
    with pytest.raises(ValueError, match="c are constant"):
        correlate_regions(time_series.assign(c=1.0))
    hole = time_series.copy()
    hole.loc[7, "d"] = np.nan
    with pytest.raises(ValueError, match="d have NaN at some volumes"):
        correlate_regions(hole)
    with pytest.raises(ValueError, match=r"\['a'\] occur more than once"):
        correlate_regions(time_series.rename(columns={"b": "a"}))


def test_edges_by_hand():
    connectome = pd.DataFrame([[1, 2, 3], [2, 1, np.nan], [3, np.nan, 1]], list("abc"), list("abc"), dtype=float)
    found = edges(connectome)
    assert found.index.tolist() == [("a", "b"), ("a", "c"), ("b", "c")]
    assert found.index.names == ["region_a", "region_b"]
    assert found.tolist()[:2] == [2, 3]
    assert np.isnan(found["b", "c"])


@pytest.mark.parametrize("n", [0, 1, 2, 5, 64])
def test_number_of_edges(n):
    names = [f"r{i}" for i in range(n)]
    assert len(edges(pd.DataFrame(np.eye(n), names, names))) == n * (n - 1) // 2


def test_edges_hold_what_the_matrix_holds(time_series):
    connectome = correlate_regions(time_series)
    for (a, b), r in edges(connectome).items():
        assert r == connectome.loc[a, b] == connectome.loc[b, a]
    theirs = sym_matrix_to_vec(connectome.to_numpy(), discard_diagonal=True)
    np.testing.assert_allclose(sorted(edges(connectome)), sorted(theirs))


def test_matrices_that_have_no_edges(time_series):
    connectome = correlate_regions(time_series)
    with pytest.raises(ValueError, match="Rows and columns of the connectome differ"):
        edges(connectome[["b", "a", "c", "d"]])
    with pytest.raises(ValueError, match="not symmetric"):
        edges(connectome + np.triu(np.ones((4, 4))))


def test_averages_by_network_by_hand():
    # arctanh(0.6) = ln 2: half of it comes back as (2 - 1) / (2 + 1)
    values = [[1, 0.6, 0.6, 0], [0.6, 1, 0, 0], [0.6, 0, 1, np.nan], [0, 0, np.nan, 1]]
    connectome = pd.DataFrame(values, NAMES, NAMES)
    networks = pd.Series({"d": "three", "a": "one", "b": "one", "c": "two"})
    means = average_by_network(connectome, networks)
    assert means.index.tolist() == ["one", "two", "three"]
    # one: a-b inside; a-c 0.6, a-d 0, b-c 0, b-d 0 outside
    np.testing.assert_allclose(means.loc["one"], [0.6, np.tanh(np.log(2) / 4)])
    # two: no edge inside; a-c 0.6, b-c 0, c-d missing
    np.testing.assert_allclose(means.loc["two"], [np.nan, 1 / 3])
    np.testing.assert_allclose(means.loc["three"], [np.nan, 0])


def test_one_row_a_person(time_series):
    lost = time_series.assign(b=np.nan)
    found = correlate_group({"59001": lost, "19001": time_series[:30]})
    assert found.index.tolist() == ["59001", "19001"]
    assert found.index.name == "subject"
    pd.testing.assert_series_equal(found.loc["19001"], edges(correlate_regions(time_series[:30])), check_names=False)
    assert found.columns[found.loc["59001"].isna()].tolist() == [("a", "b"), ("b", "c"), ("b", "d")]


def test_people_who_cannot_be_put_in_one_table(time_series):
    with pytest.raises(ValueError, match="There is nobody"):
        correlate_group({})
    with pytest.raises(ValueError, match="The regions of 19002 differ from those of 19001"):
        correlate_group({"19001": time_series, "19002": time_series[["b", "a", "c", "d"]]})
