"""The list of files: what is missing or damaged is named, and a damaged list says so itself."""

import json

import pytest

from course_utils.manifest import ManifestError, check_manifest, describe_file, read_manifest, write_manifest

ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # SHA-256 of "abc": FIPS 180-2, appendix B.1


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.txt").write_text("abc")
    (tmp_path / "b.txt").write_text("hello")
    write_manifest(tmp_path, ["sub/a.txt", "b.txt"], seed=3, versions={"numpy": "2"})
    return tmp_path


def found(folder, **options):
    return [str(problem) for problem in check_manifest(folder, **options)]


def test_known_hash(folder):
    assert describe_file(folder / "sub" / "a.txt") == {"bytes": 3, "sha256": ABC}


def test_what_is_written_is_read(folder):
    manifest = read_manifest(folder)
    assert manifest["seed"] == 3
    assert manifest["versions"] == {"numpy": "2"}
    assert list(manifest["files"]) == ["b.txt", "sub/a.txt"]
    assert manifest["files"]["sub/a.txt"] == {"bytes": 3, "sha256": ABC}


def test_hashes_that_are_known_are_not_computed_again(folder):
    entry = {"bytes": 3, "sha256": "0" * 64}
    write_manifest(folder, {"sub/a.txt": entry})
    assert read_manifest(folder)["files"] == {"sub/a.txt": entry}


def test_same_files_give_the_same_bytes_in_any_order(folder):
    before = (folder / "manifest.json").read_bytes()
    write_manifest(folder, ["b.txt", "sub/a.txt"], seed=3, versions={"numpy": "2"})
    assert (folder / "manifest.json").read_bytes() == before


def test_nothing_is_wrong_with_a_whole_folder(folder):
    assert check_manifest(folder) == check_manifest(folder, deep=True) == []
    (folder / "notes.txt").write_text("not in the list")
    assert check_manifest(folder, deep=True) == []


def test_missing_file_is_named(folder):
    (folder / "sub" / "a.txt").unlink()
    assert found(folder) == found(folder, deep=True) == ["sub/a.txt: missing"]
    (folder / "sub").rmdir()
    (folder / "sub").write_text("a file where the folder was")
    assert found(folder) == ["sub/a.txt: missing"]


def test_truncated_file_is_named(folder):
    (folder / "b.txt").write_text("abc")
    assert found(folder) == found(folder, deep=True) == ["b.txt: has 3 bytes, expected 5"]


def test_flipped_byte_is_found_by_deep_only(folder):
    (folder / "b.txt").write_text("hellp")
    assert check_manifest(folder) == []
    (problem,) = check_manifest(folder, deep=True)
    assert problem.path == "b.txt"
    assert "SHA-256 differs" in problem.what


def test_folder_in_place_of_a_file_is_named(folder):
    (folder / "b.txt").unlink()
    (folder / "b.txt").mkdir()
    assert found(folder, deep=True) == ["b.txt: cannot be read (Is a directory)"]


def test_every_problem_is_named(folder):
    (folder / "sub" / "a.txt").unlink()
    (folder / "b.txt").write_text("")
    assert [problem.path for problem in check_manifest(folder)] == ["b.txt", "sub/a.txt"]


ENTRY = {"bytes": 3, "sha256": ABC}


@pytest.mark.parametrize(
    "text",
    [
        "",
        '{"files": {"b.txt": ',
        "[]",
        "{}",
        '{"files": {}}',
        '{"files": ["b.txt"]}',
        '{"files": {"b.txt": 5}}',
        '{"files": {"b.txt": {"bytes": 5}}}',
        json.dumps({"files": {"b.txt": {"bytes": -1, "sha256": ABC}}}),
        json.dumps({"files": {"b.txt": {"bytes": 5, "sha256": "short"}}}),
        json.dumps({"files": {"../outside": ENTRY}}),
        json.dumps({"files": {"/etc/hostname": ENTRY}}),
    ],
)
def test_damaged_manifest_is_one_clear_error(folder, text):
    (folder / "manifest.json").write_text(text)
    with pytest.raises(ManifestError, match="is damaged"):
        check_manifest(folder)


def test_manifest_that_is_not_text(folder):
    (folder / "manifest.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ManifestError, match="is damaged"):
        check_manifest(folder)


def test_missing_manifest_is_one_clear_error(tmp_path):
    with pytest.raises(ManifestError, match=r"There is no manifest\.json in"):
        check_manifest(tmp_path / "nowhere")


@pytest.mark.parametrize("path", ["../b.txt", "/b.txt", "sub/../../b.txt", ""])
def test_paths_outside_are_refused(folder, path):
    with pytest.raises(ValueError, match="is not inside"):
        write_manifest(folder, [path])


def test_failing_write_leaves_the_old_manifest(folder):
    before = (folder / "manifest.json").read_bytes()
    with pytest.raises(TypeError):
        write_manifest(folder, ["b.txt"], parameters={"not for JSON": object()})
    assert (folder / "manifest.json").read_bytes() == before
    assert not list(folder.glob(".*"))
