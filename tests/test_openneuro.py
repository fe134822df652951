"""What is listed and chosen of the published study, and what is refused."""

import pytest
from published_study import MNI, QUICK, small_person

from data_scripts.choose import Remote, choose_files
from data_scripts.network import NetworkError
from data_scripts.old_names import translate
from data_scripts.openneuro import BUCKET, ROOTS, Bucket

FPREP = "derivatives/fmriprep/sub-10171"
OLD_AND_NEW = {
    "func/sub-10171_task-rest_bold_confounds.tsv": "func/sub-10171_task-rest_desc-confounds_timeseries.tsv",
    "func/sub-10171_task-rest_desc-confounds_regressors.tsv": "func/sub-10171_task-rest_desc-confounds_timeseries.tsv",
    f"func/sub-10171_task-rest_bold_space-{MNI}_preproc.nii.gz":
        f"func/sub-10171_task-rest_space-{MNI}_desc-preproc_bold.nii.gz",
    f"func/sub-10171_task-rest_bold_space-{MNI}_brainmask.nii.gz":
        f"func/sub-10171_task-rest_space-{MNI}_desc-brain_mask.nii.gz",
    "func/sub-10171_task-rest_run-02_bold_space-T1w_preproc.nii.gz":
        "func/sub-10171_task-rest_run-02_space-T1w_desc-preproc_bold.nii.gz",
    "anat/sub-10171_T1w_preproc.nii.gz": "anat/sub-10171_desc-preproc_T1w.nii.gz",
    "anat/sub-10171_T1w_brainmask.nii.gz": "anat/sub-10171_desc-brain_mask.nii.gz",
    "anat/sub-10171_T1w_dtissue.nii.gz": "anat/sub-10171_dseg.nii.gz",
    f"anat/sub-10171_T1w_space-{MNI}_class-GM_probtissue.nii.gz":
        f"anat/sub-10171_space-{MNI}_label-GM_probseg.nii.gz",
    f"anat/sub-10171_space-{MNI}_desc-preproc_T1w.nii.gz": f"anat/sub-10171_space-{MNI}_desc-preproc_T1w.nii.gz",
    f"func/sub-10171_task-rest_space-{MNI}_boldref.nii.gz": f"func/sub-10171_task-rest_space-{MNI}_boldref.nii.gz",
    "anat/sub-10171_T1w_inflated.L.surf.gii": None,
    f"anat/sub-10171_T1w_target-{MNI}_warp.h5": None,
    "func/sub-10171_task-bart_bold_confounds.tsv": None,
    "func/sub-10171_task-rest_bold_space-fsaverage5.L.func.gii": None,
    "func/sub-10999_task-rest_bold_confounds.tsv": None,  # in somebody else's folder
}  # fmt: skip


@pytest.mark.parametrize(("old", "new"), OLD_AND_NEW.items())
def test_name(old, new):
    name = translate(f"{FPREP}/{old}")
    assert (name and name.path) == (new and f"{FPREP}/{new}")


def test_session_stays_in_the_name():
    name = translate("derivatives/fmriprep/sub-1/ses-b/func/sub-1_ses-b_task-rest_bold_confounds.tsv")
    assert name.path.endswith("sub-1/ses-b/func/sub-1_ses-b_task-rest_desc-confounds_timeseries.tsv")
    assert (name.session, name.raw) == ("ses-b", False)


def _remotes(files):
    return [Remote(path, path, len(content), "") for path, content in files.items()]


def test_everything_needed_is_chosen_and_nothing_else():
    choice = choose_files("sub-10171", _remotes(small_person("10171")))
    assert choice.missing == choice.problems == choice.notes == []
    assert len(choice.files) == 19
    assert not any("bart" in remote.path or "surf" in remote.path for remote in choice.files)


def test_another_session_is_left_out_and_named():
    files = small_person("10171")
    again = {
        path.replace("sub-10171/", "sub-10171/ses-2/").replace("sub-10171_", "sub-10171_ses-2_"): content
        for path, content in files.items()
    }
    choice = choose_files("sub-10171", _remotes(files | again))
    assert choice.files == choose_files("sub-10171", _remotes(files)).files
    assert choice.notes == [f"sub-10171 has another {kind} ses-2: left out" for kind in ("func", "anat")]
    only = choose_files("sub-10171", _remotes(again))
    assert len(only.files) == 19
    assert not only.missing


def test_whole_run_is_preferred_to_the_first():
    files = small_person("10171")
    table = f"{FPREP}/func/sub-10171_task-rest_run-1_bold_confounds.tsv"
    choice = choose_files("sub-10171", _remotes({**files, table: b"x"}))
    assert not choice.missing
    assert choice.notes == ["sub-10171 has another func _run-1: left out"]


def test_empty_and_missing_files_are_named():
    files = small_person("10171")
    files[f"{FPREP}/anat/sub-10171_T1w_dtissue.nii.gz"] = b""
    del files[f"{FPREP}/func/sub-10171_task-rest_bold_confounds.tsv"]
    choice = choose_files("sub-10171", _remotes(files))
    assert choice.problems == [
        f"{FPREP}/anat/sub-10171_T1w_dtissue.nii.gz is empty on the server",
        "sub-10171 has no file *_desc-confounds_timeseries.tsv",
    ]


class _Listing:
    """A server that lists what it is told to."""

    def __init__(self, pages):
        self.pages = pages

    def list_objects_v2(self, *, Prefix, ContinuationToken="0", **_):
        page = self.pages[int(ContinuationToken) % len(self.pages)]
        more = int(ContinuationToken) + 1
        contents = [{"Key": key, "Size": size, "ETag": '"x"'} for key, size in page]
        return {
            "Contents": contents,
            "KeyCount": len(contents),
            "IsTruncated": more != len(self.pages),
            "NextContinuationToken": str(more),
        }


def _bucket(monkeypatch, *pages):
    monkeypatch.setattr("data_scripts.openneuro.connect", lambda *_: _Listing(pages))
    return Bucket(None, QUICK)


PREFIX = f"{ROOTS[0]}{FPREP}/"


@pytest.mark.parametrize(
    "name",
    ["../../../../evil", "func/../evil", "/etc/passwd", "func\\evil", "func/nul\0", "func/con", "func//x", "x" * 300],
)
def test_hostile_name_is_refused(monkeypatch, name):
    bucket = _bucket(monkeypatch, [(f"{PREFIX}{name}", 5)])
    with pytest.raises(NetworkError, match="not to be trusted"):
        bucket.choose("sub-10171")


def test_name_outside_of_what_was_asked_for_is_refused(monkeypatch):
    bucket = _bucket(monkeypatch, [("elsewhere/sub-10171_task-rest_bold_confounds.tsv", 5)])
    with pytest.raises(NetworkError, match="not to be trusted"):
        bucket.choose("sub-10171")


def test_names_that_differ_in_capitals_are_refused(monkeypatch):
    bucket = _bucket(monkeypatch, [(f"{PREFIX}func/A", 5), (f"{PREFIX}func/a", 5)])
    with pytest.raises(NetworkError, match="would be one file on many disks"):
        bucket.list_files(f"{FPREP}/")


@pytest.mark.parametrize("size", [-1, "5"])
def test_impossible_size_is_refused(monkeypatch, size):
    bucket = _bucket(monkeypatch, [(f"{PREFIX}func/a", size)])
    with pytest.raises(NetworkError, match="with the size"):
        bucket.list_files(f"{FPREP}/")


def test_pages_are_put_together(monkeypatch):
    pages = [[(f"{PREFIX}func/{page}{i}", 1) for i in range(3)] for page in "abc"]
    assert len(_bucket(monkeypatch, *pages).list_files(f"{FPREP}/")) == 9


def test_listing_without_end_is_refused(monkeypatch):
    bucket = _bucket(monkeypatch, [(f"{PREFIX}func/a", 1)])
    bucket.client.pages = [[(f"{PREFIX}func/a", 1)]] * 100_000
    with pytest.raises(NetworkError, match="does not end"):
        bucket.list_files(f"{FPREP}/")


def test_bucket_without_the_study(monkeypatch):
    with pytest.raises(NetworkError, match="the place may have moved"):
        _bucket(monkeypatch, [])


def test_bucket_name_and_places_are_those_that_others_use():
    """As public code that reads the study has them; the live bucket could not be asked."""
    assert BUCKET == "openneuro"
    assert ROOTS[0] + "derivatives/fmriprep/" == "ds000030/ds000030_R1.0.5/uncompressed/derivatives/fmriprep/"
