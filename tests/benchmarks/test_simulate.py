"""What is promised about the cost of the simulated study, on its real grids: `make benchmarks`."""

import pytest
from simulate_costs import REAL, STAND_IN, report, run

from course_utils.manifest import read_manifest
from data_scripts.parameters import PROFILES
from data_scripts.resources import estimate_bytes, estimate_memory, estimate_memory_to_load
from data_scripts.roster import make_pairs

pytestmark = pytest.mark.benchmark
COURSE, JOBS = PROFILES["course"], 2


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """The course's study, made once by two processes; prints what that took."""
    folder = tmp_path_factory.mktemp("costs")
    cost, writing = report(folder, "course", None, [JOBS])[JOBS]
    return folder / f"jobs{JOBS}", cost, writing


def test_time(course):
    """On two processors. The bound is generous: such machines differ by a factor of two."""
    assert course[1].wall < 150


def test_time_against_writing_alone(course):
    """Whatever the machine: simulating must not take much longer than its bytes take to be compressed and written."""
    _, cost, writing = course
    assert cost.wall < 3 * writing


def test_memory(course):
    cost = course[1]
    assert cost.worker_mb < 700
    assert cost.main_mb < 700


def test_memory_is_estimated_well(course):
    """The number of processes is chosen by these figures, and too little memory is said beforehand."""
    cost = course[1]
    assert 0.7 * estimate_memory(COURSE) < cost.worker_mb * 1e6 < estimate_memory(COURSE)
    assert cost.main_mb * 1e6 < estimate_memory_to_load(COURSE)


def test_disk(course):
    """Less than 1.3 GB, and no more than is asked for beforehand."""
    used = sum(entry["bytes"] for entry in read_manifest(course[0])["files"].values())
    assert used < 1.3e9
    assert used < estimate_bytes(COURSE, make_pairs(COURSE.n_per_group, seed=2026)) < 1.3 * used


def test_whole_study_is_found_in_less_than_a_second(course):
    """The best of three looks, since other programs may run."""
    assert min(run("simulate", "--out", course[0]).wall for _ in range(3)) < 1


def test_verify_takes_seconds(course):
    assert min(run("verify", course[0]).wall for _ in range(3)) < 2
    assert run("verify", course[0], "--deep").wall < 30


@pytest.mark.parametrize(("command", "few", "many"), [(STAND_IN, 20, 200), (REAL, 4, 12)])
def test_memory_does_not_grow_with_people(tmp_path, command, few, many):
    """200 people cost each process what 20 do: with the stand-in's small files, and fewer people with real ones."""
    costs = {}
    for n_people in (few, many):
        arguments = ("simulate", "--profile", "quick", "--jobs", JOBS, "--subjects", n_people)
        cost = costs[n_people] = run(*arguments, "--out", tmp_path / str(n_people), command=command)
        print(f"{n_people} people: main {cost.main_mb:.0f} MB, worker {cost.worker_mb:.0f} MB, {cost.wall:.0f} s")
    assert costs[many].main_mb < costs[few].main_mb + 20
    assert costs[many].worker_mb < costs[few].worker_mb + 20
