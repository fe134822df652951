"""What is promised about the cost of many people: `make benchmarks`.

Each study has 200 people. Their images are one small file under 200 names, so that what grows with the number of people
is seen, and not the disk. Time and memory are measured on a grid of 40 x 48 x 40 with 60 volumes, an eighth of one of
the course's people; Dask on the run of the first of them, because what it costs is a constant for each person.
"""

import itertools
import os
import re
import shutil
import time
from pathlib import Path

import joblib
import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from dask.distributed import Client, LocalCluster
from sklearn.utils import Bunch
from test_group import AFFINE, N_VOLUMES, files_of, make_study

from course_utils.dataset import StudyNotFoundError, open_study
from course_utils.group import extract_group
from course_utils.layout import find_run, open_layout

pytestmark = pytest.mark.benchmark
GRID = (40, 48, 40)
PEOPLE = tuple(f"{number}" for number in range(10001, 10201))
COUNTS = (20, 110, 200)


def write_run(folder):
    """An eighth of a course's person: a run without structure, and a mask of everything."""
    bold = np.random.default_rng(14).integers(100, 900, (*GRID, N_VOLUMES)).astype(np.int16)
    files = {"bold": folder / "bold.nii.gz", "mask": folder / "mask.nii.gz"}
    nib.Nifti1Image(bold, AFFINE).to_filename(files["bold"])
    nib.Nifti1Image(np.ones(GRID, np.uint8), AFFINE).to_filename(files["mask"])
    return files


def make_many(folder, files):
    """200 people who share files, and an atlas of 63 regions."""
    study = make_study(folder, PEOPLE)
    for subject, (kind, path) in itertools.product(PEOPLE, files.items()):
        target = files_of(study, subject)[kind]
        target.unlink()
        target.hardlink_to(path)
    bold_img = nib.load(files["bold"])
    labels = np.arange(np.prod(bold_img.shape[:3])).reshape(bold_img.shape[:3]) // 1000 % 64
    names = ["Background", *(f"region {number}" for number in range(1, 64))]
    lut = pd.DataFrame({"index": range(64), "name": names})
    return study, Bunch(maps=nib.Nifti1Image(labels.astype(np.int16), bold_img.affine), lut=lut)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    return make_many(folder / "study", write_run(folder))


@pytest.fixture(scope="module")
def larger(tmp_path_factory):
    """The first person of the course's study, which has to be on this machine."""
    try:
        layout = open_layout(open_study("simulated"))
    except StudyNotFoundError as error:
        pytest.skip(str(error))
    run, folder = find_run(layout, layout.get_subjects()[0]), tmp_path_factory.mktemp("larger")
    files = {kind: Path(shutil.copy(getattr(run, kind), folder)) for kind in ("bold", "mask", "confounds")}
    return make_many(folder / "study", files)


def cost(many, n_people, folder, **options):
    """Wall seconds, and processor seconds of this process, for some people into a new folder."""
    wall, own = time.perf_counter(), time.process_time()
    group = extract_group(*many, subjects=PEOPLE[:n_people], folder=folder, **options)
    wall, own = time.perf_counter() - wall, time.process_time() - own
    assert len(group.subjects) == n_people
    return wall, own


def peak_mb():
    """The id of a worker, and the most memory that it has had."""
    time.sleep(0.3)  # so that nobody answers twice
    return os.getpid(), int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) / 1000


def test_time_is_linear(small, tmp_path):
    """From 20 to 110 people each costs what it does from 110 to 200, in processor time: other programs may run."""
    cost(small, 20, tmp_path / "first")
    seconds = dict.fromkeys(COUNTS, np.inf)
    for turn, n in itertools.product(range(3), COUNTS):  # in turn, so that a busy minute does not hit one number only
        seconds[n] = min(seconds[n], cost(small, n, tmp_path / f"{n} {turn}", n_jobs=1)[1])
    early, late = ((seconds[b] - seconds[a]) / (b - a) for a, b in itertools.pairwise(COUNTS))
    print({n: f"{s:.1f} s" for n, s in seconds.items()}, f"a person: {1000 * early:.0f} and {1000 * late:.0f} ms")
    assert abs(late / early - 1) < 0.1


def test_memory_of_a_worker_is_constant(small, tmp_path):
    peaks = {}
    with joblib.parallel_config("loky", n_jobs=2):
        for n_people in (20, 200):
            cost(small, n_people, tmp_path / f"{n_people}")
            peaks[n_people] = dict(joblib.Parallel()(joblib.delayed(peak_mb)() for _ in range(4)))
    print({n: [f"{mb:.0f} MB" for mb in peak.values()] for n, peak in peaks.items()})
    assert peaks[20].keys() == peaks[200].keys(), "the same two processes"
    assert all(peaks[200][pid] < 1.1 * peaks[20][pid] for pid in peaks[20])


def test_dask_costs_little_more_than_joblib(larger, tmp_path):
    """Two processes each, started before; the best of three, in turn."""
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    seconds = {"loky": [], "dask": []}
    with LocalCluster(**options) as cluster, Client(cluster):
        for backend in seconds:
            with joblib.parallel_config(backend, n_jobs=2):
                cost(larger, 20, tmp_path / f"{backend} first")
        for turn, backend in itertools.product(range(3), seconds):
            with joblib.parallel_config(backend, n_jobs=2):
                seconds[backend].append(cost(larger, 200, tmp_path / f"{backend} {turn}")[0])
    best = {backend: min(taken) for backend, taken in seconds.items()}
    more = best["dask"] / best["loky"] - 1
    print(
        {backend: [f"{s:.1f} s" for s in taken] for backend, taken in seconds.items()}, f"Dask {100 * more:.1f} % more"
    )
    assert more < 0.15
