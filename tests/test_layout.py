"""Names of files: written, indexed, found."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from course_utils.dataset import Study
from course_utils.layout import MNI, bids_path, find_run, open_layout


@pytest.fixture(scope="module")
def layout(quick_study):
    return open_layout(quick_study)


def test_entities_come_in_the_order_of_the_standard():
    path = bids_path("19001", "bold", ".nii.gz", datatype="func", desc="preproc", space="T1w", task="rest")
    assert path.as_posix() == "sub-19001/func/sub-19001_task-rest_space-T1w_desc-preproc_bold.nii.gz"
    path = bids_path("x", "T1w", ".json", datatype="anat", space=None)
    assert path.as_posix() == "sub-x/anat/sub-x_T1w.json"


def test_unknown_entity_is_named():
    with pytest.raises(ValueError, match="Unknown entities \\['colour'\\]"):
        bids_path("x", "bold", ".nii.gz", datatype="func", colour="red")


@pytest.mark.parametrize("space", [MNI, "T1w"])
@pytest.mark.parametrize("subject", ["19001", "sub-19001"])
def test_run_is_found_with_all_its_files(layout, quick_study, subject, space):
    run = find_run(layout, subject, space=space)
    assert run.bold.name == f"sub-19001_task-rest_space-{space}_desc-preproc_bold.nii.gz"
    assert run.mask.name == f"sub-19001_task-rest_space-{space}_desc-brain_mask.nii.gz"
    assert run.confounds.name == "sub-19001_task-rest_desc-confounds_timeseries.tsv"
    assert all(path.is_file() for path in (run.bold, run.mask, run.confounds))
    assert run.t_r == json.loads((quick_study.root / "task-rest_bold.json").read_text())["RepetitionTime"]


def test_unknown_subject_space_and_task(layout):
    with pytest.raises(ValueError, match=r"no subject '10171' here\. Found: 19001, 19002, 59001, 59002"):
        find_run(layout, "10171")
    with pytest.raises(ValueError, match="Found 0 files of sub-19001, task rest, with space=fsaverage5"):
        find_run(layout, "19001", space="fsaverage5")
    with pytest.raises(ValueError, match="Found 0 files of sub-19001, task bart"):
        find_run(layout, "19001", task="bart")


def test_index_that_was_interrupted_is_made_again(quick_study, tmp_path, monkeypatch):
    """Half an index, as kill -9 leaves it, would answer every question with nothing."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    open_layout(quick_study)
    (index,) = (path for path in tmp_path.rglob("layouts/*") if path.is_dir())
    (index / "whole").unlink()
    (index / "layout_index.sqlite").write_bytes(b"")
    assert len(open_layout(quick_study).get_subjects()) == 4


def test_two_processes_index_at_once(quick_study, tmp_path):
    """Each gets the whole index, whoever comes first."""
    program = "from course_utils.dataset import open_study; from course_utils.layout import open_layout; "
    program += "print(len(open_layout(open_study()).get_subjects()))"
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path)}
    command = [sys.executable, "-c", program]
    both = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate(timeout=120)[0].strip() for process in both] == ["4", "4"]


def test_saved_index_is_not_used_for_other_files(quick_study, tmp_path):
    """pybids itself would go on answering from an index that has gone stale."""
    copy = Study("simulated", tmp_path / "simulated")
    shutil.copytree(quick_study.derivatives, copy.derivatives)
    assert len(open_layout(copy).get_subjects()) == 4
    shutil.rmtree(copy.derivatives / "sub-59002")
    assert open_layout(copy).get_subjects() == ["19001", "19002", "59001"]
