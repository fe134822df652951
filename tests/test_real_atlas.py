"""Episodes 07 and 08 with the real atlas of Yeo et al. 2011, where nilearn's fetcher would have put it."""

from pathlib import Path

import nbformat
import pytest
from solved import run_notebook

from course_utils.published import ATLASES

BOOK = Path(__file__).resolve().parents[1] / "book"
REAL_YEO = Path(__file__).resolve().parents[2] / "shared" / "data" / "yeo2011"


@pytest.fixture
def nilearn_folder(tmp_path, monkeypatch):
    """nilearn's data folder, with the real atlas in it; files of it that are not there are empty, and not read."""
    for name in ("NILEARN_SHARED_DATA", "NILEARN_DATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NILEARN_DATA", str(tmp_path))
    monkeypatch.setenv("COURSE_PROGRESS", str(tmp_path / "progress.json"))
    inside, files = ATLASES["yeo_2011"].list_files(n_networks=7, thickness="thick")
    (tmp_path / inside).mkdir(parents=True)
    for file in files:
        if (REAL_YEO / file).is_file():
            (tmp_path / inside / file).symlink_to(REAL_YEO / file)
        else:
            (tmp_path / inside / file).touch()
    return tmp_path


def _said(nb):
    texts = [output.get("text", "") for cell in nb.cells for output in cell.get("outputs", [])]
    return " ".join(" ".join(texts).split())


@pytest.mark.notebooks
@pytest.mark.skipif(not REAL_YEO.is_dir(), reason="the real Yeo atlas is not in ../shared/data/yeo2011")
@pytest.mark.parametrize("name", ["07_parcellations", "08_functional_connectivity"])
def test_notebook_with_the_real_atlas(name, nilearn_folder):
    """07 takes it and says so; 08, which keeps to the course's atlas, does not mind it."""
    said = _said(run_notebook(nbformat.read(BOOK / f"{name}.ipynb", as_version=4), BOOK))
    note = "Yeo et al. 2011, 7 networks, thick, from nilearn's data folder"
    assert (note in said) == (name == "07_parcellations")
    assert "Atlas asked for: Yeo et al. 2011" not in said
