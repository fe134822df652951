"""What stays when workers die: processes killed by their own id, a cluster that goes away, files that are damaged."""

import contextlib
import importlib
import os
import shutil
import signal
import threading
import time

import dask
import joblib
import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from dask.distributed import Client, LocalCluster
from sklearn.utils import Bunch
from test_group import AFFINE, N_VOLUMES, assert_same, damage, files_of, make_study

from course_utils import group as group_module
from course_utils import resume as resume_module
from course_utils.dataset import Study
from course_utils.group import extract_group
from course_utils.resume import KEPT_OUT, Outcome, Task, mark_of, pack_result, unpack_result, write_packed

PEOPLE = ("19001", "19002", "19003", "59001", "59002", "59003")
SHAPE = (48, 48, 32)  # so that reading one takes long enough to be killed in the middle
BACKENDS = ["threading", "loky", "dask"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A study in which all runs are one, under several names."""
    study = make_study(tmp_path_factory.mktemp("scaling") / "whole", PEOPLE)
    first = files_of(study, PEOPLE[0])
    rng = np.random.default_rng(14)
    bold = rng.integers(100, 900, (*SHAPE, N_VOLUMES)).astype(np.int16)
    nib.Nifti1Image(bold, AFFINE).to_filename(first["bold"])
    nib.Nifti1Image(np.ones(SHAPE, np.uint8), AFFINE).to_filename(first["mask"])
    for subject in PEOPLE[1:]:
        for kind in ("bold", "mask"):
            files_of(study, subject)[kind].unlink()
            files_of(study, subject)[kind].hardlink_to(first[kind])
    return study


@pytest.fixture
def study(whole, tmp_path):
    """A copy that a test may damage; times of files are kept."""
    shutil.copytree(whole.root, tmp_path / "study")
    return Study("scaling", tmp_path / "study")


@pytest.fixture(scope="module")
def atlas():
    labels = np.zeros(SHAPE, np.int16)
    labels[:20], labels[20:40] = 1, 2
    lut = pd.DataFrame({"index": [0, 1, 2], "name": ["Background", "left", "right"]})
    return Bunch(maps=nib.Nifti1Image(labels, AFFINE), lut=lut)


@pytest.fixture(scope="module")
def expected(whole, atlas):
    """What one process makes of it, one person after the other."""
    return extract_group(whole, atlas, n_jobs=1)


@pytest.fixture(scope="module")
def client():
    """A Dask cluster of two processes on this machine, whose pages nobody can open.

    Fifteen seconds after a worker died Dask looks whether there is one of its name, and gives it up if not: even if
    there was one in between, which a later test has just killed. So it shall not look while the tests last.
    """
    patient = dask.config.set({"distributed.deploy.lost-worker-timeout": "1 hour"})
    cluster = LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None)
    with patient, cluster, Client(cluster) as client:
        yield client


@pytest.fixture
def around(request):
    """Name the backend around a call, as a user does."""

    def _around(backend):
        if backend == "dask":
            request.getfixturevalue("client").wait_for_workers(2, timeout=120)  # one may have been killed before
        return joblib.parallel_config(backend, n_jobs=2)

    return _around


@contextlib.contextmanager
def whoever_begins_is_killed(folder, subject, times):
    """Kill the process that has begun with a person, by the id in its mark, as the system does when memory runs out."""
    killed, stop = [], threading.Event()

    def watch():
        while len(killed) < times and not stop.wait(0.002):
            with contextlib.suppress(FileNotFoundError, IndexError, ValueError):  # no mark, or not yet written
                pid = int(mark_of(folder, subject).read_text().split()[1])
                if pid not in killed:
                    assert pid != os.getpid()
                    os.kill(pid, signal.SIGKILL)
                    killed.append(pid)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    yield killed
    stop.set()
    watcher.join()


@pytest.fixture
def counted(monkeypatch):
    """List the people whose files are read in this process."""
    read, original = [], group_module._extract_person
    monkeypatch.setattr(
        group_module, "_extract_person", lambda run, atlas: read.append(run.subject) or original(run, atlas)
    )
    return read


def results_in(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_backend_gives_the_same(whole, atlas, around, expected, tmp_path, backend):
    with around(backend):
        assert_same(extract_group(whole, atlas, folder=tmp_path), expected)
        assert_same(extract_group(whole, atlas), expected)
    assert results_in(tmp_path) == [f"sub-{subject}.npz" for subject in PEOPLE]


@pytest.mark.parametrize("backend", BACKENDS[1:])
def test_a_worker_killed_once_costs_nobody(whole, atlas, around, expected, tmp_path, backend):
    with around(backend), whoever_begins_is_killed(tmp_path, "19002", times=1) as killed:
        group = extract_group(whole, atlas, folder=tmp_path)
    assert len(killed) == 1
    assert_same(group, expected)
    assert results_in(tmp_path) == [f"sub-{subject}.npz" for subject in PEOPLE]


@pytest.mark.parametrize("backend", BACKENDS[1:])
def test_who_kills_two_workers_is_listed(whole, atlas, around, expected, tmp_path, counted, backend):
    with around(backend), whoever_begins_is_killed(tmp_path, "59001", times=5) as killed:
        group = extract_group(whole, atlas, folder=tmp_path)
    assert len(killed) == 2, "tried once more, and no oftener"
    assert group.participants.index.tolist() == list(PEOPLE)
    assert group.failed.index.tolist() == ["59001"]
    assert group.failed.loc["59001", "reason"].startswith("Two workers died at this person, the second one alone")
    assert group.participants["mean_fd"].isna().tolist() == [subject == "59001" for subject in PEOPLE]
    assert results_in(tmp_path) == [f"sub-{subject}.npz" for subject in PEOPLE if subject != "59001"]
    assert_same(extract_group(whole, atlas, folder=tmp_path), expected)
    assert counted == ["59001"], "a second run does only what is missing"


def test_when_the_cluster_goes_what_is_finished_stays(whole, atlas, expected, tmp_path, counted):
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:

        def go_when_two_are_finished():
            while len(list(tmp_path.glob("*.npz"))) < 2:
                time.sleep(0.01)
            cluster.close()

        with Client(cluster) as client, joblib.parallel_config("dask"):
            client.run(importlib.import_module, "course_utils.group")  # takes a while where much else runs
            watcher = threading.Thread(target=go_when_two_are_finished, daemon=True)
            watcher.start()
            group = extract_group(whole, atlas, folder=tmp_path, timeout=60)
            watcher.join()
    assert group.participants.index.tolist() == list(PEOPLE)
    assert sorted([*group.subjects, *group.failed.index]) == list(PEOPLE)
    assert len(group.subjects) >= 2
    assert len(group.failed) >= 1
    assert group.failed["reason"].str.contains("there was no other worker: ").all()
    assert group.failed["reason"].str.startswith("Not begun").any()
    finished = {path.name[4:9] for path in tmp_path.glob("*.npz")}
    assert finished == set(group.subjects), "also who was saved and not handed over"
    assert not list(tmp_path.glob("*.begun"))
    assert_same(extract_group(whole, atlas, folder=tmp_path, n_jobs=1), expected)
    assert set(counted) == set(PEOPLE) - finished


def censor_everything(study, subject):
    """Mark every volume as one that is left out."""
    path = files_of(study, subject)["confounds"]
    table = pd.read_csv(path, sep="\t")
    marks = [name for name in table.columns if name.startswith("non_steady_state")]
    table = table.drop(columns=marks).assign(framewise_displacement=9.0)
    columns = {f"non_steady_state_outlier{i:02d}": (table.index == i).astype(int) for i in table.index}
    table.join(pd.DataFrame(columns)).to_csv(path, sep="\t", index=False, na_rep="n/a")


REASONS = {
    "19002": "cannot be read to its end",
    "19003": "0 files confounds",
    "59001": "The grids differ",
    "59003": "n_dummy is 60 but bold_img has 60 volumes",
}


@pytest.mark.parametrize("backend", BACKENDS)
def test_bad_input_of_four_kinds(study, atlas, around, tmp_path, counted, backend):
    good = {subject: {k: p.read_bytes() for k, p in files_of(study, subject).items()} for subject in REASONS}
    for subject in REASONS:
        bold = files_of(study, subject)["bold"]
        bold.unlink()  # a link: what follows is for this person only
        bold.write_bytes(good[subject]["bold"])
    damage(study, "19002", "cut image")
    damage(study, "19003", "no table")
    nib.Nifti1Image(np.ones((4, 4, 3, N_VOLUMES), np.int16), AFFINE).to_filename(files_of(study, "59001")["bold"])
    censor_everything(study, "59003")
    folder = tmp_path / "results"
    with around(backend):
        group = extract_group(study, atlas, folder=folder)
    assert group.subjects == ["19001", "59002"]
    assert group.participants.index.tolist() == list(PEOPLE)
    assert group.failed.index.tolist() == list(REASONS)
    for subject, reason in REASONS.items():
        assert reason in group.failed.loc[subject, "reason"]
    assert results_in(folder) == ["sub-19001.npz", "sub-59002.npz"]
    for subject in list(REASONS)[:3]:  # three are mended, one stays as it is
        for kind, path in files_of(study, subject).items():
            path.write_bytes(good[subject][kind])
    counted.clear()
    again = extract_group(study, atlas, folder=folder)
    assert again.failed.index.tolist() == ["59003"]
    assert counted == list(REASONS), "whoever is missing, and nobody else"


def test_without_a_folder_nothing_is_left_behind(whole, atlas, tmp_path, monkeypatch):
    monkeypatch.setattr(group_module.tempfile, "tempdir", str(tmp_path))
    extract_group(whole, atlas, subjects=PEOPLE[:2], n_jobs=2)
    assert list(tmp_path.iterdir()) == []


def test_a_mark_left_by_a_call_that_was_killed_stops_nobody(whole, atlas, expected, tmp_path):
    mark_of(tmp_path, "19001").write_text("elsewhere 1\n")
    assert_same(extract_group(whole, atlas, folder=tmp_path, n_jobs=2), expected)
    assert results_in(tmp_path) == [f"sub-{subject}.npz" for subject in PEOPLE]


def test_who_killed_a_worker_is_not_tried_in_this_process(whole, atlas, tmp_path, monkeypatch):
    """A cluster with one core left makes joblib do the work itself: that must not cost the call."""
    monkeypatch.setattr(resume_module, "PATIENCE", 0)
    task = Task(lambda run, atlas: pytest.fail("done here"), None, tmp_path)
    run = Bunch(subject="19001")
    assert resume_module._alone(task, run, {"19001": ""}, 1, None) == (Outcome("19001", reason=KEPT_OUT), None)


def test_nobody_can_begin(whole, atlas, tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise ConnectionError("nobody there")

    monkeypatch.setattr(joblib.parallel.ThreadingBackend, "submit", refuse)
    with pytest.raises(
        ValueError, match=r"None of 6 people could be read\. The first, 19001: Not begun, .*nobody there"
    ):
        extract_group(whole, atlas, folder=tmp_path, n_jobs=2)
    assert list(tmp_path.iterdir()) == []


def test_dask_names_the_work_without_printing_the_atlas(tmp_path):
    """joblib asks for the name of the work for each person; a task without one would be printed, atlas and all."""

    class Atlas:
        def __repr__(self):
            pytest.fail("printed")

    task = Task(group_module._extract_person, Atlas(), tmp_path)
    assert dask.utils.funcname(task) == "_extract_person"


def test_a_task_asked_for_again(tmp_path, expected):
    """A scheduler may repeat what it thinks is lost: a saved result is handed over, what was begun is not taken up."""
    done, run = [], Bunch(subject="19001")
    result = expected.averages["19001"], expected.confounds["19001"]

    def fail(run, atlas):
        done.append(run.subject)
        raise ValueError("tried")

    task = Task(fail, None, tmp_path)
    assert task(run, "print") == Outcome("19001", reason="tried")
    mark_of(tmp_path, "19001").touch()
    assert task(run, "print") == Outcome("19001", lost=True)
    write_packed(tmp_path, "19001", pack_result(result, "print"))
    for handed, original in zip(unpack_result(task(run, "print").packed, "print"), result, strict=True):
        pd.testing.assert_frame_equal(handed, original)
    assert task(run, "another print").lost
    assert done == ["19001"]
