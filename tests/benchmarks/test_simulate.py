"""What is promised about the cost of the simulated study, on its real grids: `make benchmarks`."""

import pytest
from simulate_costs import report, run

from course_utils.manifest import read_manifest
from data_scripts.parameters import PROFILES
from data_scripts.resources import MEMORY_PER_JOB, estimate_bytes
from data_scripts.roster import make_pairs

pytestmark = pytest.mark.benchmark
PEOPLE = 4
COURSE = PROFILES["course"]


@pytest.fixture(scope="module")
def costs(tmp_path_factory):
    """Four people of the course profile, by one process and by two; prints what that took."""
    folder = tmp_path_factory.mktemp("costs")
    return folder, report(folder, "course", str(PEOPLE), [1, 2])


def test_memory_of_a_process(costs):
    """The number of processes is chosen by this figure."""
    assert max(peak for _, _, peak in costs[1].values()) * 1e6 < MEMORY_PER_JOB


def test_disk(costs):
    """A study of twenty takes less than 1.6 GB, and no more than is asked for beforehand."""
    folder, _ = costs
    files = read_manifest(folder / "jobs1")["files"]
    raw_runs = sum(e["bytes"] for name, e in files.items() if name.startswith("sub-") and name.endswith("_bold.nii.gz"))
    used = sum(entry["bytes"] for entry in files.values())
    assert (used - raw_runs) / PEOPLE * 20 + raw_runs < 1.6e9
    assert used < estimate_bytes(COURSE, make_pairs(PEOPLE // 2, seed=2026)) < 1.3 * used


def test_whole_study_is_found_in_less_than_a_second(costs):
    """The best of three looks, since other programs may run."""
    folder, _ = costs
    arguments = ("simulate", "--subjects", str(PEOPLE), "--out", str(folder / "jobs1"))
    assert min(run(*arguments)[0] for _ in range(3)) < 1
