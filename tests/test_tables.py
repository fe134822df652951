"""The tables behind two pages say what happens: each error is provoked, each old call fails, each new one runs."""

import ast
import json
import re
import tomllib
import warnings
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import seaborn as sns
from bids import BIDSLayout
from matplotlib import pyplot as plt
from nilearn import image, maskers, plotting, signal
from nilearn.connectome import ConnectivityMeasure
from nilearn.interfaces.fmriprep import load_confounds
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score

from course_utils.confounds import clean_censored, select_confounds
from course_utils.dataset import open_study

TABLES = Path(__file__).resolve().parents[1] / "book/_tables"


def read(name):
    return [row for rows in tomllib.loads((TABLES / f"{name}.toml").read_text()).values() for row in rows]


ERRORS, CHANGES = read("errors"), read("changes")


def images():
    """Small images of the kinds that the tables speak of."""
    rng, affine = np.random.default_rng(0), np.diag([3.0, 3.0, 3.0, 1.0])

    def img(data, kind, affine=affine):
        return nib.Nifti1Image(np.asarray(data).astype(kind), affine)

    return {
        "bold_img": img(rng.normal(100, 5, (6, 6, 6, 40)), "f4"),
        "volume_img": img(rng.normal(100, 5, (6, 6, 6)), "f4"),
        "five_d_img": img(np.ones((4, 4, 4, 1, 3)), "f4"),
        "mask_img": img(np.ones((6, 6, 6)), "u1"),
        "labels_img": img(np.arange(216).reshape(6, 6, 6) // 20, "i2"),
        "fine_labels_img": img(np.arange(12**3).reshape(12, 12, 12), "i2", np.diag([1.5, 1.5, 1.5, 1.0])),
        "other_img": img(np.ones((5, 6, 6)), "f4"),
    }


def tables():
    """Small tables and arrays of the kinds that the tables speak of."""
    rng = np.random.default_rng(1)
    time_series = rng.normal(size=(40, 3))
    confounds = pd.DataFrame(rng.normal(size=(40, 2)), columns=["a", "b"])
    with_na = time_series.copy()
    with_na[7, 1] = np.nan
    return {
        "time_series": time_series,
        "time_series_with_na": with_na,
        "confounds": confounds,
        "confounds_with_na": confounds.shift(1),
        "diagnosis": np.repeat([0, 1], 20),
        "participants": pd.DataFrame({"age": [30, 40]}, index=["sub-19001", "sub-19002"]),
    }


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    """What the code of the tables may use."""
    folder = tmp_path_factory.mktemp("tables")
    found = images() | tables()
    preprocessed = folder / "fmriprep"
    run = preprocessed / "sub-01/func/sub-01_task-rest_space-MNI152NLin2009cAsym_desc-preproc_bold.nii.gz"
    run.parent.mkdir(parents=True)
    nib.save(found["bold_img"], run)
    description = {"Name": "x", "BIDSVersion": "1.9.0", "DatasetType": "derivative", "GeneratedBy": [{"Name": "x"}]}
    (preprocessed / "dataset_description.json").write_text(json.dumps(description))
    (folder / "page_saved_by_a_browser.nii.gz").write_text("<html>")
    (folder / "participants.tsv").write_text("participant_id\tage\nsub-01\t30\n")
    (folder / "cut_short.nii.gz").write_bytes(run.read_bytes()[: run.stat().st_size // 2])
    nib.save(found["bold_img"], folder / "bold.nii.gz")
    found |= {"folder": folder, "preprocessed": preprocessed, "preprocessed_run": run}
    found |= {"layout": BIDSLayout(preprocessed, is_derivative=True), "NiftiMasker": maskers.NiftiMasker}
    modules = {"np": np, "pd": pd, "nib": nib, "sns": sns, "image": image, "maskers": maskers, "plotting": plotting}
    calls = (ConnectivityMeasure, load_confounds, LogisticRegression, cross_val_score, BIDSLayout, open_study)
    calls = {call.__name__: call for call in (*calls, clean_censored, select_confounds)}
    return found | modules | calls | {"signal": signal}


@pytest.fixture(autouse=True)
def quiet_place(tmp_path, monkeypatch):
    """A folder without data, and no figure left open."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    yield
    plt.close("all")


def run(code, names):
    """Run code as a cell does: what it raised and warned, as (name, text) pairs, and the value of its last line."""
    tree, value, said = ast.parse(code), None, []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            if isinstance(tree.body[-1], ast.Expr):
                value = eval(compile(ast.Expression(tree.body[-1].value), "cell", "eval"), dict(names))
            else:
                exec(compile(tree, "cell", "exec"), dict(names))
        except (Exception, MemoryError) as error:
            said.append((type(error).__name__, type(error).__mro__, str(error)))
    said += [(w.category.__name__, w.category.__mro__, str(w.message)) for w in caught]
    return said, value


def matches(says, text):
    """Whether a text is what the table says, where ... stands for anything."""
    return re.fullmatch(".*".join(map(re.escape, says.split("..."))), text.strip(), flags=re.S) is not None


def test_dots_stand_for_anything():
    assert matches("File ... is not", "File a/b is not")
    assert not matches("File ... is not", "File a/b is not here")


@pytest.mark.parametrize("row", ERRORS, ids=[row["code"][:60] for row in ERRORS])
def test_error_is_what_a_learner_sees(row, names):
    said, value = run(row["code"], names)
    if "gives" in row:
        assert str(value) == row["gives"]
        assert [text for name, _, text in said if not name.endswith("Warning")] == []
        return
    texts = [text for name, _, text in said if name in (row["raises"], f"_Array{row['raises']}")]
    assert any(matches(row["says"], text) for text in texts), said


@pytest.mark.parametrize("row", CHANGES, ids=[row["old"][:60] for row in CHANGES])
def test_old_call_fails_and_the_new_one_runs(row, names):
    said, _ = run(row["old"], names)
    assert any(row["fails"] in [base.__name__ for base in bases] for _, bases, _ in said), said
    assert run(row["new"], names)[0] == []


def test_tables_have_no_row_twice():
    codes = [row["code"] for row in ERRORS]
    olds = [row["old"] for row in CHANGES]
    assert len(set(codes)) == len(codes)
    assert len(set(olds)) == len(olds)
    assert all(row["means"] and row["fix"] for row in ERRORS)


def test_every_episode_has_its_wrong_answers():
    """The page for instructors has one section for each episode, in order."""
    book = TABLES.parent
    page = (book / "instructors/wrong_answers.md").read_text()
    numbers = [path.name[:2] for path in sorted(book.glob("[0-9]*.ipynb"))]
    assert re.findall(r"\{course-wrong-answers\} (\d\d)", page) == numbers
    assert re.findall(r"\(\.\./(\d\d)_\w+\.ipynb\)", page) == numbers
