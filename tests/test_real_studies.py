"""Episodes 07, 08 and 11 on a look-alike of nilearn's development_fmri; what needs more than it has says so.

And on a look-alike of ds000030 the two episodes that depend most on its old tables, with every exercise answered. How
to run any other episode on it is said in `benchmarks/serve_lookalike.py`.
"""

from pathlib import Path

import development_study as ds
import nbformat
import published_study as ps
import pytest
from nbclient.exceptions import CellExecutionError
from solved import find_checks, replies, run_notebook, solve_notebook

from course_utils.dataset import open_study
from data_scripts.development import download_development
from data_scripts.download import download_study

BOOK = Path(__file__).resolve().parents[1] / "book"
SERVES = ("07_parcellations", "08_functional_connectivity", "11_machine_learning")
LACKS = {
    "01_from_scanner": "anatomical images and no raw images, as from the scanner",
    "04_image_maths": "anatomical images",
    "09_comparing_groups": "patients and controls",
    "10_evaluating_cleaning": "patients and controls",
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Twenty people whose tables have few columns, which is the harder case."""
    folder = tmp_path_factory.mktemp("development")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("NILEARN_SHARED_DATA", "COURSE_DATASET"):
            patch.delenv(name, raising=False)
        patch.setenv("NILEARN_DATA", str(folder / "nilearn_data"))
        study = open_study("simulated")
        ds.place(study.root, folder / "nilearn_data", reduced=True)
        report = download_development(folder / ds.NAME, n_people=len(study.participants), verbose=0, say=str)
    assert report.problems == []
    return folder


def _run(name, data, tmp_path, monkeypatch):
    for variable, value in {"COURSE_DATA": data, "NILEARN_DATA": tmp_path, "COURSE_PROGRESS": tmp_path / "p"}.items():
        monkeypatch.setenv(variable, str(value))
    monkeypatch.setenv("COURSE_DATASET", ds.NAME)
    nb = nbformat.read(BOOK / f"{name}.ipynb", as_version=4)
    return nb, run_notebook(nb, BOOK)


@pytest.mark.notebooks
@pytest.mark.parametrize("name", SERVES)
def test_notebook_runs(name, data, tmp_path, monkeypatch):
    nb, done = _run(name, data, tmp_path, monkeypatch)
    said = replies(done)
    assert len(said) == len(find_checks(nb))
    assert all(text.startswith("Not attempted yet. ") for text in said.values())
    texts = " ".join(output.get("text", "") for cell in done.cells for output in cell.get("outputs", []))
    assert "development_fmri study" in " ".join(texts.split())


@pytest.mark.notebooks
@pytest.mark.parametrize("name", LACKS)
def test_notebook_says_what_it_lacks(name, data, tmp_path, monkeypatch):
    with pytest.raises(
        CellExecutionError, match=f"The development_fmri study has no {LACKS[name]}, and this page needs"
    ):
        _run(name, data, tmp_path, monkeypatch)


@pytest.mark.notebooks
def test_solved_notebooks_on_the_form_of_2017(tmp_path, monkeypatch):
    """Volumes at the start, mean signals and percentages come from tables that lacked them; all replies are correct."""
    monkeypatch.delenv("COURSE_DATASET", raising=False)
    with ps.serve() as (url, client):
        ps.publish(client, ps.as_published(open_study("simulated").root))
        assert download_study(tmp_path / "ds000030", endpoint=url, say=str).problems == []
    for variable, value in {"COURSE_DATA": tmp_path, "COURSE_PROGRESS": tmp_path / "p"}.items():
        monkeypatch.setenv(variable, str(value))
    monkeypatch.setenv("COURSE_DATASET", "ds000030")
    for name in ("06_cleaning_confounds", "15_real_data"):
        nb = nbformat.read(BOOK / f"{name}.ipynb", as_version=4)
        said = replies(run_notebook(solve_notebook(nb), BOOK))
        assert len(said) == len(find_checks(nb))
        assert {exercise: text for exercise, text in said.items() if not text.startswith("Correct. ")} == {}, name
