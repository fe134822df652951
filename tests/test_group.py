"""Everybody's signals at once, on a study of six people with runs of some kilobytes."""

import json
import shutil
import warnings

import joblib
import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from bids import BIDSLayout
from sklearn.utils import Bunch

from course_utils import group as group_module
from course_utils.confounds import count_dummy_volumes, read_confounds, select_confounds
from course_utils.connectomes import correlate_group
from course_utils.dataset import Study
from course_utils.group import extract_group
from course_utils.layout import MNI, find_run, open_layout
from course_utils.signals import LostRegionsWarning, extract_time_series
from course_utils.strategies import STRATEGIES, Strategy

PEOPLE = ("19001", "19002", "19003", "59001", "59002", "59003")
AFFINE = np.diag([3.0, 3.0, 4.0, 1.0])
SHAPE, N_VOLUMES, T_R = (5, 4, 3), 60, 2.0
TINY = Strategy(signals=("trans_x", "csf"))


def stem_of(root, subject):
    """Build the beginning of the paths of one person's derivatives."""
    return root / "derivatives/fmriprep" / f"sub-{subject}" / "func" / f"sub-{subject}_task-rest"


def files_of(study, subject):
    """Name the three files that are read of one person."""
    stem = stem_of(study.root, subject)
    space = f"{stem}_space-{MNI}"
    return {
        "bold": stem.parent / f"{space}_desc-preproc_bold.nii.gz",
        "mask": stem.parent / f"{space}_desc-brain_mask.nii.gz",
        "confounds": stem.parent / f"{stem}_desc-confounds_timeseries.tsv",
    }


def write_person(study, subject, *, n_dummy, shape=SHAPE, t_r=T_R):
    """Write a person's run, mask and confounds table."""
    rng = np.random.default_rng(int(subject))
    files = files_of(study, subject)
    files["bold"].parent.mkdir(parents=True)
    bold_img = nib.Nifti1Image(rng.integers(100, 900, (*shape, N_VOLUMES)).astype(np.int16), AFFINE)
    bold_img.header.set_zooms((3, 3, 4, t_r))
    bold_img.to_filename(files["bold"])
    sidecar = files["bold"].with_name(files["bold"].name.replace(".nii.gz", ".json"))
    sidecar.write_text(json.dumps({"RepetitionTime": t_r}))
    mask = np.ones(shape, np.uint8)
    mask[0, 0, 0] = 0
    nib.Nifti1Image(mask, AFFINE).to_filename(files["mask"])
    table = pd.DataFrame(rng.normal(size=(N_VOLUMES, 3)), columns=["trans_x", "csf", "framewise_displacement"])
    table["framewise_displacement"] = [np.nan, *np.abs(table["framewise_displacement"])[1:]]
    for volume in range(n_dummy):
        table[f"non_steady_state_outlier{volume:02d}"] = (table.index == volume).astype(int)
    table.to_csv(files["confounds"], sep="\t", index=False, na_rep="n/a")


def make_study(root, people=PEOPLE):
    """Write a whole study; the second person has no dummy volumes."""
    (root / "derivatives/fmriprep").mkdir(parents=True)
    description = {"Name": "tiny", "BIDSVersion": "1.8.0"}
    (root / "dataset_description.json").write_text(json.dumps(description))
    derivative = {**description, "DatasetType": "derivative", "GeneratedBy": [{"Name": "fMRIPrep"}]}
    (root / "derivatives/fmriprep/dataset_description.json").write_text(json.dumps(derivative))
    rows = [f"sub-{s}\t{'CONTROL' if s < '5' else 'SCHZ'}\t{20 + i}\t{'FM'[i % 2]}" for i, s in enumerate(people)]
    (root / "participants.tsv").write_text("\n".join(["participant_id\tdiagnosis\tage\tgender", *rows, ""]))
    study = Study("tiny", root)
    for i, subject in enumerate(people):
        write_person(study, subject, n_dummy=0 if i == 1 else 2)
    return study


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A study that no test changes."""
    return make_study(tmp_path_factory.mktemp("group") / "whole")


@pytest.fixture
def study(whole, tmp_path):
    """A copy that a test may damage; times of files are kept."""
    shutil.copytree(whole.root, tmp_path / "study")
    return Study("tiny", tmp_path / "study")


@pytest.fixture(scope="module")
def atlas():
    """Three regions whose labels are not column numbers; the second lies outside of every mask."""
    labels = np.zeros(SHAPE, np.int16)
    labels[1:3] = 3
    labels[0, 0, 0] = 7
    labels[4, :2] = 12
    lut = pd.DataFrame({"index": [0, 3, 7, 12], "name": ["Background", "left", "gone", "top"]})
    return Bunch(maps=nib.Nifti1Image(labels, AFFINE), lut=lut)


def assert_same(one, other):
    """Compare two groups, exactly."""
    pd.testing.assert_frame_equal(one.participants, other.participants)
    pd.testing.assert_frame_equal(one.failed, other.failed)
    assert one.subjects == other.subjects
    assert one.t_r == other.t_r
    for subject in one.subjects:
        pd.testing.assert_frame_equal(one.averages[subject], other.averages[subject])
        pd.testing.assert_frame_equal(one.confounds[subject], other.confounds[subject])


def test_each_person_as_by_hand(whole, atlas):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a lost region is a column of NaN and a count, not twenty warnings
        group = extract_group(whole, atlas)
        cleaned = group.clean(TINY)
    assert group.subjects == list(PEOPLE)
    assert group.t_r == T_R
    layout = open_layout(whole)
    for subject in PEOPLE:
        run = find_run(layout, subject)
        table = read_confounds(run.confounds)
        n_dummy = count_dummy_volumes(table)
        pd.testing.assert_frame_equal(group.confounds[subject], table.astype(float))
        with pytest.warns(LostRegionsWarning):
            expected = extract_time_series(
                run.bold, atlas, t_r=T_R, n_dummy=n_dummy, mask_img=run.mask, high_pass=TINY.high_pass,
                low_pass=TINY.low_pass, confounds=select_confounds(table, TINY.signals, n_dummy=n_dummy),
            )  # fmt: skip
        pd.testing.assert_frame_equal(cleaned[subject], expected)
        values = np.asarray(nib.load(run.bold).dataobj)[..., n_dummy:]
        np.testing.assert_allclose(group.averages[subject]["top"], values[4, :2].mean(axis=(0, 1)))
        row = group.participants.loc[subject]
        assert (row["n_volumes"], row["n_dummy"], row["n_lost"]) == (N_VOLUMES, n_dummy, 1)
        assert row["mean_fd"] == pytest.approx(table["framewise_displacement"][n_dummy:].mean())


def test_the_participants_are_those_of_the_table(whole, atlas):
    group = extract_group(whole, atlas)
    assert group.participants["diagnosis"].tolist() == ["CONTROL"] * 3 + ["SCHZ"] * 3
    assert group.participants["age"].tolist() == [20, 21, 22, 23, 24, 25]
    assert list(group.failed.columns) == ["reason"]
    assert group.failed.empty


def test_subjects_in_the_order_asked_for(whole, atlas):
    group = extract_group(whole, atlas, subjects=["sub-59001", "19002"])
    assert group.subjects == group.participants.index.tolist() == ["59001", "19002"]


@pytest.mark.parametrize("subjects", [["19009"], ["19001", "sub-19001"], []])
def test_people_who_are_not_there_or_twice(whole, atlas, subjects):
    with pytest.raises(ValueError, match=r"has no 19009|once; found"):
        extract_group(whole, atlas, subjects=subjects)


@pytest.mark.parametrize("how", ["n_jobs", "threading", "loky", "around"])
def test_parallel_gives_the_same(whole, atlas, tmp_path, how):
    alone = extract_group(whole, atlas, n_jobs=1)
    if how == "n_jobs":
        assert_same(extract_group(whole, atlas, n_jobs=2, folder=tmp_path), alone)
        return
    backend = "loky" if how == "around" else how
    with joblib.parallel_config(backend, n_jobs=2):
        assert_same(extract_group(whole, atlas, n_jobs=None if how == "around" else 2, folder=tmp_path), alone)


def test_a_backend_named_around_the_call_is_used(whole, atlas, monkeypatch):
    used = []

    class Spy(joblib.parallel.ThreadingBackend):
        def configure(self, **options):
            used.append(type(self))
            return super().configure(**options)

    monkeypatch.setitem(joblib.parallel.BACKENDS, "spy", Spy)
    with joblib.parallel_config("spy", n_jobs=2):
        extract_group(whole, atlas)
    assert used == [Spy]


def test_questions_to_the_layout_do_not_grow_with_people(whole, atlas, monkeypatch):
    """And none is of all files: pybids then loads every one of them, which takes longer than half the people do."""
    asked, original = [], BIDSLayout.get
    monkeypatch.setattr(BIDSLayout, "get", lambda self, *a, **k: asked.append(k) or original(self, *a, **k))
    extract_group(whole, atlas, subjects=PEOPLE[:1])
    for_one, asked[:] = len(asked), []
    extract_group(whole, atlas)
    assert len(asked) == for_one
    assert all("suffix" in question for question in asked)


def damage(study, subject, how):
    """Do something to one person's files."""
    files = files_of(study, subject)
    if how == "cut image":
        files["bold"].write_bytes(files["bold"].read_bytes()[:3000])
    elif how == "no image":
        files["bold"].unlink()
    elif how == "not an image":
        files["bold"].write_bytes(b"nothing")
    elif how == "no table":
        files["confounds"].unlink()
    elif how == "cut table":
        files["confounds"].write_bytes(files["confounds"].read_bytes()[:-100])
    elif how == "no FD":
        files["confounds"].write_text(files["confounds"].read_text().replace("framewise", "frame"))
    elif how in ("other grid", "other TR"):
        shutil.rmtree(files["bold"].parent)
        changed = {"shape": (4, 4, 3)} if how == "other grid" else {"t_r": 2.5}
        write_person(study, subject, n_dummy=2, **changed)
    elif how == "three-dimensional":
        nib.Nifti1Image(np.ones(SHAPE, np.int16), AFFINE).to_filename(files["bold"])
    elif how == "dead link":
        target = files["bold"].with_name("elsewhere")
        files["bold"].unlink()
        files["bold"].symlink_to(target)


REASONS = {
    "cut image": "cannot be read to its end",
    "no image": "0 files bold",
    "not an image": "bold.nii.gz",
    "no table": "0 files confounds",
    "cut table": "copy it again|Copy the file again|rows but the run has",
    "no FD": "has no column framewise_displacement",
    "other grid": "The grids differ",
    "other TR": "repetition time is 2.5 s, that of most others 2 s",
    "three-dimensional": "bold_img has 3 dimensions",
    "dead link": "FileNotFoundError|0 files bold",
}


@pytest.mark.parametrize("how", REASONS)
def test_one_who_fails_is_listed_and_the_rest_completes(study, atlas, tmp_path, how):
    damage(study, "19003", how)
    group = extract_group(study, atlas, n_jobs=2, folder=tmp_path / "results")
    assert group.participants.index.tolist() == list(PEOPLE)  # never a shorter table in silence
    assert group.failed.index.tolist() == ["19003"]
    assert pd.Series(group.failed["reason"]).str.contains(REASONS[how]).all(), group.failed.loc["19003", "reason"]
    assert group.participants.loc["19003", ["mean_fd", "n_volumes", "n_dummy", "n_lost"]].isna().all()
    assert group.participants.loc["19003", "age"] == 22
    others = [subject for subject in PEOPLE if subject != "19003"]
    assert group.subjects == others == list(group.clean("band"))
    assert group.participants.loc[others, "mean_fd"].notna().all()
    assert not (tmp_path / "results/sub-19003.npz").exists()


def test_nobody_left_is_an_error_with_a_reason(study, atlas):
    moved = Bunch(maps=nib.Nifti1Image(np.asarray(atlas.maps.dataobj), np.eye(4)), lut=atlas.lut)
    with pytest.raises(ValueError, match=r"None of 6 people could be read\. The first, 19001: The grids differ"):
        extract_group(study, moved)


@pytest.fixture
def counted(monkeypatch):
    """List the people whose files are read."""
    read, original = [], group_module._extract_person

    def note(run, atlas):
        read.append(run.subject)
        return original(run, atlas)

    monkeypatch.setattr(group_module, "_extract_person", note)
    return read


def test_a_second_call_reads_nothing(whole, atlas, tmp_path, counted):
    first = extract_group(whole, atlas, folder=tmp_path / "new" / "results")
    assert sorted(counted) == list(PEOPLE)
    counted.clear()
    assert_same(extract_group(whole, atlas, folder=tmp_path / "new" / "results"), first)
    assert counted == []
    assert sorted(path.name for path in (tmp_path / "new/results").iterdir()) == [f"sub-{s}.npz" for s in PEOPLE]


def test_only_what_is_missing_is_done(whole, atlas, tmp_path, counted):
    extract_group(whole, atlas, folder=tmp_path, subjects=PEOPLE[:4])
    counted.clear()
    again = extract_group(whole, atlas, folder=tmp_path)
    assert counted == ["59002", "59003"]
    assert_same(again, extract_group(whole, atlas))


def test_one_who_was_mended_is_done(study, atlas, tmp_path, counted):
    good = files_of(study, "19003")["bold"].read_bytes()
    damage(study, "19003", "cut image")
    extract_group(study, atlas, folder=tmp_path / "results")
    files_of(study, "19003")["bold"].write_bytes(good)
    counted.clear()
    assert extract_group(study, atlas, folder=tmp_path / "results").failed.empty
    assert counted == ["19003"]


def test_an_interrupted_call_keeps_what_was_finished(whole, atlas, tmp_path, monkeypatch, counted):
    note = group_module._extract_person

    def stop_at_the_third(run, atlas):
        if len(counted) == 2:
            raise KeyboardInterrupt
        return note(run, atlas)

    monkeypatch.setattr(group_module, "_extract_person", stop_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        extract_group(whole, atlas, n_jobs=1, folder=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sub-19001.npz", "sub-19002.npz"]
    monkeypatch.setattr(group_module, "_extract_person", note)
    counted.clear()
    group = extract_group(whole, atlas, folder=tmp_path)
    assert counted == list(PEOPLE[2:])
    assert_same(group, extract_group(whole, atlas))


def test_interrupted_while_writing_leaves_no_half_result(whole, atlas, tmp_path, monkeypatch):
    def write_half(file, **arrays):
        file.write(b"PK half of it")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(group_module.np, "savez", write_half)
        with pytest.raises(KeyboardInterrupt):
            extract_group(whole, atlas, folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("n_bytes", [0, 10, 2000, -30])
def test_a_half_written_result_is_not_taken(whole, atlas, tmp_path, counted, n_bytes):
    expected = extract_group(whole, atlas, folder=tmp_path)
    path = tmp_path / "sub-19002.npz"
    path.write_bytes(path.read_bytes()[:n_bytes])
    (tmp_path / "sub-19003.npz.77.new").write_bytes(b"left by a process that was killed")
    counted.clear()
    assert_same(extract_group(whole, atlas, folder=tmp_path), expected)
    assert counted == ["19002"]


def test_a_damaged_result_is_not_taken(whole, atlas, tmp_path, counted):
    expected = extract_group(whole, atlas, folder=tmp_path)
    path = tmp_path / "sub-19002.npz"
    content = bytearray(path.read_bytes())
    content[400:500] = bytes(100)  # inside of the averages
    path.write_bytes(content)
    counted.clear()
    assert_same(extract_group(whole, atlas, folder=tmp_path), expected)
    assert counted == ["19002"]


def test_what_was_made_from_something_else_is_not_taken(study, atlas, tmp_path, counted, monkeypatch):
    folder = tmp_path / "results"
    extract_group(study, atlas, folder=folder)
    counted.clear()
    write = files_of(study, "59001")["confounds"]
    write.write_text(write.read_text())  # another time
    extract_group(study, atlas, folder=folder)
    assert counted == ["59001"]
    counted.clear()
    renamed = Bunch(maps=atlas.maps, lut=atlas.lut.replace("top", "bottom"))
    assert "bottom" in extract_group(study, renamed, folder=folder).averages["19001"]
    assert sorted(counted) == list(PEOPLE)
    counted.clear()
    monkeypatch.setattr(group_module, "version", lambda name: "another")
    extract_group(study, renamed, folder=folder)
    assert sorted(counted) == list(PEOPLE)


def test_a_folder_that_cannot_be_written_is_an_error(whole, atlas, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match="file"):
        extract_group(whole, atlas, folder=tmp_path / "file")


def test_progress_is_shown_when_asked_for(whole, atlas, capsys):
    extract_group(whole, atlas)
    assert capsys.readouterr().err == ""
    extract_group(whole, atlas, progress=True)
    assert "6/6" in capsys.readouterr().err


def test_cleaning_by_name(whole, atlas):
    group = extract_group(whole, atlas)
    by_name, by_hand = group.clean("none"), group.clean(STRATEGIES["none"])
    for subject in PEOPLE:
        pd.testing.assert_frame_equal(by_name[subject], by_hand[subject])
        assert by_name[subject].index[0] == group.participants.loc[subject, "n_dummy"] * T_R
        assert by_name[subject]["gone"].isna().all()
    with pytest.raises(ValueError, match=r"There is no strategy '18p'\. Known are: none, band"):
        group.clean("18p")
    with pytest.raises(ValueError, match=r"sub-19001: .* of 18 columns are missing"):
        group.clean("18P")


def test_correlations_of_the_group(whole, atlas):
    cleaned = extract_group(whole, atlas).clean("band")
    correlations = correlate_group(cleaned)
    assert correlations.index.tolist() == list(PEOPLE)
    assert correlations.columns.tolist() == [("left", "gone"), ("left", "top"), ("gone", "top")]
    expected = np.corrcoef(cleaned["59002"]["left"], cleaned["59002"]["top"])[0, 1]
    assert correlations.loc["59002", ("left", "top")] == pytest.approx(expected)
    assert correlations[[("left", "gone"), ("gone", "top")]].isna().all(axis=None)
