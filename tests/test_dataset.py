"""Where the study is looked for, and what is said when it is not there."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_notebook

from course_utils.dataset import StudyNotFoundError, find_data_folder, open_study

ROOT = Path(__file__).resolve().parents[1]


def test_study_opens(quick_study):
    assert quick_study.simulated
    assert quick_study.derivatives == quick_study.root / "derivatives" / "fmriprep"
    assert list(quick_study.participants.index) == ["sub-19001", "sub-19002", "sub-59001", "sub-59002"]
    assert list(quick_study.participants["diagnosis"]) == ["CONTROL", "CONTROL", "SCHZ", "SCHZ"]


def test_variable_chooses_the_study(quick_study, monkeypatch):
    monkeypatch.setenv("COURSE_DATASET", "ds000030")
    with pytest.raises(StudyNotFoundError, match="The ds000030 data are not at"):
        open_study()
    assert open_study("simulated").root == quick_study.root


def test_data_beside_a_folder_above_are_found(quick_study, monkeypatch, tmp_path):
    """From a folder inside the course, the data of the course are found, not those of the installed package."""
    monkeypatch.delenv("COURSE_DATA")
    (tmp_path / "data").symlink_to(quick_study.root.parent)
    inside = tmp_path / "book" / "deeper"
    inside.mkdir(parents=True)
    monkeypatch.chdir(inside)
    assert find_data_folder("simulated") == tmp_path / "data"


def test_unknown_study_is_named(quick_study):
    with pytest.raises(ValueError, match=r"no study named 'ds42'\. Known are: simulated, ds000030, development_fmri\."):
        open_study("ds42")


@pytest.mark.parametrize("missing", ["dataset_description.json", "participants.tsv", "manifest.json", "all"])
def test_folder_that_is_no_whole_study(quick_study, monkeypatch, tmp_path, missing):
    """A study without one of its parts, such as one that was interrupted, is not opened."""
    if missing != "all":
        (tmp_path / "simulated").mkdir()
        for entry in quick_study.root.iterdir():
            if entry.name != missing:
                (tmp_path / "simulated" / entry.name).symlink_to(entry)
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    what = "no such folder" if missing == "all" else f"{missing} is not there"
    with pytest.raises(StudyNotFoundError, match=what) as caught:
        open_study()
    assert "make data" in str(caught.value)
    assert "$COURSE_DATA is set to" in str(caught.value)


@pytest.mark.parametrize(
    ("data", "shown"), [("course/data", "../data"), ("course/book/data", "data"), ("home/data", "~/data"), ("d", None)]
)
def test_places_are_named_from_where_we_are(tmp_path, monkeypatch, data, shown):
    """So a page that says where data were looked for does not show the folders of who built it."""
    (tmp_path / "course" / "book").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "course" / "book")
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / data))
    place = Path(shown or tmp_path / data, "ds000030")
    with pytest.raises(StudyNotFoundError, match=f"data are not at {place} .*set to {place.parent};"):
        open_study("ds000030")


@pytest.mark.parametrize("place", ["root", "book", "elsewhere"])
def test_notebook_without_data_shows_one_sentence(tmp_path, monkeypatch, place):
    """A learner without data reads what to do, not a traceback."""
    folder = {"root": ROOT, "book": ROOT / "book", "elsewhere": tmp_path}[place]
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "nothing"))
    notebook = new_notebook(cells=[new_code_cell("from course_utils.dataset import open_study\nopen_study()")])
    with pytest.raises(CellExecutionError):
        NotebookClient(notebook, resources={"metadata": {"path": str(folder)}}).execute()
    (output,) = notebook.cells[0].outputs
    assert output.output_type == "error"
    assert len(output.traceback) == 1
    assert output.traceback[0].startswith("StudyNotFoundError: The simulated data are not at")
    assert "make data" in output.traceback[0]
    assert "\n" not in output.traceback[0]
    nbformat.validate(notebook)


def test_verify_without_data_says_one_sentence(tmp_path):
    """The command line too says how to make the data."""
    environment = os.environ | {"COURSE_DATA": str(tmp_path / "nothing")}
    command = [sys.executable, "-m", "data_scripts", "verify"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    (sentence,) = done.stderr.strip().splitlines()
    assert str(tmp_path / "nothing") in sentence
    assert "make data" in sentence
