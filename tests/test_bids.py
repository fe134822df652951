"""The form of the simulated study: what the standard's validator, pybids, nibabel and nilearn make of it."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nilearn.interfaces.fmriprep import load_confounds
from small_study import SmallGenerator, digest_tree

from course_utils.dataset import open_study
from course_utils.layout import MNI, find_run, open_layout
from course_utils.manifest import check_manifest, read_manifest
from data_scripts.generator import Generator
from data_scripts.images import Volume
from data_scripts.parameters import PROFILES
from data_scripts.partial import remove_partial_files
from data_scripts.study import simulate_study
from data_scripts.write_bids import write_content

SUBJECTS = ["19001", "19002", "59001", "59002"]
QUICK = PROFILES["quick"]
AFFINE = np.array([[3.0, 0, 0, -96.5], [0, 3, 0, -132.5], [0, 0, 4, -78.5], [0, 0, 0, 1]])


# --- one file


def tilted(zooms, degrees=12.0):
    """An affine that turns about x, as a scanner's oblique slices do."""
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    affine = np.eye(4)
    affine[:3, :3] = np.array([[1, 0, 0], [0, c, -s], [0, s, c]]) * zooms
    affine[:3, 3] = -90, -110, -60
    return affine


@pytest.mark.parametrize(
    ("dtype", "slope", "t_r", "affine", "code"),
    [
        (np.int16, 2.0, 2.0, AFFINE, 4),
        (np.int16, 4.0, None, tilted([1, 1, 1]), 1),
        (np.uint8, 1 / 255, None, AFFINE, 4),
        (np.uint8, None, None, AFFINE, 4),
        (np.float32, None, 1.5, tilted([3, 3, 4]), 1),
    ],
)
def test_image_comes_back_as_it_was(tmp_path, dtype, slope, t_r, affine, code):
    shape = (5, 4, 3) if t_r is None else (6, 5, 4, 3)  # (t, z, y, x): every axis of another length
    data = np.random.default_rng(0).integers(0, 200, shape).astype(dtype)
    write_content(tmp_path, "a/image.nii.gz", Volume(data, affine, slope, t_r, code))
    img = nib.load(tmp_path / "a/image.nii.gz")
    assert img.shape == shape[::-1]
    np.testing.assert_array_equal(img.dataobj.get_unscaled(), data.T)
    np.testing.assert_allclose(img.get_fdata(), data.T * (slope or 1.0), rtol=1e-6)
    np.testing.assert_allclose(img.affine, affine, atol=1e-5)
    np.testing.assert_allclose(img.get_qform(), affine, atol=1e-4)
    assert int(img.header["qform_code"]) == int(img.header["sform_code"]) == code
    expected = np.sqrt((affine[:3, :3] ** 2).sum(0)).tolist() + ([] if t_r is None else [t_r])
    np.testing.assert_allclose(img.header.get_zooms(), expected, rtol=1e-6)
    assert img.header.get_xyzt_units() == ("mm", "sec")
    assert b"SIMULATED" in img.header["descrip"].item()


def test_voxel_by_voxel_by_hand(tmp_path):
    """Voxel (i, j, k) of the file is data[k, j, i]; x runs fastest on disk."""
    data = np.arange(24, dtype=np.int16).reshape(4, 3, 2)
    write_content(tmp_path, "v.nii.gz", Volume(data, AFFINE))
    img = nib.load(tmp_path / "v.nii.gz")
    assert img.dataobj[1, 2, 3] == data[3, 2, 1] == 23
    raw = gzip.decompress((tmp_path / "v.nii.gz").read_bytes())
    assert len(raw) == 352 + 48
    assert raw[352:356] == b"\x00\x00\x01\x00"


def test_big_endian_arrays_are_turned(tmp_path):
    data = np.arange(24, dtype=">i2").reshape(4, 3, 2)
    volume = Volume(np.ascontiguousarray(data.astype("i2")), AFFINE)
    object.__setattr__(volume, "data", data)
    write_content(tmp_path, "v.nii.gz", volume)
    np.testing.assert_array_equal(np.asanyarray(nib.load(tmp_path / "v.nii.gz").dataobj), data.T)


def test_same_content_gives_the_same_bytes(tmp_path):
    data = np.random.default_rng(1).integers(0, 99, (3, 40, 40, 40)).astype(np.int16)  # more than one chunk
    contents = {
        "v.nii.gz": Volume(np.tile(data, (20, 1, 1, 1)), AFFINE, t_r=2.0),
        "t.tsv": pd.DataFrame({"a": [0.1, np.nan]}),
        "a.npz": {"x": np.arange(5), "s": np.array(["b"])},
        "j.json": {"b": 1, "a": [1.5, None]},
    }
    for name, content in contents.items():
        first, second = write_content(tmp_path / "1", name, content), write_content(tmp_path / "2", name, content)
        assert first == second
        assert (tmp_path / "1" / name).stat().st_size == first["bytes"]
    assert digest_tree(tmp_path / "1") == digest_tree(tmp_path / "2")
    assert (tmp_path / "1/v.nii.gz").read_bytes()[4:8] == b"\0\0\0\0"  # no time of day in it


def test_tables_and_numbers_as_the_standard_wants_them(tmp_path):
    write_content(tmp_path, "t.tsv", pd.DataFrame({"name": ["a", None], "fd": [np.nan, 0.25]}))
    assert (tmp_path / "t.tsv").read_text() == "name\tfd\na\tn/a\nn/a\t0.25\n"
    write_content(
        tmp_path, "j.json", {"n": np.int64(3), "x": np.float32(0.5), "list": np.arange(2), "path": Path("a/b")}
    )
    assert json.loads((tmp_path / "j.json").read_text()) == {"n": 3, "x": 0.5, "list": [0, 1], "path": "a/b"}
    write_content(tmp_path, "a.npz", {"x": np.arange(3)})
    np.testing.assert_array_equal(np.load(tmp_path / "a.npz")["x"], [0, 1, 2])


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("v.nii.gz", {"a": 1}, TypeError),
        ("t.tsv", {"a": 1}, TypeError),
        ("j.json", "text", TypeError),
        ("README", {"a": 1}, TypeError),
        ("j.json", {"a": float("nan")}, ValueError),
        ("j.json", {"a": object()}, TypeError),
        ("a.npz", {"a": np.array([object()])}, ValueError),
        ("../out.json", {"a": 1}, ValueError),
        ("/tmp/out.json", {"a": 1}, ValueError),
    ],
)
def test_content_that_cannot_be_stored_leaves_nothing(tmp_path, name, content, error):
    with pytest.raises(error):
        write_content(tmp_path / "s", name, content)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_old_file_stays_until_the_new_one_is_whole(tmp_path):
    write_content(tmp_path, "j.json", {"a": 1})
    with pytest.raises(ValueError, match="JSON compliant"):
        write_content(tmp_path, "j.json", {"a": float("inf")})
    assert json.loads((tmp_path / "j.json").read_text()) == {"a": 1}


def test_only_our_partial_files_are_removed(tmp_path):
    names = [".a.nii.gz.12.part", "film.part", ".film.part", ".a.nii.gz.12.partial"]
    for name in names:
        (tmp_path / name).write_text("x")
    assert remove_partial_files(tmp_path) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names[1:])


# --- the study


@pytest.mark.parametrize("folder", [".", "derivatives/fmriprep", "derivatives/atlas"])
def test_validator_finds_no_error(quick_study, folder):
    """The standard's own validator, offline, with each dataset as a root of its own."""
    validator = Path(sys.executable).with_name("bids-validator-deno")
    command = [str(validator), "--format", "json", str(quick_study.root / folder)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    issues = json.loads(result.stdout)["issues"]["issues"]
    errors = [
        (issue["code"], issue.get("subCode"), issue["location"]) for issue in issues if issue["severity"] == "error"
    ]
    assert not errors, errors[:10]
    assert result.returncode == 0, result.stderr


def test_validator_is_not_blind(quick_study, tmp_path):
    """The same call does find an error where there is one."""
    for name in ("dataset_description.json", "README", "participants.tsv"):
        (tmp_path / name).write_bytes((quick_study.root / name).read_bytes())
    (tmp_path / "sub-19001_strange.nii.gz").write_bytes(b"x")
    validator = Path(sys.executable).with_name("bids-validator-deno")
    result = subprocess.run([str(validator), str(tmp_path)], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 16


def test_everything_says_that_it_is_simulated(quick_study):
    for root in (quick_study.root, quick_study.derivatives):
        description = json.loads((root / "dataset_description.json").read_text())
        assert "SIMULATED" in description["Name"]
        assert "SIMULATED" in (root / "README").read_text().splitlines()[0]
    assert json.loads((quick_study.derivatives / "dataset_description.json").read_text())["DatasetType"] == "derivative"
    bold = next(quick_study.derivatives.rglob("*_desc-preproc_bold.nii.gz"))
    assert b"SIMULATED" in nib.load(bold).header["descrip"].item()


def test_participants(quick_study):
    study = open_study("simulated")
    assert study == quick_study
    assert study.participants.index.tolist() == [f"sub-{subject}" for subject in SUBJECTS]
    assert {"diagnosis", "age", "gender"} <= set(study.participants)
    assert study.participants["diagnosis"].value_counts().to_dict() == {"CONTROL": 2, "SCHZ": 2}
    described = json.loads((study.root / "participants.json").read_text())
    assert set(described) == {"participant_id", *study.participants}


def test_pybids_finds_everybody(quick_study):
    layout = open_layout(quick_study)
    assert sorted(layout.get_subjects()) == SUBJECTS
    assert layout.get_tasks() == ["rest"]
    assert sorted(layout.get_spaces()) == [MNI, "T1w"]
    for subject in SUBJECTS:
        for space in (MNI, "T1w"):
            run = find_run(layout, subject, space=space)
            bold, mask = nib.load(run.bold), nib.load(run.mask)
            assert run.t_r == QUICK.t_r == pytest.approx(bold.header.get_zooms()[3])
            assert bold.shape == (*mask.shape, QUICK.n_volumes)
            np.testing.assert_allclose(bold.affine, mask.affine)
            assert len(pd.read_csv(run.confounds, sep="\t")) == QUICK.n_volumes


def test_grid_and_code_of_the_mni_run(quick_study):
    img = nib.load(find_run(open_layout(quick_study), "19002").bold)
    assert img.shape == (*QUICK.bold_shape, QUICK.n_volumes)
    np.testing.assert_allclose(img.affine[:3, 3], QUICK.bold_origin)
    np.testing.assert_allclose(img.header.get_zooms(), (*QUICK.bold_zooms, QUICK.t_r))
    assert int(img.header["sform_code"]) == 4
    assert img.get_data_dtype() == np.int16
    assert img.dataobj.slope != 1


CONFOUND_SETS = {
    "simple": {"strategy": ["high_pass", "motion", "wm_csf"], "motion": "full", "wm_csf": "basic"},
    "scrubbing": {"strategy": ["high_pass", "motion", "wm_csf", "scrub"], "scrub": 5, "fd_threshold": 0.5},
    "combined": {"strategy": ["high_pass", "compcor"], "compcor": "anat_combined", "n_compcor": "all"},
    "separated": {"strategy": ["high_pass", "compcor"], "compcor": "anat_separated", "n_compcor": "all"},
    "temporal": {"strategy": ["high_pass", "compcor"], "compcor": "temporal", "n_compcor": "all"},
    "motion": {"strategy": ["motion", "global_signal"], "motion": "full", "global_signal": "full"},
}


@pytest.mark.parametrize("denoise", CONFOUND_SETS)
def test_nilearn_accepts_every_confounds_table(quick_study, denoise):
    layout = open_layout(quick_study)
    for subject in SUBJECTS:
        for space in (MNI, "T1w"):
            bold = str(find_run(layout, subject, space=space).bold)
            confounds, _ = load_confounds(bold, **CONFOUND_SETS[denoise])
            assert len(confounds) == QUICK.n_volumes
            assert confounds.shape[1] > 1
            assert np.isfinite(confounds.to_numpy()).all()


def test_two_people_have_a_raw_run(quick_study):
    raw = sorted(path.name for path in quick_study.root.glob("sub-*/func/*_bold.nii.gz"))
    assert raw == ["sub-19001_task-rest_bold.nii.gz", "sub-59001_task-rest_bold.nii.gz"]
    assert len(list(quick_study.root.glob("sub-*/anat/*_T1w.nii.gz"))) == 4


def test_manifest_is_true(quick_study):
    assert check_manifest(quick_study.root, deep=True) == []


class WithoutAtlas(Generator):
    """The real simulator, but for the atlas, which has nothing to do with people."""

    def atlas_files(self):
        return SmallGenerator().atlas_files()


def test_two_workers_make_the_same_bytes_as_one_process(quick_study, tmp_path):
    """The real contents: two people of the study, made again elsewhere, in parallel and without the others."""
    simulate_study(tmp_path, profile="quick", subjects=["19002", "59002"], jobs=2, generator=WithoutAtlas())
    again, before = (read_manifest(root)["files"] for root in (tmp_path, quick_study.root))
    theirs = [name for name in again if "sub-" in name]
    assert len(theirs) > 60
    assert {name: again[name] for name in theirs} == {name: before[name] for name in theirs}
