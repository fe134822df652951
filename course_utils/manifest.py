"""Lists of files with their sizes and hashes: what a study consists of, and whether all of it is there, undamaged."""

import hashlib
import json
import os
from pathlib import Path, PurePosixPath
from typing import NamedTuple

MANIFEST_NAME = "manifest.json"


class ManifestError(ValueError):
    """The list of files itself is missing or cannot be read."""


class Problem(NamedTuple):
    """One file that is not what the manifest says.

    Attributes
    ----------
    path : str
        Relative to the folder of the manifest, with forward slashes.
    what : str
        Such as "missing".
    """

    path: str
    what: str

    def __str__(self):
        return f"{self.path}: {self.what}"


def describe_file(path):
    """Measure one file.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    dict
        "bytes" (int) and "sha256" (64 hexadecimal digits).
    """
    with open(path, "rb") as file:
        return {"bytes": os.fstat(file.fileno()).st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def write_manifest(root, files, **info):
    """Write `manifest.json`: every file of a folder with its size and SHA-256, and how it was made.

    The file appears whole or not at all.

    Parameters
    ----------
    root : path-like
        The folder that the paths are relative to, and that the manifest is written to.
    files : iterable of path-like, or mapping of path-like to dict
        The files, as paths relative to `root`. A mapping also gives what `describe_file` would return (for a caller
        that has hashed them already); otherwise every file is read.
    **info
        Anything JSON can hold: parameters, seed, versions.

    Returns
    -------
    Path
        The manifest.

    Raises
    ------
    ValueError
        If a path leaves `root`.
    """
    root = Path(root)
    known = dict(files) if hasattr(files, "keys") else dict.fromkeys(files)
    entries = {}
    for path, entry in known.items():
        name = Path(path).as_posix()
        if not _stays_inside(name):
            raise ValueError(f"{name!r} is not inside {root}: paths are relative to it, without '..'.")
        entries[name] = entry or describe_file(root / name)
    text = json.dumps({**info, "files": dict(sorted(entries.items()))}, indent=1, allow_nan=False) + "\n"
    target = root / MANIFEST_NAME
    partial = root / f".{MANIFEST_NAME}.{os.getpid()}.part"
    partial.write_text(text, encoding="utf-8", newline="\n")
    os.replace(partial, target)
    return target


def read_manifest(root):
    """Read `manifest.json` and check its form.

    Parameters
    ----------
    root : path-like
        The folder it lies in.

    Returns
    -------
    dict
        What `write_manifest` was given; "files" maps each path to its "bytes" and "sha256".

    Raises
    ------
    ManifestError
        If it is missing, is not JSON, or is not a list of files.
    """
    path = Path(root, MANIFEST_NAME)
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise ManifestError(
            f"There is no {MANIFEST_NAME} in {root}: either no study was ever finished there, or the file "
            "was deleted. `make data`, or `python -m data_scripts simulate`, makes or finishes it."
        ) from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ManifestError(f"{path} is damaged (not JSON: {error}): delete it and make the study again.") from None
    files = manifest.get("files") if isinstance(manifest, dict) else None
    if not isinstance(files, dict) or not files:
        raise ManifestError(f"{path} is damaged (it lists no files): delete it and make the study again.")
    for name, entry in files.items():
        if not (_stays_inside(name) and _is_entry(entry)):
            raise ManifestError(
                f"{path} is damaged (the entry of {name!r} is not a size and a SHA-256): delete it and make the study"
                " again."
            )
    return manifest


def check_manifest(root, *, deep=False):
    """Compare the files of a folder with its manifest.

    Files that are not in the manifest are not looked at.

    Parameters
    ----------
    root : path-like
        The folder that holds `manifest.json`.
    deep : bool
        Also read every file and compare its SHA-256. Without it only presence and size are compared, which takes
        milliseconds.

    Returns
    -------
    list of Problem
        Empty if everything is as it should be; in the order of the manifest.

    Raises
    ------
    ManifestError
        If the manifest itself is missing or damaged.
    """
    return check_files(root, read_manifest(root)["files"], deep=deep)


def check_files(root, files, *, deep=False):
    """Compare files with what is known of them; see `check_manifest`.

    Parameters
    ----------
    root : path-like
        The folder that the paths are relative to.
    files : mapping of str to dict
        Path to "bytes" and "sha256".
    deep : bool
        Also compare the hashes.

    Returns
    -------
    list of Problem
    """
    problems = []
    for name, entry in files.items():
        path = Path(root, name)
        try:
            found = describe_file(path) if deep else {"bytes": path.stat().st_size}
        except (FileNotFoundError, NotADirectoryError):
            problems.append(Problem(name, "missing"))
            continue
        except OSError as error:
            problems.append(Problem(name, f"cannot be read ({error.strerror})"))
            continue
        if found["bytes"] != entry["bytes"]:
            problems.append(Problem(name, f"has {found['bytes']} bytes, expected {entry['bytes']}"))
        elif deep and found["sha256"] != entry["sha256"]:
            problems.append(Problem(name, "has the right size but other contents (its SHA-256 differs)"))
    return problems


def _stays_inside(name):
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts and "\\" not in name


def _is_entry(entry):
    if not isinstance(entry, dict):
        return False
    size, digest = entry.get("bytes"), entry.get("sha256")
    return isinstance(size, int) and size >= 0 and isinstance(digest, str) and len(digest) == 64
