"""An archive that `archive.pack` has made, back to a study; nothing in it is trusted before it is checked."""

import hashlib
import json
import os
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from course_utils.manifest import MANIFEST_NAME, check_files, describe_file
from data_scripts.archive import CHUNK, ArchiveError, require_room, show_bytes
from data_scripts.folder import LOCK, only_one, refuse_foreign_folder
from data_scripts.partial import PARTIAL, remove_partial_files, whole_file
from data_scripts.records import UNPACKING
from data_scripts.tar_form import (
    BLOCK,
    TarFormError,
    count_bytes,
    is_plain_path,
    padding,
    read_first_blocks,
    read_header,
)

LARGEST_MANIFEST = 100_000_000  # bytes; 2000 people need about 15 MB
KEPT = "What was unpacked and is right stays; the same command continues from there."


@dataclass(frozen=True)
class Unpacked:
    """What `unpack` made.

    Attributes
    ----------
    path : Path
        The folder.
    n_files, n_new : int
        In the archive; written just now.
    n_bytes : int
        Of all files.
    """

    path: Path
    n_files: int
    n_new: int
    n_bytes: int


def unpack(archive, out, *, progress=False):
    """Unpack an archive that `pack` has made, or finish that, or find that it is done.

    Parameters
    ----------
    archive : path-like
    out : path-like
        A new or empty folder, or one in which unpacking the same archive was interrupted.
    progress : bool
        Show a progress bar on a terminal.

    Returns
    -------
    Unpacked

    Raises
    ------
    ArchiveError
        If the archive is damaged, cut off, or not one of ours, if the folder holds anything else, or the disk is full.
        Nothing that was there before is changed, nothing is written outside the folder, and files that were finished
        stay; the study counts as whole only when every file is there.
    """
    archive, out = Path(archive).expanduser().absolute(), Path(out).expanduser().absolute()
    try:
        file = open(archive, "rb")  # noqa: SIM115 (closed by the with statement below)
    except OSError as error:
        raise ArchiveError(f"{archive} cannot be read ({error.strerror}).") from None
    with file:
        manifest, files = _read_manifest(file, archive)
        if _is_there(out, manifest, files):
            return Unpacked(out, len(files), 0, sum(entry["bytes"] for entry in files.values()))
        _refuse_to_unpack(out, manifest, files)
        with only_one(out):
            if _is_there(out, manifest, files):  # by another process while we waited
                n_new = 0
            else:
                _refuse_to_unpack(out, manifest, files)
                n_new = _unpack_files(file, archive, out, manifest, files, progress)
    return Unpacked(out, len(files), n_new, sum(entry["bytes"] for entry in files.values()))


def _read_manifest(file, archive):
    """Read and check the manifest at the beginning of an archive; returns its bytes and its list of files."""
    try:
        digest = read_first_blocks(file)
        name, size = read_header(file.read(BLOCK)) or ("", 0)
    except TarFormError as error:
        raise ArchiveError(f"{archive} {error}.") from None
    if name != MANIFEST_NAME or size > LARGEST_MANIFEST:
        raise ArchiveError(f"{archive} does not begin with a manifest of at most {LARGEST_MANIFEST / 1e6:.0f} MB.")
    manifest = file.read(size)
    file.read(len(padding(size)))
    if hashlib.sha256(manifest).hexdigest() != digest:
        raise ArchiveError(f"{archive} is damaged or cut off (its manifest is not what was packed): copy it again.")
    try:
        files = json.loads(manifest)["files"]
        fault = _find_fault(files)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        fault = "it is not a list of files"
    if fault:
        raise ArchiveError(f"{archive} holds a manifest that cannot be trusted ({fault}). Nothing was unpacked.")
    expected, found = (
        count_bytes([size, *(entry["bytes"] for entry in files.values())]),
        os.fstat(file.fileno()).st_size,
    )
    if found != expected:
        raise ArchiveError(
            f"{archive} has {found} bytes and should have {expected}: it was cut off or changed; copy it again. Nothing"
            " was unpacked."
        )
    return manifest, files


def _find_fault(files):
    """Say what is wrong with the list of files of a manifest; None if nothing is."""
    taken = {MANIFEST_NAME, UNPACKING, LOCK}
    folders = set()
    for name, entry in files.items():
        size, digest = entry["bytes"], entry["sha256"]
        if not is_plain_path(name):
            return f"{name!r} would not stay in its folder, or is an unusual name"
        if type(size) is not int or size < 0 or len(bytes.fromhex(digest)) != 32 or digest != digest.lower():
            return f"the entry of {name!r} is not a size and a SHA-256"
        if name.casefold() in taken or PARTIAL.fullmatch(name.rpartition("/")[2]):
            return f"{name!r} is there twice, or is a name that we use ourselves"
        taken.add(name.casefold())
        folders.update(parent.as_posix().casefold() for parent in Path(name).parents)
    both = folders & taken
    return f"{min(both)!r} is both a file and a folder" if both else None if files else "it lists no files"


def _is_there(out, manifest, files):
    """Whether this very study is in the folder, whole."""
    try:
        return (out / MANIFEST_NAME).read_bytes() == manifest and not check_files(out, files)
    except OSError:
        return False


def _find_own_mark(out):
    """What a folder with a part of a study has: the manifest, under its temporary name or its own."""
    return MANIFEST_NAME if (out / MANIFEST_NAME).is_file() else UNPACKING


def _refuse_to_unpack(out, manifest, files):
    """Say before anything is written what stands against it."""
    own = _find_own_mark(out)
    refuse_foreign_folder(out, own)
    if (out / own).is_file():
        if (out / own).read_bytes() != manifest:
            raise ArchiveError(
                f"{out} holds another study, or a part of one: delete that folder yourself, or choose another one with"
                " --out."
            )
        strange = next((path for path in out.rglob("*") if path.is_symlink()), None)
        if strange is not None:
            raise ArchiveError(f"{strange} is a link, which no archive holds: nothing is written beside or through it.")
    missing = sum(entry["bytes"] for name, entry in files.items() if not (out / name).exists())
    require_room(missing + len(manifest) + CHUNK, out, "What is still to be unpacked needs")


def _unpack_files(file, archive, out, manifest, files, progress):
    """Write every file that is not there; the manifest gets its name last. Returns how many files were written."""
    with whole_file(out / UNPACKING) as marker:
        marker.write(manifest)
    (out / MANIFEST_NAME).unlink(missing_ok=True)  # the study is not whole from here to the end
    remove_partial_files(out)
    seen, n_new = set(), 0
    with show_bytes(sum(entry["bytes"] for entry in files.values()), "Unpacking", progress) as bar:
        while header := _next_header(file, archive, files, seen):
            name, size = header
            seen.add(name)
            n_new += _unpack_file(file, archive, out / name, files[name], bar)
            file.read(len(padding(size)))
    if len(seen) < len(files):
        raise ArchiveError(f"{archive} lacks {len(files) - len(seen)} of {len(files)} files: copy it again. {KEPT}")
    os.replace(out / UNPACKING, out / MANIFEST_NAME)
    return n_new


def _next_header(file, archive, files, seen):
    """Name and size of the next file; None at the end. Refuses what the manifest does not list exactly so."""
    try:
        header = read_header(file.read(BLOCK))
    except TarFormError as error:
        raise ArchiveError(f"{archive} {error}. {KEPT}") from None
    if header is None:
        return None
    name, size = header
    if name not in files:
        raise ArchiveError(f"{archive} holds {name!r}, which is not in its manifest. {KEPT}")
    if name in seen:
        raise ArchiveError(f"{archive} holds {name!r} twice. {KEPT}")
    if size != files[name]["bytes"]:
        raise ArchiveError(f"{archive} holds {size} bytes of {name!r}, and {files[name]['bytes']} were packed. {KEPT}")
    return header


def _unpack_file(file, archive, target, entry, bar):
    """Copy one file out of the archive, or compare it with what is there. Returns whether it was written."""
    there = target.exists()
    if there and describe_file(target) != entry:
        raise ArchiveError(
            f"{target} is there and is not what the archive holds; it is left alone: move it away and run the same"
            " command again."
        )
    digest, left = hashlib.sha256(), entry["bytes"]
    with ExitStack() as stack:
        copy = None if there else stack.enter_context(whole_file(target))
        while left and (chunk := file.read(min(CHUNK, left))):
            digest.update(chunk)
            if copy:
                copy.write(chunk)
            left -= len(chunk)
            bar.update(len(chunk))
        if left or digest.hexdigest() != entry["sha256"]:
            raise ArchiveError(
                f"{archive} is damaged or cut off: {target.name} is not what was packed; copy it again. {KEPT}"
            )
    return not there
