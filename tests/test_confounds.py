"""The confounds table: read whole, columns chosen, dummy volumes dropped."""

import numpy as np
import pandas as pd
import pytest

from course_utils.confounds import EIGHTEEN_REGRESSORS, count_dummy_volumes, read_confounds, select_confounds

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
