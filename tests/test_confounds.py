"""The confounds table: read whole, columns chosen, dummy volumes dropped, volumes censored."""

import numpy as np
import pandas as pd
import pytest
from nilearn import signal

from course_utils.confounds import (
    EIGHTEEN_REGRESSORS,
    clean_censored,
    count_dummy_volumes,
    read_confounds,
    select_confounds,
)

TABLE = "trans_x\ttrans_x_derivative1\tcsf\n1.5\tn/a\t10\n2.0\t0.5\t20\n1.0\t-1.0\t30\n"


@pytest.fixture
def path(tmp_path):
    """A table of three volumes and three columns."""
    path = tmp_path / "sub-19001_task-rest_desc-confounds_timeseries.tsv"
    path.write_text(TABLE)
    return path


def test_reads_numbers_and_missing_values(path):
    table = read_confounds(path, n_volumes=3)
    assert table["trans_x"].tolist() == [1.5, 2.0, 1.0]
    assert table["csf"].dtype.kind in "if"
    assert np.isnan(table.loc[0, "trans_x_derivative1"])
    assert table["trans_x_derivative1"].tolist()[1:] == [0.5, -1.0]


def test_another_number_of_rows_than_volumes(path):
    with pytest.raises(ValueError, match=r"timeseries.tsv has 3 rows but the run has 152 volumes"):
        read_confounds(path, n_volumes=152)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (TABLE[:-9].rstrip("\n"), "ends inside a line|cut short"),
        (TABLE[: TABLE.rindex("\t")], "2 values in the row of volume 2 but 3 names"),
        (TABLE[:-2], "ends inside a line"),
        ("", "is not a table: found 0 rows"),
        ("trans_x\tcsf\n", "found 0 rows below 2 names"),
        ("one column only\n1\n2\n", "names separated by tabs"),
        (TABLE.replace("20", "abc"), "'abc' in column csf, volume 1"),
        (TABLE.replace("\t", ","), "names separated by tabs"),
        (TABLE.replace("trans_x_derivative1", "csf"), "more than one column csf"),
        (TABLE.replace("20", "").replace("30", ""), "'' in column csf, volume 1"),
    ],
)
def test_damaged_files_are_named(path, content, message):
    path.write_text(content)
    with pytest.raises(ValueError, match=message) as caught:
        read_confounds(path)
    assert str(path) in str(caught.value)


def test_an_image_is_not_a_table(path):
    path.write_bytes(b"\x1f\x8b\xff\xfe\x00\x80")
    with pytest.raises(ValueError, match="not a text file"):
        read_confounds(path)


def test_every_cut_of_a_table_is_noticed(path):
    for n in range(len(TABLE)):
        path.write_text(TABLE[:n])
        with pytest.raises(ValueError, match="sub-19001"):
            read_confounds(path, n_volumes=3)


def test_eighteen_regressors_are_nine_and_their_derivatives():
    assert len(EIGHTEEN_REGRESSORS) == len(set(EIGHTEEN_REGRESSORS)) == 18
    assert sum(name.endswith("_derivative1") for name in EIGHTEEN_REGRESSORS) == 9
    assert {"rot_z", "global_signal_derivative1"} <= set(EIGHTEEN_REGRESSORS)


def outliers(*volumes, n_volumes=6):
    """Make a table that marks the given volumes, one column each."""
    columns = {f"non_steady_state_outlier{i:02d}": np.eye(n_volumes)[v] for i, v in enumerate(volumes)}
    return pd.DataFrame({"csf": np.arange(n_volumes), **columns})


@pytest.mark.parametrize("volumes", [(), (0,), (0, 1), (1, 0), (0, 1, 2, 3)])
def test_counts_dummy_volumes(volumes):
    assert count_dummy_volumes(outliers(*volumes)) == len(volumes)


@pytest.mark.parametrize("volumes", [(1,), (0, 2), (5,)])
def test_dummy_volumes_elsewhere_than_at_the_start(volumes):
    with pytest.raises(ValueError, match="Expected the first volumes"):
        count_dummy_volumes(outliers(*volumes))


def test_dummy_volumes_are_dropped_and_nothing_else(path):
    confounds = select_confounds(read_confounds(path), ["csf", "trans_x_derivative1"], n_dummy=1)
    assert confounds.to_numpy().tolist() == [[20, 0.5], [30, -1.0]]
    assert confounds.index.tolist() == [1, 2]
    assert confounds.columns.tolist() == ["csf", "trans_x_derivative1"]


def test_first_derivative_takes_the_second_value(path):
    table = read_confounds(path)
    assert select_confounds(table, ["trans_x_derivative1"], n_dummy=0)["trans_x_derivative1"].tolist() == [0.5, 0.5, -1]
    assert np.isnan(table.loc[0, "trans_x_derivative1"]), "the table that was given must stay as it was"


def test_first_derivative_as_in_nilearn(tmp_path):
    from nilearn.interfaces.fmriprep import load_confounds

    rng = np.random.default_rng(0)
    bases = [name for name in EIGHTEEN_REGRESSORS if not name.endswith("1")]
    table = pd.DataFrame(rng.normal(size=(20, 9)), columns=bases)
    table = table.join(table.diff().add_suffix("_derivative1"))
    stem = tmp_path / "sub-19001_task-rest_"
    table.to_csv(f"{stem}desc-confounds_timeseries.tsv", sep="\t", na_rep="n/a", index=False)
    (tmp_path / "sub-19001_task-rest_desc-confounds_timeseries.json").write_text("{}")
    image = tmp_path / "sub-19001_task-rest_space-MNI152NLin2009cAsym_desc-preproc_bold.nii.gz"
    image.touch()

    ours = select_confounds(read_confounds(f"{stem}desc-confounds_timeseries.tsv", 20), n_dummy=0)
    theirs, _ = load_confounds(
        str(image), strategy=("motion", "wm_csf", "global_signal"), motion="derivatives", wm_csf="derivatives",
        global_signal="derivatives",
    )  # fmt: skip
    assert set(theirs.columns) == set(ours.columns)
    np.testing.assert_allclose(ours - ours.mean(), theirs[ours.columns], atol=1e-12)


def test_missing_columns_are_listed(path):
    with pytest.raises(
        ValueError, match=r"1 of 2 columns are missing: rot_x\. Found trans_x, trans_x_derivative1, csf"
    ):
        select_confounds(read_confounds(path), ["csf", "rot_x"], n_dummy=0)


def test_old_names_are_recognised():
    old = pd.DataFrame(np.ones((5, 3)), columns=["CSF", "WhiteMatter", "RotX"])
    with pytest.raises(ValueError, match=r"fMRIPrep before 1\.2 wrote this table: there, rot_x was RotX"):
        select_confounds(old, n_dummy=0)


def test_a_hole_below_the_first_row(path):
    path.write_text(TABLE.replace("20", "n/a"))
    with pytest.raises(ValueError, match="csf have no value at volume 1"):
        select_confounds(read_confounds(path), ["csf"], n_dummy=0)


@pytest.mark.parametrize("n_dummy", [-1, 3])
def test_impossible_number_of_dummy_volumes(path, n_dummy):
    with pytest.raises(ValueError, match="Expected 0 to 2"):
        select_confounds(read_confounds(path), ["csf"], n_dummy=n_dummy)


BAND = {"low_pass": 0.08, "high_pass": 0.009, "t_r": 2.0}


def censored_run(n_volumes=148, n_signals=6, seed=6):
    """Slow signals, 18 confounds, a sixth of the volumes censored: in the run, in a row, and at both of its ends."""
    rng = np.random.default_rng(seed)
    slow = np.cumsum(rng.normal(size=(n_volumes, n_signals)), axis=0)
    confounds = rng.normal(size=(n_volumes, 18))
    censored = np.unique([0, 1, 30, 31, 32, n_volumes - 1, *rng.integers(2, n_volumes, 18)])
    return slow, confounds, np.setdiff1d(np.arange(n_volumes), censored), censored


def spoil(values, censored):
    """The same signals with nonsense at the volumes that are going to be left out."""
    spoilt = values.copy()
    spoilt[censored] += 1000
    return spoilt


@pytest.mark.parametrize("with_confounds", [False, True])
@pytest.mark.parametrize(
    "edges", [{}, {"low_pass": 0.08}, {"high_pass": 0.009}, {"low_pass": 0.08, "high_pass": 0.009}]
)
def test_what_is_censored_has_no_influence(with_confounds, edges):
    slow, confounds, kept, censored = censored_run()
    how = {"sample_mask": kept, "t_r": 2.0, **edges}
    one = clean_censored(slow, confounds=confounds if with_confounds else None, **how)
    spoilt = spoil(confounds, censored) if with_confounds else None
    other = clean_censored(spoil(slow, censored), confounds=spoilt, **how)
    assert one.shape == (len(kept), 6)
    np.testing.assert_array_equal(one, other)
    np.testing.assert_allclose(one.mean(axis=0), 0, atol=1e-9)


def test_without_gaps_it_is_nilearn():
    slow, confounds, _, _ = censored_run()
    ours = clean_censored(slow, sample_mask=np.arange(148), confounds=confounds, **BAND)
    theirs = signal.clean(slow, confounds=confounds, detrend=True, standardize=None, **BAND)
    np.testing.assert_allclose(ours, theirs - theirs.mean(axis=0), atol=1e-9)


def test_volumes_censored_at_the_ends_are_cut_off():
    slow, confounds, _, _ = censored_run()
    ours = clean_censored(slow, sample_mask=np.arange(5, 140), confounds=confounds, **BAND)
    theirs = signal.clean(slow[5:140], confounds=confounds[5:140], detrend=True, standardize=None, **BAND)
    np.testing.assert_allclose(ours, theirs - theirs.mean(axis=0), atol=1e-9)


def test_a_line_fills_the_gap():
    """By hand: the fourth of 0 1 2 x 4 5 4 3 lies halfway between 2 and 4, and is then left out."""
    bumpy = np.array([[0.0], [1], [2], [777], [4], [5], [4], [3]])
    filled = np.array([[0.0], [1], [2], [3], [4], [5], [4], [3]])
    line = np.polynomial.Polynomial.fit(np.arange(8), filled[:, 0], 1)(np.arange(8))
    expected = np.delete(filled[:, 0] - line, 3)
    ours = clean_censored(bumpy, sample_mask=[0, 1, 2, 4, 5, 6, 7], t_r=2.0)
    np.testing.assert_allclose(ours[:, 0], expected - expected.mean(), atol=1e-12)


def test_what_is_kept_is_orthogonal_to_the_filtered_confounds():
    slow, confounds, kept, _ = censored_run()
    clean = clean_censored(slow, sample_mask=kept, confounds=confounds, **BAND)
    filtered = clean_censored(confounds, sample_mask=kept, **BAND)
    np.testing.assert_allclose(filtered.T @ clean, 0, atol=1e-8)


def test_censoring_brings_a_signal_back():
    """Slow waves with spikes: what comes out is much nearer to the waves than with the spikes left in."""
    _, _, kept, censored = censored_run()
    time = 2.0 * np.arange(148)
    waves = np.column_stack([np.sin(2 * np.pi * f * time) for f in (0.02, 0.03, 0.045)])
    truth = signal.clean(waves, standardize=None, **BAND)[kept]
    left_in = signal.clean(spoil(waves, censored), standardize=None, **BAND)[kept]
    found = clean_censored(spoil(waves, censored), sample_mask=kept, **BAND)
    inner = slice(15, -15)  # a filter is least sure at the ends
    assert np.sqrt(np.mean((found - truth)[inner] ** 2)) < 0.1
    assert np.sqrt(np.mean((left_in - truth)[inner] ** 2)) > 10


def test_a_table_keeps_its_labels_and_a_lost_region_stays_lost():
    slow, confounds, kept, _ = censored_run()
    table = pd.DataFrame(slow, index=np.arange(4, 152), columns=list("abcdef")).assign(lost=np.nan)
    clean = clean_censored(table, sample_mask=kept, confounds=confounds, **BAND)
    assert clean.columns.tolist() == [*"abcdef", "lost"]
    assert clean.index.tolist() == (kept + 4).tolist()
    assert clean["lost"].isna().all()
    np.testing.assert_allclose(
        clean[list("abcdef")], clean_censored(slow, sample_mask=kept, confounds=confounds, **BAND)
    )
    assert table["a"].tolist() == slow[:, 0].tolist(), "the table that was given must stay as it was"


@pytest.mark.parametrize(
    ("sample_mask", "message"),
    [
        (np.ones(148, bool), r"np\.flatnonzero"),
        ([], "Expected a list of whole numbers"),
        ([0.0, 1.0], "Expected a list of whole numbers"),
        (np.arange(4, 152), "goes from 4 to 151, for 148 volumes"),
        (np.arange(-1, 140), "goes from -1"),
        ([5, 4, *range(6, 60)], "Expected ascending"),
        ([5, 5, *range(6, 60)], "each once"),
        (np.arange(19), "19 volumes are kept, for 18 confounds"),
    ],
)
def test_volumes_kept_that_cannot_be(sample_mask, message):
    slow, confounds, _, _ = censored_run()
    with pytest.raises(ValueError, match=message):
        clean_censored(slow, sample_mask=sample_mask, confounds=confounds, **BAND)


def test_shapes_that_do_not_fit():
    slow, confounds, kept, _ = censored_run()
    with pytest.raises(ValueError, match=r"confounds has the shape \(124, 18\) but signals has 148 volumes"):
        clean_censored(slow, sample_mask=kept, confounds=confounds[:124], **BAND)
    with pytest.raises(ValueError, match="Expected two axes"):
        clean_censored(slow[:, 0], sample_mask=kept, **BAND)


@pytest.mark.parametrize(
    "as_kept", [np.asarray, lambda kept: np.isin(np.arange(148), kept)], ids=["indices", "booleans"]
)
def test_nilearn_still_lets_censored_volumes_through(as_kept):
    """When this fails, nilearn has mended `sample_mask` with a Butterworth filter: rewrite that part of episode 06."""
    slow, _, kept, censored = censored_run()
    how = {"standardize": None, **BAND}
    one = signal.clean(slow, sample_mask=as_kept(kept), **how)
    other = signal.clean(spoil(slow, censored), sample_mask=as_kept(kept), **how)
    assert np.abs(one - other).max() > 10


@pytest.mark.parametrize("kept", [np.arange(148), np.arange(4, 148)], ids=["all", "without the first"])
def test_nilearn_is_right_where_only_the_first_volumes_are_left_out(kept):
    slow, _, _, _ = censored_run()
    how = {"standardize": None, **BAND}
    found = signal.clean(slow, sample_mask=kept.copy(), **how)
    np.testing.assert_allclose(found, signal.clean(slow[kept], **how), atol=1e-9)


def test_nilearn_is_right_with_the_cosine_filter():
    """The episode says so: what is censored has no influence there."""
    slow, confounds, kept, censored = censored_run()
    how = {"sample_mask": kept, "filter": "cosine", "high_pass": 0.009, "t_r": 2.0, "standardize": None}
    one = signal.clean(slow, confounds=confounds, **how)
    other = signal.clean(spoil(slow, censored), confounds=confounds, **how)
    np.testing.assert_allclose(one, other, atol=1e-9)
