"""Which of the published files the course needs of a person: the first resting run, and the anatomy."""

from dataclasses import dataclass, field
from itertools import groupby

from data_scripts.old_names import Name, translate

_MNI = "_space-MNI152NLin2009cAsym_desc-"
# without these a person cannot be analysed: datatype, end of today's name
NEEDED = (
    ("func", f"{_MNI}preproc_bold.nii.gz"),
    ("func", f"{_MNI}brain_mask.nii.gz"),
    ("func", "_desc-confounds_timeseries.tsv"),
    ("anat", f"{_MNI}preproc_T1w.nii.gz"),
)


@dataclass(frozen=True)
class Remote:
    """One file on the server.

    Attributes
    ----------
    key : str
        Its whole name there.
    path : str
        Relative to the raw BIDS root.
    size : int
        Bytes.
    etag : str
        The server's checksum, without quotation marks.
    """

    key: str
    path: str
    size: int
    etag: str

    @property
    def name(self):
        """Say what the file is.

        Returns
        -------
        Name or None
        """
        return translate(self.path)


@dataclass(frozen=True)
class Choice:
    """What is fetched of one person.

    Attributes
    ----------
    subject : str
        With "sub-".
    files : list of Remote
        Sorted by path; without those that are empty on the server.
    notes : list of str
        What is left out on purpose: other sessions and runs.
    problems : list of str
        What is wrong with the published files, each with the name of the file.
    """

    subject: str
    files: list
    notes: list = field(default_factory=list)
    problems: list = field(default_factory=list)

    @property
    def missing(self):
        """List the kinds of files that the person needs and does not have.

        Returns
        -------
        list of str
            Ends of today's names; empty if the person can be analysed.
        """
        return [end for kind, end in NEEDED if not any(_is(remote.name, kind, end) for remote in self.files)]


def choose_files(subject, files):
    """Choose from what is listed of one person.

    Parameters
    ----------
    subject : str
        With "sub-".
    files : sequence of Remote

    Returns
    -------
    Choice
    """
    problems = [f"{remote.path} is empty on the server" for remote in files if remote.name and not remote.size]
    known = [remote for remote in files if remote.name and remote.size]
    groups = {}
    for place, group in groupby(sorted(known, key=_place), key=_place):
        groups.setdefault(place[0], {})[place[1:]] = list(group)
    chosen, notes = [], []
    for datatype, places in sorted(groups.items(), reverse=True):
        first = min(places, key=lambda place: (-_count_needed(places[place]), place))
        if datatype == "anat" and chosen:  # the anatomy of the run's own session, if it has one
            session = chosen[0].name.session
            first = next((place for place in places if place[0] == session), first)
        chosen += places[first]
        notes += [
            f"{subject} has another {datatype} {' '.join(filter(None, place)) or 'without session'}: left out"
            for place in sorted(places)
            if place != first
        ]
    choice = Choice(subject, sorted(chosen, key=lambda remote: remote.path), notes, problems)
    problems += [f"{subject} has no file *{end}" for end in choice.missing]
    return choice


def _place(remote):
    name: Name = remote.name
    return name.datatype, name.session, name.run if name.datatype == "func" else ""


def _count_needed(files):
    return sum(any(_is(remote.name, kind, end) for remote in files) for kind, end in NEEDED)


def _is(name, kind, end):
    return not name.raw and name.datatype == kind and name.path.endswith(end)
