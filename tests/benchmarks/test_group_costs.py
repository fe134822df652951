"""What is promised about extracting a whole group, measured in one run on the course's study: `make benchmarks`.

The two processes are started, and have imported what they need, before anything is timed: a group of twenty would
otherwise be a measurement of imports.
"""

import os
import sys
import time
import zlib

import joblib
import nibabel as nib
import numpy as np
import psutil
import pytest
from nilearn.maskers import NiftiLabelsMasker
from simulate_costs import measure_peak, run

from course_utils.atlases import fetch_course_networks, resample_atlas
from course_utils.confounds import count_dummy_volumes, read_confounds, select_confounds
from course_utils.dataset import StudyNotFoundError, open_study
from course_utils.group import extract_group
from course_utils.layout import find_run, open_layout
from course_utils.strategies import STRATEGIES

pytestmark = pytest.mark.benchmark
JOBS, LOOKS = 2, 3
SOME = """
import sys, joblib
from course_utils.atlases import fetch_course_networks, resample_atlas
from course_utils.dataset import open_study
from course_utils.group import extract_group
from course_utils.layout import find_run, open_layout
study = open_study("simulated")
people = study.participants.index[: int(sys.argv[1])]
atlas = resample_atlas(fetch_course_networks(study), find_run(open_layout(study), people[0]).bold)
with joblib.parallel_config("loky", n_jobs=2):
    extract_group(study, atlas, subjects=people)
"""


@pytest.fixture(scope="module")
def study():
    """The course's study, as it lies on this machine."""
    try:
        return open_study("simulated")
    except StudyNotFoundError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def atlas(study):
    """The course's atlas on the grid of the runs."""
    first = study.participants.index[0].removeprefix("sub-")
    return resample_atlas(fetch_course_networks(study), find_run(open_layout(study), first).bold)


def gunzip(path):
    """Unpack a file piece by piece and forget it: the quickest way that Python's library has."""
    unpack = zlib.decompressobj(zlib.MAX_WBITS + 16)
    with path.open("rb") as file:
        return sum(len(unpack.decompress(piece)) for piece in iter(lambda: file.read(1 << 20), b""))


def time_gunzip(files):
    """Measure unpacking alone, on the same processes."""
    start = time.perf_counter()
    joblib.Parallel()(joblib.delayed(gunzip)(path) for path in files)
    return time.perf_counter() - start


def clean_naively(files, atlas):
    """Do what one would write first: resample the labels in every call, all in float64, cut the run with a slicer."""
    table = read_confounds(files.confounds)
    n_dummy = count_dummy_volumes(table)
    bold_img = nib.load(files.bold).slicer[..., n_dummy:]
    bold_img = nib.Nifti1Image(bold_img.get_fdata(dtype=np.float64), bold_img.affine)
    masker = NiftiLabelsMasker(
        atlas.maps, mask_img=files.mask, t_r=files.t_r, low_pass=0.08, high_pass=0.009, detrend=True,
        standardize="zscore_sample", resampling_target="data", dtype=None,
    )  # fmt: skip
    return masker.fit_transform(bold_img, confounds=select_confounds(table, n_dummy=n_dummy))


@pytest.fixture(scope="module")
def times(study, atlas):
    """Seconds of each road, the best of some looks taken in turn: other programs may run."""
    layout = open_layout(study)
    people = [find_run(layout, name.removeprefix("sub-")) for name in study.participants.index]
    files = [person.bold for person in people]
    seconds = {"gunzip": [], "group": [], "group in threads": []}
    with joblib.parallel_config("loky", n_jobs=JOBS):  # joblib keeps the processes from call to call
        extract_group(study, atlas, subjects=[person.subject for person in people[: 2 * JOBS]])  # starts the processes
        for _ in range(LOOKS):
            seconds["gunzip"].append(time_gunzip(files))
            start = time.perf_counter()
            group = extract_group(study, atlas)
            group.clean("18P")
            seconds["group"].append(time.perf_counter() - start)
            assert len(group.subjects) == len(people)
        workers = psutil.Process().children(recursive=True)
        peaks = [measure_peak(worker) for worker in workers]
    for _ in range(LOOKS):
        start = time.perf_counter()
        extract_group(study, atlas, n_jobs=JOBS).clean("18P")
        seconds["group in threads"].append(time.perf_counter() - start)
    start = time.perf_counter()
    coarse = fetch_course_networks(study)
    naive = [clean_naively(person, coarse) for person in people]
    times = {name: min(looks) for name, looks in seconds.items()} | {"naive": time.perf_counter() - start}
    print(f"\n{len(people)} people, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    for name, best in times.items():
        print(f"{name:18s} {best:6.1f} s, {best / times['gunzip']:5.2f} of gunzip")
    print(f"naive / group: {times['naive'] / times['group']:.1f}; largest worker {max(peaks):.0f} MB")
    return {**times, "worker_mb": max(peaks), "naive result": naive[0], "group result": group}


def test_both_roads_end_in_one_place(times):
    """A comparison of speed between things that differ would say nothing."""
    group = times["group result"]
    ours = group.clean(STRATEGIES["18P"])[group.subjects[0]]
    ours = ours.loc[:, ours.notna().all()].to_numpy()
    assert ours.shape == times["naive result"].shape
    assert np.corrcoef(ours.ravel(), times["naive result"].ravel())[0, 1] > 0.999


def test_little_more_than_unpacking(times):
    assert times["group"] < 1.8 * times["gunzip"]
    assert times["group in threads"] < 2.5 * times["gunzip"]  # they wait for each other between two pieces of NumPy


def test_much_faster_than_the_naive_loop(times):
    assert times["naive"] > 5 * times["group"]


def test_memory_of_a_worker(times):
    assert times["worker_mb"] < 600


def test_memory_does_not_grow_with_people(study):
    """20 people cost a worker what 4 do, and the main process less than a megabyte each: 200 would fit as well."""
    costs = {n_people: run(n_people, command=(sys.executable, "-c", SOME)) for n_people in (4, 20)}
    for n_people, cost in costs.items():
        print(f"{n_people} people: main {cost.main_mb:.0f} MB, worker {cost.worker_mb:.0f} MB")
    assert costs[20].worker_mb < costs[4].worker_mb + 20
    assert costs[20].main_mb < costs[4].main_mb + 16
