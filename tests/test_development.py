"""nilearn's development_fmri: its own fetcher on look-alike files, and on a server of this machine that fails."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import development_study as ds
import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import requests
from nilearn.interfaces.fmriprep import load_confounds, load_confounds_strategy
from small_study import digest_tree

from course_utils.atlases import fetch_course_networks, resample_atlas
from course_utils.confounds import EIGHTEEN_REGRESSORS, read_confounds, select_confounds
from course_utils.dataset import StudyNotFoundError, open_study
from course_utils.group import extract_group
from course_utils.layout import find_run, find_task, open_layout
from course_utils.manifest import check_manifest
from data_scripts.development import download_development
from data_scripts.network import NetworkError
from data_scripts.records import StudyError


@pytest.fixture(scope="module")
def looks(quick_study, tmp_path_factory):
    """nilearn's data folder with whole tables, and one with reduced ones."""
    folders = {reduced: tmp_path_factory.mktemp("nilearn_data") for reduced in (False, True)}
    for reduced, folder in folders.items():
        ds.place(quick_study.root, folder, reduced=reduced)
    return folders


@pytest.fixture
def offline(monkeypatch):
    """Whatever nilearn asks of a server fails at once."""
    asked = []

    def refuse(session, request, **options):
        asked.append(request.url)
        raise requests.ConnectionError("no network in tests")

    monkeypatch.setattr(requests.Session, "send", refuse)
    for name in ("NILEARN_SHARED_DATA", "NILEARN_DATA"):
        monkeypatch.delenv(name, raising=False)
    return asked


def fetch(out, folder, monkeypatch, **options):
    """Download in silence; returns the report and what was said."""
    said = []
    monkeypatch.setenv("NILEARN_DATA", str(folder))
    report = download_development(out, verbose=0, say=said.append, **{"n_people": 4, **options})
    return report, "\n".join(said)


@pytest.fixture(scope="module")
def made(looks, tmp_path_factory):
    """A study of each kind of tables; nobody writes to it."""
    folders = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(requests.Session, "send", lambda *_, **__: pytest.fail("everything was there"))
        for reduced, looked in looks.items():
            folders[reduced] = tmp_path_factory.mktemp("data")
            report, _ = fetch(folders[reduced] / ds.NAME, looked, patch)
            assert (report.problems, report.n_people) == ([], 4)
    return folders


@pytest.fixture
def study(made, monkeypatch, request):
    """The study, opened as a notebook does."""
    monkeypatch.setenv("COURSE_DATA", str(made[getattr(request, "param", False)]))
    monkeypatch.setenv("COURSE_DATASET", ds.NAME)
    return open_study()


def test_same_objects_as_of_the_other_studies(study, looks):
    assert not study.simulated
    assert study.participants.index.tolist() == [f"sub-pixar00{i}" for i in (3, 4, 1, 2)]  # adults first, as nilearn
    assert study.participants[study.group_column].tolist() == ["adult", "adult", "child", "child"]
    assert study.participants["age"].min() == 4.5
    layout = open_layout(study)
    assert find_task(layout) == "pixar"
    run = find_run(layout, "pixar003")
    assert (run.t_r, run.space) == (2.0, ds.MNI)
    img, mask_img = nib.load(run.bold), nib.load(run.mask)
    assert img.shape[:3] == mask_img.shape == ds.SHAPE
    share = np.asarray(mask_img.dataobj).mean()
    assert 0.1 < share < 0.4
    published = next((looks[False] / ds.NAME).glob("sub-pixar003*bold.nii.gz"))
    assert os.path.samefile(published, run.bold)  # no second copy on the disk
    assert check_manifest(study.root, deep=True) == []


@pytest.mark.parametrize("study", [False, True], indirect=True, ids=["whole", "reduced"])
def test_eighteen_regressors(study, quick_study):
    """Whole tables keep their numbers; what reduced ones lack is computed, and said."""
    run = find_run(open_layout(study), "pixar003")
    table = read_confounds(run.confounds)
    chosen = select_confounds(table, EIGHTEEN_REGRESSORS, n_dummy=4)
    assert chosen.shape[1] == 18
    original = read_confounds(find_run(open_layout(quick_study), "19001").confounds)
    same = [name for name in EIGHTEEN_REGRESSORS if "global" not in name]
    np.testing.assert_allclose(chosen[same], select_confounds(original, same, n_dummy=4), rtol=1e-9, atol=1e-12)
    changes = pd.read_csv(study.root / "sourcedata/changes.tsv", sep="\t")
    of_table = changes.loc[changes["today"].str.endswith("_timeseries.tsv"), "change"]
    assert of_table.str.startswith("computed: global_signal").any() == ("std_dvars" not in table)
    r = np.corrcoef(chosen["global_signal"], select_confounds(original, ["global_signal"], n_dummy=4)["global_signal"])
    assert r[0, 1] > 0.95  # of the coarse image and another mask, so not the same to the last digit


def test_what_nilearns_strategies_do_with_it(study):
    """Limits, so that the page that states them stays true: a whole table works with each."""
    run = find_run(open_layout(study), "pixar003")
    for strategy in ("simple", "compcor", "scrubbing"):
        confounds, _ = load_confounds_strategy(str(run.bold), denoise_strategy=strategy)
        assert len(confounds) == nib.load(run.bold).shape[3]


@pytest.mark.parametrize("study", [True], indirect=True)
def test_reduced_tables_limit_nilearns_strategies(study):
    run = str(find_run(open_layout(study), "pixar003").bold)
    assert load_confounds(run, strategy=("motion", "wm_csf", "global_signal"))[0].shape[1] == 24 + 2 + 1
    simple, _ = load_confounds_strategy(run, denoise_strategy="simple")
    assert not any("cosine" in name for name in simple)  # its high-pass filter is left out, without a word
    for strategy in ("compcor", "scrubbing"):
        with pytest.raises((ValueError, KeyError), match=r"missing|std_dvars"):
            load_confounds_strategy(run, denoise_strategy=strategy)


def test_group_of_everybody(study):
    run = find_run(open_layout(study), "pixar001")
    atlas = resample_atlas(fetch_course_networks(), run.mask)
    group = extract_group(study, atlas)
    assert group.failed.empty
    assert Path(fetch_course_networks().maps).is_relative_to(study.root)
    cleaned = group.clean("18P")["pixar001"].dropna(axis=1)
    assert cleaned.shape[0] == nib.load(run.bold).shape[3] - group.participants.loc["pixar001", "n_dummy"]
    np.testing.assert_allclose(cleaned.std(), 1)


@pytest.mark.parametrize(("needs", "says"), [("anatomy", "anatomical images"), ("raw", "raw"), ("diagnosis", "pati")])
def test_what_it_lacks_is_one_sentence(study, quick_study, needs, says):
    with pytest.raises(StudyNotFoundError, match=f"The development_fmri study has no .*{says}.*COURSE_DATASET"):
        open_study(needs=[needs])


def test_simulated_study_has_everything(quick_study):
    assert open_study("simulated", needs=["anatomy", "raw", "diagnosis"]).root == quick_study.root


def test_second_call_and_fewer_people(made, looks, offline, tmp_path, monkeypatch):
    """The same call changes nothing; one for fewer people leaves those alone in the folder."""
    out = shutil.copytree(made[False] / ds.NAME, tmp_path / ds.NAME)
    before = digest_tree(out)
    fetch(out, looks[False], monkeypatch)
    assert digest_tree(out) == before
    assert fetch(out, looks[False], monkeypatch, n_people=2)[0].n_people == 2
    assert {path.name for path in out.glob("derivatives/fmriprep/sub-*")} == {"sub-pixar001", "sub-pixar003"}
    assert check_manifest(out, deep=True) == []


@pytest.mark.parametrize("harm", ["cut", "flip", "other"])
def test_damaged_image_is_named_and_left_out(looks, offline, tmp_path, monkeypatch, harm):
    """nilearn has no checksums for these files, so each is read to its end."""
    folder = tmp_path / "nilearn_data" / ds.NAME
    folder.mkdir(parents=True)
    for path in (looks[False] / ds.NAME).iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    victim = next(folder.glob("sub-pixar002*bold.nii.gz"))
    content = bytearray(victim.read_bytes())
    if harm == "flip":
        content[len(content) // 2] ^= 255  # one bit alone may be one that fills up a byte and means nothing
    victim.write_bytes(content[: len(content) // 2] if harm == "cut" else b"<html>" if harm == "other" else content)
    report, _ = fetch(tmp_path / "s", folder.parent, monkeypatch)
    assert report.n_people == 3
    assert len(report.problems) == 1
    assert str(victim) in report.problems[0]
    assert "Delete it" in report.problems[0]
    assert "sub-pixar002" not in (tmp_path / "s/participants.tsv").read_text()
    assert not list((tmp_path / "s").rglob("*pixar002*"))


def test_table_of_another_length_is_named(looks, offline, tmp_path, monkeypatch):
    folder = tmp_path / "nilearn_data" / ds.NAME
    folder.mkdir(parents=True)
    for path in (looks[True] / ds.NAME).iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    table = next(folder.glob("sub-pixar004*.tsv"))
    table.write_text("".join(table.read_text().splitlines(keepends=True)[:-1]))
    report, _ = fetch(tmp_path / "s", folder.parent, monkeypatch)
    assert [problem.split()[0] for problem in report.problems] == ["sub-pixar004"]
    assert "rows, for" in report.problems[0]


def test_no_network(offline, tmp_path, monkeypatch):
    with pytest.raises(NetworkError, match=r"could not fetch development_fmri: ConnectionError\. Check the conn"):
        fetch(tmp_path / "s", tmp_path / "empty", monkeypatch)
    assert offline  # it was asked for
    assert not (tmp_path / "s/participants.tsv").exists()
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    with pytest.raises(StudyNotFoundError, match="download development_fmri"):
        open_study(ds.NAME)


def test_log_in_page_in_place_of_the_table(offline, tmp_path, monkeypatch):
    (tmp_path / "nilearn" / ds.NAME).mkdir(parents=True)
    (tmp_path / "nilearn" / ds.NAME / "participants.tsv").write_text("<html>\n<body>Log in</body>\n")
    with pytest.raises(StudyError, match=r"participants that fits.*Delete development_fmri/participants.tsv"):
        fetch(tmp_path / "s", tmp_path / "nilearn", monkeypatch)


def test_folder_of_another_study_is_left_alone(looks, offline, tmp_path, monkeypatch):
    (tmp_path / "s/sourcedata/records").mkdir(parents=True)
    (tmp_path / "s/sourcedata/records/download.json").write_text(json.dumps({"study": "ds000030"}))
    with pytest.raises(StudyError, match="holds the study ds000030, and development_fmri was asked for"):
        fetch(tmp_path / "s", looks[False], monkeypatch)
    (tmp_path / "film.mp4").write_bytes(b"x")
    with pytest.raises(StudyError, match="holds something else"):
        fetch(tmp_path, looks[False], monkeypatch)


@pytest.mark.parametrize("n_people", [0, 1, 156])
def test_number_of_people(offline, tmp_path, monkeypatch, n_people):
    with pytest.raises(StudyError, match="expected a number from 2 to 155"):
        fetch(tmp_path / "s", tmp_path, monkeypatch, n_people=n_people)


def test_command_line(looks, tmp_path):
    """What a user sees; nilearn has every file, so nothing goes out."""
    command = [sys.executable, "-m", "data_scripts", "download", ds.NAME, "--out", str(tmp_path / "s")]
    environment = {**os.environ, "NILEARN_DATA": str(looks[False])}
    options = {"capture_output": True, "text": True, "check": False, "timeout": 120, "env": environment}
    dry = subprocess.run([*command, "--dry-run"], **options)
    assert dry.returncode == 0, dry.stderr
    assert "30 people who watch a film" in dry.stdout
    assert not (tmp_path / "s").exists()
    done = subprocess.run([*command, "--subjects", "4"], **options)
    assert done.returncode == 0, done.stderr
    assert "The study is whole" in done.stdout
    for wrong in (["--subjects", "pixar001"], ["--endpoint", "http://127.0.0.1:9"], ["--all", "--subjects", "4"]):
        assert subprocess.run([*command, *wrong], **options).returncode == 2
