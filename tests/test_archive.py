"""One file for a stick: the same bytes for the same study, everything checked on the way back, nothing trusted."""

import errno
import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
from collections import namedtuple
from pathlib import Path

import pytest
from small_study import SmallGenerator, digest_tree, make, run_cli

from course_utils.dataset import open_study
from course_utils.manifest import ManifestError, check_manifest, read_manifest, write_manifest
from data_scripts import archive, records, resources, tar_form
from data_scripts.archive import ArchiveError, pack
from data_scripts.folder import LOCK
from data_scripts.unpack import unpack

CHAPTER = "sub-19001/anat/sub-19001_T1w.json"
ENTRY = {"bytes": 3, "sha256": hashlib.sha256(b"abc").hexdigest()}


@pytest.fixture(scope="module")
def packed(whole, tmp_path_factory):
    """Its archive; nobody writes to it."""
    return pack(whole, tmp_path_factory.mktemp("packed")).path


def listed(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file() and path.name != LOCK}


# --- there and back


def test_there_and_back_every_byte_is_the_same(whole, packed, tmp_path):
    report = unpack(packed, tmp_path / "simulated")
    assert digest_tree(tmp_path / "simulated") == digest_tree(whole)
    assert report.n_files == report.n_new == len(read_manifest(whole)["files"])
    assert check_manifest(tmp_path / "simulated", deep=True) == []


def test_unpacked_study_is_found_and_nobody_is_simulated(packed, tmp_path, monkeypatch):
    unpack(packed, tmp_path / "simulated")
    assert make(tmp_path / "simulated", generator=SmallGenerator(fails_for="19001")).n_made == 0
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    assert list(open_study("simulated").participants.index) == ["sub-19001", "sub-19002", "sub-59001", "sub-59002"]


def test_same_study_gives_the_same_archive(whole, packed, tmp_path):
    shutil.copytree(whole, tmp_path / "simulated")  # other times, other owner, other place
    report = pack(tmp_path / "simulated")
    assert report.path == tmp_path / "simulated.tar"
    assert report.path.read_bytes() == packed.read_bytes()
    assert report.sha256 == hashlib.sha256(packed.read_bytes()).hexdigest()
    assert report.n_bytes == packed.stat().st_size


def test_other_programs_can_read_it(whole, packed):
    with tarfile.open(packed) as file:
        names = file.getnames()
        assert names[0] == "manifest.json"
        assert set(names) == {"manifest.json", *read_manifest(whole)["files"]}
        assert {member.type for member in file} == {tarfile.REGTYPE}
        assert file.extractfile(CHAPTER).read() == (whole / CHAPTER).read_bytes()
        assert "SIMULATED" in file.pax_headers["comment"]


def test_archive_needs_nothing_heavy(packed, tmp_path):
    code = (
        "import sys\nfrom data_scripts.unpack import unpack\nfrom data_scripts.archive import pack\n"
        "unpack(sys.argv[1], sys.argv[2]); pack(sys.argv[2])\n"
        "heavy = {'numpy', 'pandas', 'scipy', 'nibabel', 'nilearn', 'joblib', 'bids'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    command = [sys.executable, "-c", code, str(packed), str(tmp_path / "simulated")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "simulated.tar").read_bytes() == packed.read_bytes()


def test_command_line(whole, tmp_path):
    stick = tmp_path / "stick"
    stick.mkdir()
    result = run_cli("pack", whole, "--out", stick)
    assert result.returncode == 0, result.stderr
    assert str(stick / "simulated.tar") in result.stdout
    assert hashlib.sha256((stick / "simulated.tar").read_bytes()).hexdigest() in result.stdout
    environment = {**os.environ, "COURSE_DATA": str(tmp_path / "data")}
    result = run_cli("unpack", stick / "simulated.tar", env=environment)
    assert result.returncode == 0, result.stderr
    assert "byte for byte" in result.stdout
    assert "byte for byte" in run_cli("verify", "--deep", env=environment).stdout
    assert "is there already" in run_cli("unpack", stick / "simulated.tar", env=environment).stdout
    for arguments in (["unpack", tmp_path / "no.tar"], ["unpack", stick], ["pack", whole, "--out", stick], ["unpack"]):
        result = run_cli(*arguments, env=environment)
        assert result.returncode != 0
        assert len(result.stderr.splitlines()) == 1
        assert result.stderr.startswith("Error: ")


# --- pack


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(path.read_bytes()[::-1])])
def test_damaged_study_is_not_packed(whole, tmp_path, damage):
    shutil.copytree(whole, tmp_path / "simulated")
    damage(tmp_path / "simulated" / CHAPTER)
    with pytest.raises(ArchiveError, match=rf"1 of \d+ files .*{CHAPTER}.*Nothing was packed"):
        pack(tmp_path / "simulated")
    assert not list(tmp_path.glob("*.tar"))


def test_unfinished_study_is_not_packed(tmp_path):
    (tmp_path / "simulated").mkdir()
    with pytest.raises(ManifestError, match=r"no manifest\.json"):
        pack(tmp_path / "simulated")


def test_file_that_changes_while_it_is_packed(whole, tmp_path, monkeypatch):
    shutil.copytree(whole, tmp_path / "simulated")
    monkeypatch.setattr(archive, "check_manifest", lambda root, deep: (root / CHAPTER).write_bytes(b"x") and [])
    with pytest.raises(ArchiveError, match="changed while it was packed"):
        pack(tmp_path / "simulated")
    assert [path.name for path in tmp_path.iterdir()] == ["simulated"]


def test_nothing_is_overwritten_by_pack(whole, packed, tmp_path):
    (tmp_path / "a.tar").write_text("thesis")
    (tmp_path / "link.tar").symlink_to(tmp_path / "nowhere")
    for name in ("a.tar", "link.tar"):
        with pytest.raises(ArchiveError, match="exists already and is left alone"):
            pack(whole, tmp_path / name)
    with pytest.raises(ArchiveError, match="lies inside the study"):
        pack(whole, whole / "sourcedata" / "a.tar")
    assert (tmp_path / "a.tar").read_text() == "thesis"
    assert not (tmp_path / "nowhere").exists()


def test_leftovers_of_a_killed_pack_are_cleared_away(whole, tmp_path):
    mine, other = tmp_path / f".a.tar.{os.getpid()}.part", tmp_path / ".a.tar.4194305.part"  # above Linux's largest
    for path in (mine, other, tmp_path / ".a.tar.part", tmp_path / ".b.tar.4194305.part"):
        path.write_text("half")
    mine.rename(tmp_path / f".a.tar.{os.getppid()}.part")  # of a process that lives
    pack(whole, tmp_path / "a.tar")
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"a.tar", f".a.tar.{os.getppid()}.part", ".a.tar.part", ".b.tar.4194305.part"}


def test_ctrl_c_while_packing_starts_anew(whole, packed, tmp_path):
    """Interrupted in the middle of the files: nothing is left, and the message does not promise to continue."""
    code = (
        "import os, signal, sys\nfrom data_scripts import __main__, archive\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\nreal, count = archive.make_header, [0]\n"
        "def make_header(name, size):\n"
        "    count[0] += 1\n"
        "    if count[0] == 9: os.kill(os.getpid(), signal.SIGINT)\n"
        "    return real(name, size)\n"
        "archive.make_header = make_header\n__main__.main()"
    )
    command = [sys.executable, "-c", code, "pack", str(whole), "--out", str(tmp_path / "a.tar")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 130
    assert result.stderr.strip() == "Error: Interrupted. The same command starts anew."
    assert not list(tmp_path.iterdir())
    assert pack(whole, tmp_path / "a.tar").path.read_bytes() == packed.read_bytes()


def test_too_little_room_is_said_beforehand(whole, packed, tmp_path, monkeypatch):
    monkeypatch.setattr(resources.shutil, "disk_usage", lambda path: namedtuple("usage", "total free")(9, 9))
    with pytest.raises(ArchiveError, match=r"needs 0\.\d\d GB on disk, and .* has 0\.00 GB free"):
        pack(whole, tmp_path / "a.tar")
    with pytest.raises(ArchiveError, match=r"needs 0\.\d\d GB on disk, and .* has 0\.00 GB free"):
        unpack(packed, tmp_path / "simulated")
    assert not list(tmp_path.iterdir())


def full_disk(monkeypatch, after):
    """From now on, writing fails after so many bytes, as on a full disk."""
    written = [0]

    class Full(io.FileIO):
        def write(self, data):
            written[0] += len(data)
            if written[0] > after:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self.name)
            return super().write(data)

    def open_full(path, mode="r", **options):
        return Full(path, mode) if "w" in mode else open(path, mode, **options)

    monkeypatch.setattr("data_scripts.partial.open", open_full, raising=False)


def test_full_disk(whole, packed, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        full_disk(patch, 50_000)
        with pytest.raises(ArchiveError, match=r"Cannot write to .*No space left on device.*No half archive is left"):
            pack(whole, tmp_path / "a.tar")
    assert not list(tmp_path.iterdir())
    out = tmp_path / "simulated"
    with monkeypatch.context() as patch:
        full_disk(patch, 50_000)
        with pytest.raises(
            records.StudyError, match=r"Cannot write to .*No space left on device.*continues from there"
        ):
            unpack(packed, out)
    there = listed(out) - {records.UNPACKING}
    assert there
    assert {name: digest_tree(out)[name] for name in there}.items() <= digest_tree(whole).items()
    assert "manifest.json" not in there
    assert 0 < unpack(packed, out).n_new < len(read_manifest(out)["files"])
    assert digest_tree(out) == digest_tree(whole)


# --- where it goes


def test_foreign_folder_is_left_alone(packed, tmp_path):
    (tmp_path / "chapter.txt").write_text("the only copy")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "derivatives").symlink_to(tmp_path / "elsewhere")
    for out, says in ((tmp_path, "something else"), (tmp_path / "linked", "something else"), ("chapter.txt", "a file")):
        with pytest.raises(records.StudyError, match=says):
            unpack(packed, tmp_path / out)
    assert digest_tree(tmp_path) == {"chapter.txt": hashlib.sha256(b"the only copy").hexdigest()}
    assert not list((tmp_path / "elsewhere").iterdir())


def test_other_study_is_not_overwritten(packed, tmp_path):
    make(tmp_path / "simulated", seed=1)
    before = digest_tree(tmp_path / "simulated")
    with pytest.raises(ArchiveError, match="holds another study"):
        unpack(packed, tmp_path / "simulated")
    (tmp_path / "simulated/manifest.json").rename(tmp_path / "simulated" / records.UNPACKING)
    with pytest.raises(ArchiveError, match="holds another study, or a part of one"):
        unpack(packed, tmp_path / "simulated")
    (tmp_path / "simulated" / records.UNPACKING).rename(tmp_path / "simulated/manifest.json")
    assert digest_tree(tmp_path / "simulated") == before


def interrupt(packed, out, after):
    """Unpack until so many files are there, then stop."""
    with pytest.MonkeyPatch.context() as patch:
        replace, count = os.replace, [0]

        def counted(source, target):
            count[0] += 1
            if count[0] > after:
                raise KeyboardInterrupt
            replace(source, target)

        patch.setattr(os, "replace", counted)
        with pytest.raises(KeyboardInterrupt):
            unpack(packed, out)


def test_interrupted_unpacking_is_not_whole_and_continues(whole, packed, tmp_path):
    out, n_files = tmp_path / "simulated", len(read_manifest(whole)["files"])
    interrupt(packed, out, 8)
    assert not (out / "manifest.json").exists()
    (out / "sourcedata" / ".a.json.4711.part").write_text("half")
    kept = {path: path.stat().st_mtime_ns for path in out.rglob("*.json") if path.name != records.UNPACKING}
    assert unpack(packed, out).n_new == n_files - 7  # the first that was written is the marker
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert digest_tree(out) == digest_tree(whole)


def test_half_unpacked_study_can_be_completed_by_simulating(whole, packed, tmp_path):
    out = tmp_path / "simulated"
    interrupt(packed, out, len(read_manifest(whole)["files"]) - 3)
    assert make(out).n_made == 1
    assert digest_tree(out) == digest_tree(whole)


def test_file_that_disappeared_is_unpacked_again_and_one_in_the_way_is_left(whole, packed, tmp_path):
    out = tmp_path / "simulated"
    unpack(packed, out)
    (out / CHAPTER).unlink()
    assert unpack(packed, out).n_new == 1
    assert digest_tree(out) == digest_tree(whole)
    (out / CHAPTER).write_text("mine")
    with pytest.raises(ArchiveError, match="is there and is not what the archive holds; it is left alone"):
        unpack(packed, out)
    assert (out / CHAPTER).read_text() == "mine"
    assert not (out / "manifest.json").exists()


def test_link_planted_in_a_half_unpacked_folder(packed, tmp_path):
    out = tmp_path / "simulated"
    interrupt(packed, out, 3)
    (tmp_path / "elsewhere").mkdir()
    (out / "derivatives").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ArchiveError, match="is a link"):
        unpack(packed, out)
    assert not list((tmp_path / "elsewhere").iterdir())


def test_killed_unpacking_continues(whole, packed, tmp_path):
    """Killed by the system in the middle of a file, which nothing can tidy up."""
    out = tmp_path / "simulated"
    code = (
        "import os, signal, sys\nfrom data_scripts import unpack\nread = unpack.describe_file\n"
        "real, count = os.replace, [0]\n"
        "def replace(source, target):\n"
        "    count[0] += 1\n"
        "    if count[0] == 9: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    real(source, target)\n"
        "os.replace = replace\nunpack.unpack(sys.argv[1], sys.argv[2])"
    )
    result = subprocess.run([sys.executable, "-c", code, str(packed), str(out)], check=False)
    assert result.returncode == -signal.SIGKILL
    assert list(out.rglob("*.part"))
    assert not (out / "manifest.json").exists()
    unpack(packed, out)
    assert digest_tree(out) == digest_tree(whole)


def test_two_at_once(whole, packed, tmp_path):
    command = [sys.executable, "-m", "data_scripts", "unpack", str(packed), "--out", str(tmp_path / "simulated")]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert sorted("Unpacked" in stdout for stdout, _ in said) == [False, True]
    assert digest_tree(tmp_path / "simulated") == digest_tree(whole)


# --- archives that are damaged, or meant to do harm


def test_every_kind_of_file_that_is_no_archive(whole, packed, tmp_path):
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "text").write_text("x" * 5000)
    with tarfile.open(tmp_path / "tar", "w") as file:
        file.add(whole, "simulated")
    with tarfile.open(tmp_path / "tgz", "w:gz") as file:
        file.add(packed, "simulated.tar")
    for name in ("empty", "text", "tar", "tgz"):
        with pytest.raises(ArchiveError, match="does not begin like an archive"):
            unpack(tmp_path / name, tmp_path / "out")
    for path in (tmp_path / "missing", tmp_path):
        with pytest.raises(ArchiveError, match="cannot be read"):
            unpack(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("share", [0.0001, 0.01, 0.5, 0.999])
def test_archive_that_was_cut_off(packed, tmp_path, share):
    content = packed.read_bytes()
    (tmp_path / "a.tar").write_bytes(content[: int(share * len(content))])
    with pytest.raises(ArchiveError, match=r"cut off|does not begin|too early"):
        unpack(tmp_path / "a.tar", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_any_flipped_byte_is_noticed(whole, packed, tmp_path):
    """In the comment, the manifest, a header, a file's contents, padding apart."""
    content, n_manifest = packed.read_bytes(), len((whole / "manifest.json").read_bytes())
    places = [5, 560, 1030, 1600, 1536 + n_manifest // 2, content.index(b"sub-19001/anat/"), content.index(b'"Age"')]
    for number, place in enumerate(places):
        damaged = bytearray(content)
        damaged[place] ^= 1
        (tmp_path / "a.tar").write_bytes(damaged)
        with pytest.raises(ArchiveError, match=r"damaged|does not begin|not in its manifest|cannot be trusted"):
            unpack(tmp_path / "a.tar", tmp_path / str(number))
        assert not (tmp_path / str(number) / "manifest.json").exists()
        assert listed(tmp_path / str(number)) - {records.UNPACKING} <= listed(whole)


def header(name, size, kind=tarfile.REGTYPE, **fields):
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    for field, value in fields.items():
        setattr(info, field, value)
    return info.tobuf(tarfile.GNU_FORMAT)


def forge(path, members, files=None, manifest=None):
    """Write an archive by hand: (header, data) after a manifest whose own hash is right."""
    if manifest is None:
        manifest = json.dumps({"files": {"a.txt": ENTRY, "b/c.txt": ENTRY} if files is None else files}).encode()
    content = tar_form.make_first_blocks(hashlib.sha256(manifest).hexdigest())
    content += tar_form.make_header("manifest.json", len(manifest)) + manifest + tar_form.padding(len(manifest))
    for block, data in members:
        content += block + data + tar_form.padding(len(data))
    path.write_bytes(content + tar_form.END)
    return path


GOOD = [(header("a.txt", 3), b"abc"), (header("b/c.txt", 3), b"abc")]


def test_forged_archive_that_is_right(tmp_path):
    """Otherwise the tests below would show nothing."""
    assert unpack(forge(tmp_path / "a.tar", GOOD), tmp_path / "out").n_new == 2
    assert listed(tmp_path / "out") == {"manifest.json", "a.txt", "b/c.txt"}


@pytest.mark.parametrize(
    ("second", "says"),
    [
        (header("/c.txt", 3), "would not stay in its folder"),
        (header("../c.txt", 3), "would not stay in its folder"),
        (header("b/../../c.txt", 3), "would not stay in its folder"),
        (header("b\\c.txt", 3), "unusual name"),
        (header("b/c.txt/", 3), "a folder|unusual name"),
        (header("b/\nc.txt", 3), "unusual name"),
        (header("other.txt", 3), "not in its manifest"),
        (header("a.txt", 3), "twice"),
        (header("manifest.json", 3), "not in its manifest"),
        (header("b/c.txt", 2), "2 bytes of 'b/c.txt', and 3 were packed"),
        (header("b/c.txt", 2**40), "bytes of 'b/c.txt'"),
        (header("b/c.txt", 3, tarfile.SYMTYPE, linkname="/etc/passwd"), "holds a link"),
        (header("b/c.txt", 3, tarfile.LNKTYPE, linkname="a.txt"), "holds a link"),
        (header("b", 3, tarfile.DIRTYPE), "holds a folder"),
        (header("b/c.txt", 3, tarfile.CHRTYPE), "holds a device"),
        (header("b/c.txt", 3, tarfile.BLKTYPE), "holds a device"),
        (header("b/c.txt", 3, tarfile.FIFOTYPE), "holds a pipe"),
        (header("b/c.txt", 3, tarfile.GNUTYPE_SPARSE), "an entry of type b'S'"),
        (header("b/c.txt", 3, tarfile.GNUTYPE_LONGNAME), "an entry of type b'L'"),
        (header("b/c.txt", 3, tarfile.XHDTYPE), "an entry of type b'x'"),
        (header("b/c.txt", 3, tarfile.CONTTYPE), "an entry of type b'7'"),
        (bytes(512), r"lacks 1 of 2 files"),
        (b"x" * 512, "is damaged"),
    ],
)
def test_entry_that_is_not_what_was_packed(tmp_path, second, says):
    path = forge(tmp_path / "a.tar", [GOOD[0], (second, b"abc")])
    with pytest.raises(ArchiveError, match=says):
        unpack(path, tmp_path / "deep" / "out")
    assert listed(tmp_path) == {"a.tar", "deep/out/a.txt", f"deep/out/{records.UNPACKING}"}


def test_negative_size(tmp_path):
    """A number that sends Python's own reader backwards without end."""
    block = bytearray(header("b/c.txt", 3))
    block[124:136] = b"\xff" * 12  # -1 in the base-256 form
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    path = forge(tmp_path / "a.tar", [GOOD[0], (bytes(block), b"abc")])
    with pytest.raises(ArchiveError, match="holds -1 bytes"):
        unpack(path, tmp_path / "out")


@pytest.mark.parametrize("data", [b"xyz", b"\0\0\0"])
def test_contents_that_are_not_what_was_packed(tmp_path, data):
    path = forge(tmp_path / "a.tar", [GOOD[0], (header("b/c.txt", 3), data)])
    with pytest.raises(ArchiveError, match=r"c\.txt is not what was packed"):
        unpack(path, tmp_path / "out")
    assert listed(tmp_path / "out") == {"a.txt", records.UNPACKING}


def test_more_or_less_than_the_manifest_says(tmp_path):
    for members in (GOOD[:1], [*GOOD, (header("d.txt", 3), b"abc")]):
        with pytest.raises(ArchiveError, match="cut off or changed"):
            unpack(forge(tmp_path / "a.tar", members), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "files",
    [
        {},
        [],
        "a.txt",
        {"a.txt": 3},
        {"a.txt": {"bytes": 3}},
        {"a.txt": {**ENTRY, "bytes": -1}},
        {"a.txt": {**ENTRY, "bytes": True}},
        {"a.txt": {**ENTRY, "bytes": 3.0}},
        {"a.txt": {**ENTRY, "bytes": 10**30}},
        {"a.txt": {**ENTRY, "sha256": "x" * 64}},
        {"a.txt": {**ENTRY, "sha256": ENTRY["sha256"].upper()}},
        {"a.txt": {**ENTRY, "sha256": None}},
        {"../a.txt": ENTRY},
        {"/a.txt": ENTRY},
        {"": ENTRY},
        {"a//b.txt": ENTRY},
        {"./a.txt": ENTRY},
        {"C:\\a.txt": ENTRY},
        {"a:b": ENTRY},
        {"nul": ENTRY},
        {"a./b": ENTRY},
        {"a\x00b": ENTRY},
        {"\u202egnp.exe": ENTRY},
        {"x" * 300: ENTRY},
        {"manifest.json": ENTRY},
        {"MANIFEST.json": ENTRY},
        {LOCK: ENTRY},
        {records.UNPACKING: ENTRY},
        {"a/.b.json.12.part": ENTRY},
        {"a.txt": ENTRY, "A.txt": ENTRY},
        {"a": ENTRY, "a/b": ENTRY},
        {"a/b": ENTRY, "A": ENTRY},
    ],
)
def test_manifest_that_cannot_be_trusted(tmp_path, files):
    path = forge(tmp_path / "a.tar", GOOD[:1], files=files)
    with pytest.raises(ArchiveError, match=r"cannot be trusted|cut off or changed"):
        unpack(path, tmp_path / "out")
    assert listed(tmp_path) == {"a.tar"}


@pytest.mark.parametrize(
    "manifest", [b"", b"{", b"null", b"[" * 100_000, b"\xff\xfe", b'{"files": ' + b"9" * 5000 + b"}", b'{"files": NaN}']
)
def test_manifest_that_is_no_list(tmp_path, manifest):
    path = forge(tmp_path / "a.tar", GOOD, manifest=manifest)
    with pytest.raises(ArchiveError, match="cannot be trusted"):
        unpack(path, tmp_path / "out")
    assert listed(tmp_path) == {"a.tar"}


def test_manifest_of_a_trillion_bytes(tmp_path):
    content = tar_form.make_first_blocks("0" * 64) + tar_form.make_header("manifest.json", 2**33 - 1)
    (tmp_path / "a.tar").write_bytes(content)
    with pytest.raises(ArchiveError, match="at most 100 MB"):
        unpack(tmp_path / "a.tar", tmp_path / "out")


def test_names_that_cannot_be_packed(tmp_path):
    (tmp_path / "s").mkdir()
    for name in ("a b.txt", "ü.txt", "x" * 200):
        (tmp_path / "s" / name).write_text("abc")
        write_manifest(tmp_path / "s", [name])
        with pytest.raises(ArchiveError, match=r"cannot be packed.*Nothing was packed"):
            pack(tmp_path / "s")
    assert listed(tmp_path) == {"s/manifest.json", "s/a b.txt", "s/ü.txt", f"s/{'x' * 200}"}


def test_longest_names_of_a_study_can_be_packed():
    name = "derivatives/fmriprep/sub-19001/func/sub-19001_task-rest_space-MNI152NLin2009cAsym_desc-preproc_bold.nii.gz"
    assert tar_form.read_header(tar_form.make_header(name, 10**9)) == (name, 10**9)
