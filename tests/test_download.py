"""The real study's way to this machine, against a real S3 server and a proxy that breaks what passes through it."""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import breaking_proxy as bp
import pandas as pd
import published_study as ps
import pytest
from small_study import digest_tree

from course_utils.atlases import fetch_course_networks
from course_utils.dataset import open_study
from course_utils.layout import find_run, open_layout
from course_utils.manifest import check_manifest
from data_scripts.convert import SOURCE
from data_scripts.download import download_study
from data_scripts.fetch import BEGUN
from data_scripts.fetched import CHANGES
from data_scripts.network import NetworkError
from data_scripts.openneuro import BUCKET, LESSON
from data_scripts.records import StudyError

ONE, TWO = LESSON[0], LESSON[10]
PEOPLE = [ONE, TWO]
TARGET = f"sub-{ONE}_task-rest_bold_space-{ps.MNI}_preproc.nii.gz"


@pytest.fixture(scope="module")
def tree():
    return ps.small_tree()


@pytest.fixture(scope="module")
def bucket(tree):
    """An S3 server with a whole small study; tests may publish more people, and leave those of PEOPLE alone."""
    with ps.serve() as (url, client):
        ps.publish(client, tree)
        yield url, client


@pytest.fixture(scope="module")
def server(bucket):
    return bucket[0]


@pytest.fixture
def proxy(server):
    proxy = bp.Proxy(server)
    yield proxy
    proxy.close()


def fetch(out, url, **options):
    """Download the small study, quietly; returns the report and what was said."""
    said = []
    options = {"subjects": PEOPLE, "patience": ps.QUICK, "jobs": 4, **options}
    report = download_study(out, endpoint=url, say=said.append, **options)
    return report, "\n".join(said)


@pytest.fixture(scope="module")
def good(server, tmp_path_factory):
    """A study that was fetched undisturbed."""
    out = tmp_path_factory.mktemp("good") / "ds000030"
    report, _ = fetch(out, server)
    assert report.problems == []
    return out


def originals(out):
    """What lies in the folder of published files, and is not hidden."""
    root = out / SOURCE
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }


def test_published_bytes_arrive_and_no_others(good, tree):
    unwanted = re.compile(r"surf\.gii|task-bart")
    assert originals(good) == {path: content for path, content in tree.items() if not unwanted.search(path)}
    assert check_manifest(good, deep=True) == []
    assert not list(good.rglob("*.begun"))


def test_study_opens_as_the_simulated_one_does(good, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", str(good.parent))
    monkeypatch.setenv("COURSE_DATASET", "ds000030")
    study = open_study()
    assert not study.simulated
    assert list(study.participants.index) == [f"sub-{label}" for label in PEOPLE]
    assert list(study.participants["diagnosis"]) == ["CONTROL", "SCHZ"]
    assert study.participants["ScannerSerialNumber"].dtype == float
    run = find_run(open_layout(study), ONE)
    assert (run.t_r, run.bold.name) == (2.0, f"sub-{ONE}_task-rest_space-{ps.MNI}_desc-preproc_bold.nii.gz")


def test_atlas_is_that_of_the_simulated_study(good, quick_study, monkeypatch):
    """So a learner needs no simulated study beside the real one."""
    expected = {path: digest for path, digest in digest_tree(quick_study.root).items() if "/atlas/" in str(path)}
    assert len(expected) == 6
    assert {path: digest for path, digest in digest_tree(good).items() if "/atlas/" in str(path)} == expected
    monkeypatch.setenv("COURSE_DATA", str(good.parent))
    monkeypatch.setenv("COURSE_DATASET", "ds000030")
    assert Path(fetch_course_networks().maps).is_relative_to(good)


def test_every_change_is_written_down(good):
    changes = pd.read_csv(good / CHANGES, sep="\t")
    assert set(changes.columns) == {"published", "today", "change"}
    said = changes.groupby("today")["change"].agg(list)
    func = f"derivatives/fmriprep/sub-{ONE}/func/sub-{ONE}_task-rest"
    assert "column WhiteMatter is now white_matter" in said[f"{func}_desc-confounds_timeseries.tsv"]
    assert said[f"{func}_space-T1w_desc-preproc_bold.json"] == [
        "written: RepetitionTime 2 s, from the raw data's JSON file"
    ]
    made = {path.relative_to(good).as_posix() for path in (good / "derivatives").rglob("sub-*.*")}
    unlisted = made - set(said.index)
    assert all(name.endswith("_timeseries.json") for name in unlisted)


def test_second_download_fetches_nothing(good, proxy, tmp_path):
    out = shutil.copytree(good, tmp_path / "ds000030")
    before = digest_tree(out)
    report, said = fetch(out, proxy.url)
    assert "2 people are there already." in said
    assert report.problems == []
    assert not [path for path, _ in proxy.requests if ".nii.gz" in path]
    for path, digest in digest_tree(out).items():
        assert digest == before[path] or path in ("manifest.json", "sourcedata/records/download.json")


def test_dry_run_says_what_and_writes_nothing(server, tmp_path, tree):
    report, said = fetch(tmp_path / "new", server, dry_run=True)
    n_files = sum("surf" not in path and "bart" not in path for path in tree)
    assert f"2 people, {n_files} files, 0.00 GB" in said
    assert "Still to be fetched" in said
    assert report.n_people == 0
    assert not (tmp_path / "new").exists()


# fault, how many answers it breaks, whether the file can still come
FAULTS = [
    *((fault, 2, True) for fault in (bp.cut, bp.busy, bp.truncate, bp.corrupt, bp.promise_more, bp.send_more)),
    (bp.delay, 1, True),
    (bp.wrong_place, 3, True),
    *((fault, 10**6, False) for fault in (bp.busy, bp.truncate, bp.corrupt, bp.send_more)),
]


@pytest.mark.parametrize(("fault", "times", "comes"), FAULTS, ids=lambda value: getattr(value, "__name__", str(value)))
def test_fault(fault, times, comes, good, proxy, tmp_path):
    """After a fault that passes the study is byte for byte the same; after one that stays one file is named."""
    left = [times]

    def break_some(handler, path, *answer):
        if TARGET not in path or left[0] == 0:
            return None
        left[0] -= 1
        return fault(handler, path, *answer)

    proxy.fault = break_some
    out = tmp_path / "ds000030"
    report, _ = fetch(out, proxy.url)
    assert left[0] < times
    fine = originals(good)
    if comes:
        assert report.problems == []
        assert originals(out) == fine
        assert not list(out.rglob("*.begun"))
    else:
        assert any(TARGET in problem for problem in report.problems)
        assert report.n_people == 1
        assert originals(out) == {path: content for path, content in fine.items() if TARGET not in path}
    assert check_manifest(out, deep=True) == []
    proxy.fault = None
    assert fetch(out, proxy.url)[0].problems == []
    assert originals(out) == fine


def test_cut_line_continues_at_the_byte(proxy, tmp_path, tree):
    """Four cuts, each after half of what was left: nothing that has arrived is asked for again."""
    cuts = []

    def cut_four(handler, path, *answer):
        if TARGET in path and len(cuts) < 4:
            cuts.append(len(answer[2]) // 2)
            return bp.cut(handler, path, *answer)
        return None

    proxy.fault = cut_four
    assert fetch(tmp_path / "s", proxy.url, subjects=[ONE])[0].problems == []
    asked = [where for path, where in proxy.requests if TARGET in path]
    assert asked == [None, *(f"bytes={sum(cuts[: i + 1])}-" for i in range(4))]
    size = len(next(content for path, content in tree.items() if TARGET in path))
    assert sum(cuts) < size


def test_file_that_changes_between_two_requests(bucket, proxy, tmp_path):
    client, label, new = bucket[1], LESSON[2], ps.image_bytes(ps.np.ones((6, 5, 4, 12), ps.np.int16), t_r=2.0)
    ps.publish(client, ps.small_person(label))
    path = f"{ps.DERIVED}/sub-{label}/func/sub-{label}_task-rest_bold_space-T1w_preproc.nii.gz"

    def change(handler, asked, *answer):
        if asked.endswith(path):
            proxy.fault = None
            ps.publish(client, {path: new})
            return bp.cut(handler, asked, *answer)
        return None

    proxy.fault = change
    report, _ = fetch(tmp_path / "s", proxy.url, subjects=[label])
    assert proxy.fault is None
    assert report.problems == []
    assert originals(tmp_path / "s")[path] == new


def test_refused_file_is_named_and_stops_nobody(proxy, tmp_path):
    proxy.fault = lambda handler, path, *answer: TARGET in path and bp.refuse(handler, path, *answer)
    report, _ = fetch(tmp_path / "s", proxy.url)
    assert report.n_people == 1
    assert any(f"{TARGET}: the server refuses it, HTTP 403" in problem for problem in report.problems)
    assert any(f"sub-{ONE} cannot be used without" in problem for problem in report.problems)
    table = (tmp_path / "s" / "participants.tsv").read_text()
    assert f"sub-{ONE}" not in table


def test_quirks_of_the_published_study(bucket, tmp_path):
    """Empty files, missing ones, another session, a mark for a folder: named, and nobody else is held up."""
    url, client = bucket
    empty, lacking, twice = LESSON[3], LESSON[12], LESSON[13]
    files = {path: content for label in (empty, lacking, twice) for path, content in ps.small_person(label).items()}
    files[f"{ps.DERIVED}/sub-{empty}/anat/sub-{empty}_T1w_class-GM_probtissue.nii.gz"] = b""
    files[f"{ps.DERIVED}/sub-{empty}/anat/"] = b""
    del files[f"{ps.DERIVED}/sub-{lacking}/func/sub-{lacking}_task-rest_bold_confounds.tsv"]
    for path, content in ps.small_person(twice, seed=7).items():
        inside = path.replace(f"sub-{twice}/", f"sub-{twice}/ses-2/").replace(f"sub-{twice}_", f"sub-{twice}_ses-2_")
        files[inside] = content
    ps.publish(client, files)
    report, said = fetch(tmp_path / "s", url, subjects=[ONE, empty, lacking, twice])
    assert f"Note: sub-{twice} has another func ses-2: left out" in said
    assert report.n_people == 3
    assert report.problems[0].endswith(f"sub-{empty}_T1w_class-GM_probtissue.nii.gz is empty on the server")
    assert report.problems[1:] == [f"sub-{lacking} has no file *_desc-confounds_timeseries.tsv"]
    people = pd.read_csv(tmp_path / "s" / "participants.tsv", sep="\t")["participant_id"]
    assert sorted(people) == sorted(f"sub-{label}" for label in (ONE, empty, twice))
    assert not list((tmp_path / "s").rglob("*ses-2*"))


def test_file_uploaded_in_parts_is_compared_part_by_part(bucket, proxy, tmp_path):
    client, label, large = bucket[1], LESSON[4], os.urandom(5 * 2**20) + os.urandom(1000)
    path = f"sub-{label}/anat/sub-{label}_T1w.nii.gz"
    ps.publish(client, {name: content for name, content in ps.small_person(label).items() if name != path})
    place = {"Bucket": BUCKET, "Key": ps.ROOT + path}
    upload = client.create_multipart_upload(**place, ACL=ps.PUBLIC)["UploadId"]
    parts = []
    for number, part in enumerate((large[: 5 * 2**20], large[5 * 2**20 :]), 1):
        answer = client.upload_part(**place, UploadId=upload, PartNumber=number, Body=part)
        parts.append({"PartNumber": number, "ETag": answer["ETag"]})
    client.complete_multipart_upload(**place, UploadId=upload, MultipartUpload={"Parts": parts})
    broken = []

    def corrupt_once(handler, asked, *answer):
        if asked.endswith(path) and not broken:
            return broken.append(asked) or bp.corrupt(handler, asked, *answer)
        return None

    proxy.fault = corrupt_once
    assert fetch(tmp_path / "s", proxy.url, subjects=[label])[0].problems == []
    assert broken
    assert originals(tmp_path / "s")[path] == large


def test_nobody_of_that_name(server, tmp_path):
    with pytest.raises(NetworkError, match=rf"no derivatives of sub-10172; it has those of \d+ people.*mean sub-{ONE}"):
        fetch(tmp_path / "s", server, subjects=["10172"])
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("subjects", [[], ["../etc"], ["sub-"]])
def test_labels_that_are_none(server, tmp_path, subjects):
    with pytest.raises(StudyError, match=r"is no label|Nobody was named"):
        fetch(tmp_path / "s", server, subjects=subjects)


def test_no_network(tmp_path):
    with pytest.raises(NetworkError, match=r"tried 3 times: no answer.*Check the connection"):
        fetch(tmp_path / "s", "http://127.0.0.1:9")
    assert not (tmp_path / "s").exists()


def test_log_in_page_in_place_of_a_listing(proxy, tmp_path):
    proxy.fault = bp.log_in_page
    with pytest.raises(NetworkError, match=r"Cannot look into|no fMRIPrep derivatives"):
        fetch(tmp_path / "s", proxy.url)
    assert not (tmp_path / "s").exists()


def test_no_room_is_said_before(server, tmp_path, monkeypatch):
    monkeypatch.setattr("data_scripts.archive.free_space", lambda _: 1000)
    with pytest.raises(StudyError, match=r"What is still to be fetched needs 0.00 GB on disk"):
        fetch(tmp_path / "s", server)
    assert not (tmp_path / "s").exists()


def test_folder_of_something_else_is_left_alone(server, tmp_path):
    (tmp_path / "film.mp4").write_bytes(b"x")
    with pytest.raises(StudyError, match="holds something else"):
        fetch(tmp_path, server)
    assert [path.name for path in tmp_path.iterdir()] == ["film.mp4"]


def test_nothing_is_written_through_a_link(server, tmp_path):
    out, elsewhere = tmp_path / "s", tmp_path / "elsewhere"
    fetch(out, server, subjects=[ONE])
    elsewhere.mkdir()
    (out / SOURCE / "derivatives" / "more").symlink_to(elsewhere)
    with pytest.raises(StudyError, match="is a link"):
        fetch(out, server)
    assert not list(elsewhere.iterdir())


def test_two_downloads_at_once_into_one_folder(server, good, tmp_path):
    out, reports = tmp_path / "ds000030", []
    threads = [threading.Thread(target=lambda: reports.append(fetch(out, server)[0])) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [report.problems for report in reports] == [[], []]
    assert originals(out) == originals(good)
    assert check_manifest(out, deep=True) == []


def test_order_of_arrival_changes_no_byte(server, good, tmp_path):
    fetch(tmp_path / "ds000030", server, jobs=1, subjects=PEOPLE[::-1])
    assert digest_tree(tmp_path / "ds000030") == digest_tree(good)


def test_people_are_added(server, good, tmp_path):
    out = tmp_path / "ds000030"
    fetch(out, server, subjects=[ONE])
    report, _ = fetch(out, server, subjects=[f"sub-{TWO}"])
    assert report.n_people == 2
    assert fetch(out, server)[0].n_people == 2
    assert originals(out) == originals(good)


def test_disk_without_hard_links(server, good, tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(Path, "hardlink_to", refuse)
    fetch(tmp_path / "ds000030", server)
    assert originals(tmp_path / "ds000030") == originals(good)


def test_interrupted_then_continued(server, good, tmp_path, monkeypatch):
    """Ctrl-C between two people: what is finished stays, nothing looks whole, the same call finishes it."""
    out, finished = tmp_path / "ds000030", []

    def press(*arguments):
        finished.append(arguments)
        if len(finished) == 2:
            raise KeyboardInterrupt
        return finish(*arguments)

    from data_scripts import download

    finish = download._finish_person
    monkeypatch.setattr(download, "_finish_person", press)
    with pytest.raises(KeyboardInterrupt):
        fetch(out, server)
    assert not (out / "manifest.json").exists()
    monkeypatch.undo()
    report, said = fetch(out, server)
    assert "1 people are there already." in said
    assert report.problems == []
    assert originals(out) == originals(good)


def test_command_line(server, tmp_path):
    """What a user sees; and a study of the wrong name."""
    command = [sys.executable, "-m", "data_scripts", "download"]
    options = {"capture_output": True, "text": True, "check": False, "timeout": 60}
    common = ["--endpoint", server, "--subjects", f"{ONE},{TWO}", "--out", str(tmp_path / "s")]
    done = subprocess.run([*command, "ds000030", *common], **options)
    assert done.returncode == 0, done.stderr
    assert "2 people, 41 files" in done.stdout
    assert "The study is whole" in done.stdout
    assert "Traceback" not in done.stderr
    done = subprocess.run([sys.executable, "-m", "data_scripts", "verify", str(tmp_path / "s")], **options)
    assert done.returncode == 0, done.stdout + done.stderr
    assert subprocess.run([*command, "ds42", *common], **options).returncode == 2
    both = subprocess.run([*command, "ds000030", "--all", *common], **options)
    assert "--subjects and --all say different things" in both.stderr


def test_whole_folder_says_where_it_is_from(good):
    request = json.loads((good / "sourcedata/records/download.json").read_text())
    assert request["study"] == "ds000030"
    assert request["from"].endswith(f"/{BUCKET}/{ps.ROOT}")
    assert not [path for path in good.rglob(".*") if BEGUN.fullmatch(path.name)]
