"""A finished study as one file, for a USB stick or a hub, and back: checked byte for byte both ways.

The archive is a plain tar file, not compressed: what is large in a study is compressed already. gzip at its usual level
was tried: it saved 1.4 % of the bytes of a person, and took 25 times as long as the hashes. The manifest comes first,
so that every file is compared with its SHA-256 while it streams past; a comment before it holds the SHA-256 of the
manifest itself.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from course_utils.manifest import MANIFEST_NAME, check_manifest, read_manifest
from data_scripts.partial import PARTIAL, whole_file
from data_scripts.records import RECORDS, REQUEST, StudyError
from data_scripts.resources import free_space
from data_scripts.tar_form import END, TarFormError, count_bytes, make_first_blocks, make_header, padding

CHUNK = 1 << 20  # bytes read at a time
SUBJECT = re.compile(r"sub-[A-Za-z0-9]+")


class ArchiveError(StudyError):
    """A study that cannot be packed, or an archive that cannot be unpacked. One or two sentences."""


@dataclass(frozen=True)
class Packed:
    """What `pack` made.

    Attributes
    ----------
    path : Path
        The archive.
    n_files, n_bytes : int
        Files in it; its size.
    sha256 : str
        Of the archive.
    """

    path: Path
    n_files: int
    n_bytes: int
    sha256: str


def pack(root, target=None, *, progress=False):
    """Put a finished study into one file. The same study gives the same bytes.

    Parameters
    ----------
    root : path-like
        The study. Nothing is written to it.
    target : path-like, optional
        A new file, or a folder that it goes to; beside the study without.
    progress : bool
        Show a progress bar on a terminal.

    Returns
    -------
    Packed

    Raises
    ------
    ManifestError
        If there is no finished study.
    ArchiveError
        If a file is missing or damaged, the target exists already, or the disk is full. No half archive is left.
    """
    root = Path(root).expanduser().absolute()
    files = read_manifest(root)["files"]
    target = _choose_target(root, target)
    manifest = (root / MANIFEST_NAME).read_bytes()
    order = _archive_order(files)
    try:
        n_bytes = count_bytes([len(manifest), *(files[name]["bytes"] for name in order)])
        problems = check_manifest(root, deep=True)
        if problems:
            raise ArchiveError(
                f"{len(problems)} of {len(files)} files in {root} are missing or damaged ({problems[0]}): `python -m"
                " data_scripts verify --deep` names them all. Nothing was packed."
            )
        _remove_leftovers(target)
        require_room(n_bytes, target.parent, "The archive needs")
        with whole_file(target, durable=True) as file, show_bytes(n_bytes, "Packing", progress) as bar:
            digest = _write_archive(file, root, manifest, files, order, bar)
    except TarFormError as error:
        raise ArchiveError(f"{error}. Nothing was packed.") from None
    except OSError as error:
        raise ArchiveError(f"{_say_where(error, target)}. No half archive is left; the study is as it was.") from error
    return Packed(target, len(files), n_bytes, digest)


def _choose_target(root, target):
    target = root.parent / f"{root.name}.tar" if target is None else Path(target).expanduser().absolute()
    if target.is_dir():
        target = target / f"{root.name}.tar"
    if target.exists() or target.is_symlink():
        raise ArchiveError(f"{target} exists already and is left alone: delete it, or choose another name with --out.")
    if target.resolve().is_relative_to(root.resolve()):
        raise ArchiveError(
            f"{target} lies inside the study, which shall stay as it is: choose another place with --out."
        )
    return target


def _archive_order(files):
    """What the study was asked to be, the records, what is nobody's, then one person after the other.

    So an archive that was half unpacked holds whole people, and `simulate` makes only the others.
    """
    request, records = REQUEST.as_posix(), f"{RECORDS.as_posix()}/"

    def place(name):
        subject = SUBJECT.search(name)
        return (name != request, not name.startswith(records), subject[0] if subject else "", name)

    return sorted(files, key=place)


def _remove_leftovers(target):
    """Delete what an earlier `pack` to the same place left when it was killed."""
    import psutil

    for path in target.parent.glob(f".{target.name}.*.part"):
        if PARTIAL.fullmatch(path.name) and not psutil.pid_exists(int(path.name.split(".")[-2])):
            path.unlink(missing_ok=True)


def require_room(needed, folder, what):
    """Refuse to begin what will not fit.

    Parameters
    ----------
    needed : int
        Bytes.
    folder : Path
        Where they go.
    what : str
        Begins the sentence.

    Raises
    ------
    ArchiveError
        If the disk has less room; says how much is needed.
    """
    free = free_space(folder)
    if needed > free:
        raise ArchiveError(
            f"{what} {needed / 1e9:.2f} GB on disk, and {folder} has {free / 1e9:.2f} GB free: make room or choose"
            " another place with --out."
        )


def show_bytes(total, title, progress):
    """Make a progress bar.

    Parameters
    ----------
    total : int
        Bytes.
    title : str
    progress : bool
        Whether it shows, if there is a terminal.

    Returns
    -------
    tqdm
    """
    from tqdm import tqdm

    return tqdm(total=total, desc=title, unit="B", unit_scale=True, disable=None if progress else True)


def _say_where(error, path):
    return f"Cannot write to {error.filename or path} ({error.strerror or error})"


def _write_archive(file, root, manifest, files, order, bar):
    """Write all blocks; returns the SHA-256 of the archive. What is read must be what the manifest says."""
    whole = hashlib.sha256()

    def write(data):
        whole.update(data)
        file.write(data)
        bar.update(len(data))

    write(make_first_blocks(hashlib.sha256(manifest).hexdigest()))
    write(make_header(MANIFEST_NAME, len(manifest)) + manifest + padding(len(manifest)))
    for name in order:
        entry, digest, left = files[name], hashlib.sha256(), files[name]["bytes"]
        write(make_header(name, left))
        with open(root / name, "rb") as source:
            while chunk := source.read(min(CHUNK, left)):
                digest.update(chunk)
                write(chunk)
                left -= len(chunk)
        if left or digest.hexdigest() != entry["sha256"]:
            raise ArchiveError(f"{name} changed while it was packed: run the same command again. Nothing was packed.")
        write(padding(entry["bytes"]))
    write(END)
    return whole.hexdigest()
