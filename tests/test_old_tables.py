"""Confounds tables of 2017 against those of today."""

import json

import numpy as np
import pandas as pd
import published_study as ps
import pytest
from nilearn.interfaces.fmriprep import load_confounds, load_confounds_strategy

from course_utils.confounds import EIGHTEEN_REGRESSORS, OLD_NAMES, count_dummy_volumes, read_confounds, select_confounds
from course_utils.layout import bids_path
from data_scripts.choose import Remote
from data_scripts.complete import complete_table
from data_scripts.convert import SOURCE, TISSUES, convert_person
from data_scripts.old_tables import TableError, convert_table, keep_people, read_repetition_time, rename_column
from data_scripts.openneuro import LESSON


def _convert(study, out, make_table):
    """Publish and convert one person; returns the run as it is today, and as it was converted back."""
    files = []
    for path, content in ps.as_published(study.root, make_table):
        if f"sub-{LESSON[0]}/" in path or path == "task-rest_bold.json":
            (out / SOURCE / path).parent.mkdir(parents=True, exist_ok=True)
            (out / SOURCE / path).write_bytes(content if isinstance(content, bytes) else content.read_bytes())
            if path.startswith("derivatives"):
                files.append(Remote(path, path, 1, ""))
    convert_person(out, files)
    entities = {"datatype": "func", "task": "rest", "space": ps.MNI, "desc": "preproc"}
    names = [bids_path(label, "bold", ".nii.gz", **entities) for label in ("19001", LESSON[0])]
    roots = [study.derivatives, out / "derivatives" / "fmriprep"]
    return [root / name for root, name in zip(roots, names, strict=True)]


@pytest.fixture(scope="module")
def runs(quick_study, tmp_path_factory):
    """With a table of fMRIPrep 1.0, which has all that is needed."""
    return _convert(quick_study, tmp_path_factory.mktemp("converted"), ps.old_table)


@pytest.fixture(scope="module")
def older_runs(quick_study, tmp_path_factory):
    """With a table of fMRIPrep 0.4.4, as those of ds000030 are."""
    return _convert(quick_study, tmp_path_factory.mktemp("older"), ps.older_table)


def _table(run):
    return run.with_name(run.name.partition("_space-")[0] + "_desc-confounds_timeseries.tsv")


def test_eighteen_regressors_are_the_same(runs):
    """The old table has nine of them; the other nine are computed from those."""
    new, old = (read_confounds(_table(run)) for run in runs)
    assert count_dummy_volumes(new) == count_dummy_volumes(old) > 0
    n_dummy = count_dummy_volumes(new)
    first, second = (select_confounds(table, EIGHTEEN_REGRESSORS, n_dummy=n_dummy) for table in (new, old))
    assert list(first.columns) == list(second.columns)
    np.testing.assert_allclose(second, first, rtol=1e-9, atol=1e-12)


def test_what_the_oldest_tables_lack_is_computed_from_the_run(older_runs):
    """The steady state and the cosines are those of today; the means have other voxels, and nearly the same course."""
    new, old = (read_confounds(_table(run)) for run in older_runs)
    assert count_dummy_volumes(new) == count_dummy_volumes(old) > 0
    cosines = [name for name in new if name.startswith("cosine")]
    assert cosines == [name for name in old if name.startswith("cosine")]
    np.testing.assert_allclose(old[cosines], new[cosines], atol=1e-6)
    for name, least in {"global_signal": 0.99, "white_matter": 0.9, "csf": 0.9}.items():
        assert new[name].mean() == pytest.approx(old[name].mean(), rel=0.2)
        assert np.corrcoef(new[name][5:], old[name][5:])[0, 1] > least
    assert set(EIGHTEEN_REGRESSORS) <= set(old)


def test_table_without_its_run_is_not_invented(older_runs, tmp_path):
    text = ps.older_table(_table(older_runs[0]).read_text())
    _, changes = convert_table(text)
    assert "there is no csf, and none was invented" in changes


def test_run_of_another_length_is_refused(older_runs):
    text = ps.older_table(_table(older_runs[0]).read_text())
    run = ps.nib.load(older_runs[0])
    with pytest.raises(TableError, match="rows, for"):
        complete_table(text, run.slicer[..., 1:], run, {}, 2.0)


@pytest.mark.parametrize(("grid", "reason"), [(slice(None), "no map says"), (slice(1, None), "the mask has the grid")])
def test_what_cannot_be_computed_is_said(older_runs, grid, reason):
    """Without tissue maps, or with a mask on another grid: columns stay as published, and the record says so."""
    text = ps.older_table(_table(older_runs[0]).read_text())
    run = ps.nib.load(older_runs[0])
    mask = ps.nib.load(str(older_runs[0]).replace("desc-preproc_bold", "desc-brain_mask")).slicer[grid]
    completed, changes = complete_table(text, run, mask, {}, 2.0)
    for name in ("csf", "white_matter"):
        assert any(line.startswith(f"{name} could not be computed: {reason}") for line in changes)
    names = completed.splitlines()[0].split("\t")
    assert "WhiteMatter" in names
    assert not {"csf", "white_matter"} & set(names)


@pytest.mark.parametrize("strategy", ["simple", "compcor", "scrubbing"])
def test_nilearn_accepts_the_converted_table(runs, strategy):
    new, old = (load_confounds_strategy(str(run), denoise_strategy=strategy) for run in runs)
    assert len(new[0]) == len(old[0])
    if strategy != "compcor":  # the old table has six components, today's as many as half the variance takes
        assert set(old[0].columns) == set(new[0].columns)
        np.testing.assert_allclose(old[0][new[0].columns], new[0], rtol=1e-6, atol=1e-9)
        np.testing.assert_array_equal(*(np.arange(9) if mask is None else mask for mask in (new[1], old[1])))
    else:
        assert {name for name in old[0].columns if name.startswith("a_comp_cor")} == {
            f"a_comp_cor_0{i}" for i in range(6)
        }


def test_nilearn_refuses_the_original(runs, tmp_path):
    """Why tables are converted: if nilearn learns to read the old ones, this is to be thought over."""
    for name in (runs[1].name, _table(runs[1]).name):
        (tmp_path / name).write_bytes(runs[1].with_name(name).read_bytes())
    table = tmp_path / _table(runs[1]).name
    table.write_text(ps.old_table(_table(runs[0]).read_text()))
    with pytest.raises(ValueError, match="camel"):
        load_confounds(str(tmp_path / runs[1].name), strategy=("motion",))


def test_converted_images_are_those_of_today(runs):
    """Images by their bytes, tissues with today's numbers, the repetition time beside the run."""
    new, old = runs
    assert old.read_bytes() == new.read_bytes()
    assert json.loads(old.with_name(old.name.replace(".nii.gz", ".json")).read_text())["RepetitionTime"] == 2.0
    for name in ("dseg", "label-GM_probseg"):
        files = [run.parents[1] / "anat" / f"{run.parents[1].name}_space-{ps.MNI}_{name}.nii.gz" for run in runs]
        first, second = (np.asarray(ps.nib.load(file).dataobj) for file in files)
        np.testing.assert_array_equal(first, second)
    reference = ps.nib.load(old.with_name(old.name.replace("_desc-preproc_bold", "_boldref")))
    assert reference.shape == ps.nib.load(old).shape[:3]


def test_tissues_go_from_brightness_to_grey_white_fluid():
    assert TISSUES.tolist() == [0, 3, 1, 2]  # background; FAST's CSF 1, grey 2, white 3


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("X", "trans_x"), ("RotZ", "rot_z"), ("WhiteMatter", "white_matter"), ("stdDVARS", "std_dvars"),
        ("aCompCor00", "a_comp_cor_00"), ("Cosine03", "cosine03"), ("tCompCor05", "t_comp_cor_05"),
        ("NonSteadyStateOutlier00", "non_steady_state_outlier00"), ("trans_x", "trans_x"), ("Strange", None),
    ],
)  # fmt: skip
def test_column(old, new):
    assert rename_column(old) == new


def test_names_agree_with_those_that_the_course_explains():
    assert {rename_column(old): old for old in OLD_NAMES.values()} == OLD_NAMES


def test_small_table_by_hand():
    text, changes = convert_table("X\tCSF\tStrange\n1.50\t2\tq\n4\t\tq\n")
    table = pd.DataFrame([line.split("\t") for line in text.splitlines()[1:]], columns=text.splitlines()[0].split("\t"))
    assert table["trans_x"].tolist() == ["1.50", "4"]  # as it was written
    assert table["csf"].tolist() == ["2", "n/a"]
    assert table["trans_x_derivative1"].tolist() == ["n/a", "2.5"]
    assert table["trans_x_power2"].tolist() == ["2.25", "16.0"]
    assert table["trans_x_derivative1_power2"].tolist() == ["n/a", "6.25"]
    assert "Strange" not in text
    assert "column Strange was left out: it is not known here" in changes
    assert "there is no white_matter, and none was invented" in changes


def test_table_of_today_stays_as_it_is(runs):
    text = _table(runs[0]).read_text()
    assert convert_table(text) == (text, [])


@pytest.mark.parametrize(
    "text", ["", "X\n1\n", "X\tY\n", "X\tY\n1\n", "X\ttrans_x\n1\t2\n", "X\tY\nfar\t2\n", "<html>\n<body>\n"]
)
def test_what_is_no_table(text):
    with pytest.raises(TableError):
        convert_table(text)


def test_participants_keep_their_rows():
    text = "participant_id\tage\nsub-2\t30\nsub-1\tn/a\nsub-3\t5\n"
    assert keep_people(text, ["sub-1", "sub-2", "sub-9"]) == (
        "participant_id\tage\nsub-1\tn/a\nsub-2\t30\n",
        ["sub-9"],
    )
    with pytest.raises(TableError, match="no column participant_id"):
        keep_people("id\tage\n1\t2\n", ["1"])


@pytest.mark.parametrize(
    ("content", "t_r"), [('{"RepetitionTime": 2}', 2.0), ('{"RepetitionTime": 2000}', None), ("x", None)]
)
def test_repetition_time(tmp_path, content, t_r):
    (tmp_path / "a.json").write_text(content)
    assert read_repetition_time(tmp_path / "missing.json", tmp_path / "a.json") == t_r
