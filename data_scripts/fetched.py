"""What every fetched study has besides people's files: a report, small files at its roots, the course's atlas."""

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from course_utils.manifest import MANIFEST_NAME, read_manifest
from data_scripts.folder import refuse_foreign_folder
from data_scripts.partial import whole_file
from data_scripts.records import RECORDS, StudyError
from data_scripts.write_bids import write_content

REQUEST = RECORDS / "download.json"
CHANGES = Path("sourcedata", "changes.tsv")
DERIVED = Path("derivatives", "fmriprep")


@dataclass(frozen=True)
class Downloaded:
    """What a download did, or would do.

    Attributes
    ----------
    root : Path
    n_people, n_files, n_bytes : int
        In the folder now; people who can be analysed.
    problems : list of str
        What is missing, each with the names of file and person.
    changes : Path
        Table of what was changed, relative to `root`.
    """

    root: Path
    n_people: int
    n_files: int
    n_bytes: int
    problems: list = field(default_factory=list)
    changes: Path = CHANGES


def refuse_other_study(out, name):
    """Refuse a folder that holds anything but the study of this name.

    Parameters
    ----------
    out : Path
        May be missing.
    name : str

    Raises
    ------
    StudyError
        If it holds something else.
    """
    refuse_foreign_folder(out, REQUEST)
    if (out / REQUEST).is_file():
        try:
            found = json.loads((out / REQUEST).read_text(encoding="utf-8"))["study"]
        except (ValueError, KeyError, TypeError):
            found = name  # damaged, and written anew
        if found != name:
            raise StudyError(
                f"{out} holds the study {found}, and {name} was asked for: choose another folder with --out."
            )


def as_json(content):
    """Write down what JSON can hold.

    Parameters
    ----------
    content : dict

    Returns
    -------
    str
    """
    return f"{json.dumps(content, indent=1)}\n"


def write_texts(out, texts):
    """Write small files, each whole or not at all.

    Parameters
    ----------
    out : Path
        The study.
    texts : dict of Path to str
        Paths are relative to `out`.
    """
    for path, text in texts.items():
        with whole_file(out / path) as file:
            file.write(text.encode())


def write_atlas(out):
    """Put the course's network atlas into a study, byte for byte as in the simulated one.

    Parameters
    ----------
    out : Path
        The study.

    Returns
    -------
    list of Path
        Relative to `out`.
    """
    files = _make_atlas()
    for path, content in files:
        write_content(out, path, content)
    return [path for path, _ in files]


@cache
def _make_atlas():
    from data_scripts.atlas import atlas_files  # some seconds

    return list(atlas_files())


def count_study(out):
    """Count what is in a folder.

    Parameters
    ----------
    out : Path

    Returns
    -------
    n_people, n_files, n_bytes : int
        Zeros if there is no finished study.
    """
    if not (out / MANIFEST_NAME).is_file():
        return 0, 0, 0
    manifest = read_manifest(out)
    files = [(out / name).stat() for name in manifest["files"]]
    n_bytes = sum({(file.st_dev, file.st_ino): file.st_size for file in files}.values())  # two names are one file
    return len(manifest["people"]), len(files), n_bytes
