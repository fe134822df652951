"""The record of what a learner has solved: kept whole, kept apart, never in the way."""

import json
import subprocess
import sys

import pytest
from filelock import FileLock

from course_utils import progress

RECORD_MANY = """
import sys
from course_utils import progress

for i in range(20):
    progress.record(f"{sys.argv[1]}.e{i}", "correct")
"""


TRY_MANY = """
from course_utils import progress

for _ in range(20):
    progress.record("ep05.fifth_volume", "not yet")
"""


@pytest.fixture(autouse=True)
def path(tmp_path, monkeypatch):
    """A record of its own, in a folder that does not exist yet."""
    chosen = tmp_path / "folder" / "progress.json"
    monkeypatch.setenv("COURSE_PROGRESS", str(chosen))
    return chosen


def test_nothing_is_solved_at_first(path, capsys):
    assert progress.solved() == []
    progress.show()
    assert capsys.readouterr().out.splitlines() == ["No exercise has been tried yet.", f"The record is in {path}"]
    progress.reset()
    assert not path.parent.exists()


def test_what_was_solved_stays_solved(path):
    """Attempts are counted up to the first correct answer, and not beyond it."""
    for outcome in ("not yet", "not yet", "correct", "not yet", "correct"):
        assert progress.record("ep05.fifth_volume", outcome) is None
    assert progress.solved() == ["ep05.fifth_volume"]
    assert json.loads(path.read_text())["exercises"]["ep05.fifth_volume"]["attempts"] == 3
    assert {file.name for file in path.parent.iterdir()} <= {"progress.json", "progress.json.lock"}


def test_other_outcomes_are_refused():
    with pytest.raises(ValueError, match="outcome is 'blank'; expected"):
        progress.record("ep05.fifth_volume", "blank")


def test_show_goes_by_episode(path, capsys):
    progress.record("ep05.fifth_volume", "correct")
    progress.record("ep05.tsnr", "not yet")
    progress.record("ep02.mni_runs", "correct")
    progress.show()
    assert capsys.readouterr().out.splitlines() == [
        "Episode 02: 1 of 1 solved (solved: mni_runs)",
        "Episode 05: 1 of 2 solved (solved: fifth_volume; tried: tsnr)",
        f"The record is in {path}",
    ]
    progress.show(["ep02.mni_runs", "ep02.t1w_runs", "ep06.scrub"])
    assert capsys.readouterr().out.splitlines() == [
        "Episode 02: 1 of 2 solved (solved: mni_runs; open: t1w_runs)",
        "Episode 05: 1 of 2 solved (solved: fifth_volume; tried: tsnr)",
        "Episode 06: 0 of 1 solved (open: scrub)",
        f"The record is in {path}",
    ]


def test_reset_forgets(path, capsys):
    progress.record("ep05.fifth_volume", "correct")
    progress.reset()
    assert capsys.readouterr().out == "The record is empty.\n"
    assert progress.solved() == []


DAMAGED = {
    "half a file": '{"version": 1, "exerc',
    "no text": b"\xff\xfe\x00",
    "empty": "",
    "a list": "[]",
    "other keys": '{"a": 1}',
    "a list inside": '{"exercises": []}',
    "other entries": '{"exercises": {"ep05.x": {"solved": true}}}',
    "no entries": '{"exercises": {"ep05.x": null}}',
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_damaged_record_is_kept_beside_a_new_one(path, capsys, content):
    path.parent.mkdir()
    content = content if isinstance(content, bytes) else content.encode()
    path.write_bytes(content)
    assert progress.solved() == []
    progress.show()
    assert "is damaged and cannot be read" in capsys.readouterr().out
    assert path.read_bytes() == content, "looking at a record does not change it"
    note = progress.record("ep05.fifth_volume", "correct")
    aside = path.with_name("progress.damaged-1.json")
    assert note == f"The record of your progress was damaged. A new one was begun; the old file is kept as {aside}."
    assert aside.read_bytes() == content
    assert progress.solved() == ["ep05.fifth_volume"]
    assert progress.record("ep05.tsnr", "correct") is None


def test_every_damaged_record_is_kept(path):
    path.parent.mkdir()
    for content in ("one", "two"):
        path.write_text(content)
        progress.record("ep05.fifth_volume", "correct")
    assert [path.with_name(f"progress.damaged-{n}.json").read_text() for n in (1, 2)] == ["one", "two"]


def test_place_that_cannot_be_written(path, capsys):
    """A file where the folder should be, a folder where the file should be: one sentence, no error."""
    path.parent.write_text("not a folder")
    assert progress.record("ep05.fifth_volume", "correct").startswith("Your progress was not written down (")
    progress.show()
    assert "cannot be read" in capsys.readouterr().out
    path.parent.unlink()
    path.mkdir(parents=True)
    assert progress.record("ep05.fifth_volume", "correct").startswith("Your progress was not written down (")
    assert progress.solved() == []


def test_record_that_another_notebook_holds(path, monkeypatch):
    monkeypatch.setattr(progress, "LOCK_SECONDS", 0.1)
    path.parent.mkdir()
    with FileLock(path.with_name("progress.json.lock")):
        assert "not written down (Timeout" in progress.record("ep05.fifth_volume", "correct")
    assert progress.record("ep05.fifth_volume", "correct") is None


def test_interrupted_write_leaves_the_old_record(path, monkeypatch):
    """The file is replaced in one step, or not at all."""
    progress.record("ep05.fifth_volume", "correct")

    def fail(*arguments):
        raise OSError("disk full")

    monkeypatch.setattr(progress.os, "replace", fail)
    assert "disk full" in progress.record("ep05.tsnr", "correct")
    assert progress.solved() == ["ep05.fifth_volume"]


def test_two_notebooks_at_once_lose_nothing():
    writers = [subprocess.Popen([sys.executable, "-c", RECORD_MANY, name]) for name in ("ep01", "ep02")]
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0]
    assert len(progress.solved()) == 40


def test_two_notebooks_at_one_exercise_lose_no_attempt(path):
    """Both read, add one and write back, and whoever looks meanwhile never sees half a record."""
    writers = [subprocess.Popen([sys.executable, "-c", TRY_MANY]) for _ in range(2)]
    seen = []
    while any(writer.poll() is None for writer in writers):
        if path.exists():
            seen.append(json.loads(path.read_text())["exercises"]["ep05.fifth_volume"]["attempts"])
    assert [writer.returncode for writer in writers] == [0, 0]
    assert seen == sorted(seen)
    assert json.loads(path.read_text())["exercises"]["ep05.fifth_volume"]["attempts"] == 40
    assert sorted(file.name for file in path.parent.iterdir() if file.suffix == ".json") == ["progress.json"]


def test_record_lies_in_the_users_folder_by_default(monkeypatch):
    monkeypatch.delenv("COURSE_PROGRESS")
    assert progress.progress_path().name == "progress.json"
    assert progress.progress_path().is_absolute()
