"""OpenNeuro's ds000030 in a public bucket: what is there.

The place and the names are as public code that reads them has them (see `old_names`). The layout has changed over the
years, so everything is listed and nothing assumed. What could not be tried is the live bucket itself.
"""

import re
from dataclasses import replace
from difflib import get_close_matches

from data_scripts.choose import Remote, choose_files
from data_scripts.network import NetworkError, ask, connect
from data_scripts.old_names import DERIVATIVES
from data_scripts.tar_form import is_plain_path

BUCKET = "openneuro"
# where the raw BIDS root with the derivatives in it has been, newest release first
ROOTS = ("ds000030/ds000030_R1.0.5/uncompressed/", "ds000030/ds000030_R1.0.4/uncompressed/", "ds000030/")
SHARED = ("participants.tsv", "participants.json", "dataset_description.json", "task-rest_bold.json")
SHARED_DERIVED = (f"{DERIVATIVES}dataset_description.json",)
LESSON = (
    "10171", "10292", "10365", "10438", "10565", "10788", "11106", "11108", "11122", "11131",
    "50010", "50035", "50047", "50048", "50052", "50067", "50075", "50077", "50081", "50083",
)  # fmt: skip
MOST_KEYS = 20_000  # of one person; the real ones have some hundred


class Bucket:
    """A bucket of a public S3 server, and the study in it.

    Parameters
    ----------
    endpoint : str or None
        URL of a mirror; None for Amazon's own servers.
    patience : Patience
    n_connections : int
        At once.
    """

    def __init__(self, endpoint, patience, n_connections=1):
        self.client = connect(endpoint, patience, n_connections)
        self.patience = replace(patience, attempts=min(patience.attempts, 3))  # until there is a first answer
        self.where = f"{endpoint.rstrip('/')}/{BUCKET}" if endpoint else f"s3://{BUCKET}"
        self.root = next((root for root in ROOTS if self._peek(root + DERIVATIVES)), None)
        if self.root is None:
            raise NetworkError(
                f"There are no fMRIPrep derivatives of ds000030 in {self.where} (looked below {', '.join(ROOTS)}): the"
                " place may have moved. The course's data page names other ways to the same files."
            )
        self.patience = patience

    def _peek(self, prefix):
        request = {"Bucket": BUCKET, "Prefix": prefix, "MaxKeys": 1}
        page = ask(lambda: self.client.list_objects_v2(**request), self.patience, f"Cannot look into {self.where}")
        return bool(page.get("Contents"))

    def _pages(self, prefix, **options):
        """List page by page. Each page is asked for again if the line fails; a listing without an end is refused."""
        token, n_keys = {}, 0
        while True:
            request = {"Bucket": BUCKET, "Prefix": prefix, **options, **token}
            what = f"Cannot list {self.where}/{prefix}"
            page = ask(lambda request=request: self.client.list_objects_v2(**request), self.patience, what)
            yield page
            n_keys += max(page.get("KeyCount", 0), 1)
            if not page.get("IsTruncated"):
                return
            following = {"ContinuationToken": page.get("NextContinuationToken")}
            if not following["ContinuationToken"] or following == token or n_keys > MOST_KEYS:
                raise NetworkError(f"The listing of {self.where}/{prefix} does not end: it is not to be trusted.")
            token = following

    def list_files(self, folder):
        """List all files below a folder.

        Parameters
        ----------
        folder : str
            Relative to the raw BIDS root, with a slash at the end; or the whole name of a file.

        Returns
        -------
        list of Remote

        Raises
        ------
        NetworkError
            If the server does not answer, or lists a name that would not stay in the folder.
        """
        found = {}
        for page in self._pages(self.root + folder):
            for entry in page.get("Contents", []):
                key = entry["Key"]
                if key.endswith("/") and not entry["Size"]:
                    continue  # some programs leave such a mark for a folder
                path = key.removeprefix(self.root)
                if not key.startswith(self.root + folder) or not is_plain_path(path):
                    raise NetworkError(
                        f"{self.where} lists {key!r}, which would not stay in its folder or is an unusual name. Nothing"
                        " was fetched: this listing is not to be trusted."
                    )
                if type(entry["Size"]) is not int or entry["Size"] < 0:
                    raise NetworkError(f"{self.where} lists {key!r} with the size {entry['Size']!r}.")
                found[key] = Remote(key, path, entry["Size"], str(entry.get("ETag", "")).strip('"'))
        _refuse_clashes(found.values())
        return sorted(found.values(), key=lambda remote: remote.path)

    def list_subjects(self):
        """List who has derivatives.

        Returns
        -------
        list of str
            Labels with "sub-".
        """
        prefix, found = self.root + DERIVATIVES, []
        for page in self._pages(prefix, Delimiter="/"):
            names = [entry["Prefix"].removeprefix(prefix).rstrip("/") for entry in page.get("CommonPrefixes", [])]
            found += [name for name in names if re.fullmatch(r"sub-[A-Za-z0-9]+", name)]
        return sorted(set(found))

    def list_shared(self):
        """List the files that belong to nobody alone.

        Returns
        -------
        list of Remote
        """
        return [
            remote for path in (*SHARED, *SHARED_DERIVED) for remote in self.list_files(path) if remote.path == path
        ]

    def choose(self, subject):
        """Choose what the course needs of one person: the first resting run, and the anatomy.

        Parameters
        ----------
        subject : str
            With "sub-".

        Returns
        -------
        Choice

        Raises
        ------
        NetworkError
            If nothing of this person is there.
        """
        derived = self.list_files(f"{DERIVATIVES}{subject}/")
        if not derived:
            known = self.list_subjects()
            near = get_close_matches(subject, known, 1)
            raise NetworkError(
                f"{self.where} has no derivatives of {subject}; it has those of {len(known)} people, {known[0]} to"
                f" {known[-1]}.{f' Did you mean {near[0]}?' if near else ''}"
            )
        return choose_files(subject, [*derived, *self.list_files(f"{subject}/")])

    def describe(self, key):
        """Ask for a file's size and checksum as they are now.

        Parameters
        ----------
        key : str

        Returns
        -------
        Remote
        """
        head = ask(lambda: self.client.head_object(Bucket=BUCKET, Key=key), self.patience, f"Cannot look at {key}")
        return Remote(key, key.removeprefix(self.root), head["ContentLength"], head["ETag"].strip('"'))

    def part_size(self, key):
        """Ask how large the parts are in which a file was uploaded: its checksum is made of theirs.

        Parameters
        ----------
        key : str

        Returns
        -------
        int
            Bytes of the first part; all but the last are alike.
        """
        request = {"Bucket": BUCKET, "Key": key, "PartNumber": 1}
        head = ask(lambda: self.client.head_object(**request), self.patience, f"Cannot look at {key}")
        return head["ContentLength"]


def _refuse_clashes(files):
    """Refuse names that are one name on a disk that does not tell capitals from small letters."""
    taken = {}
    for remote in files:
        other = taken.setdefault(remote.path.casefold(), remote.path)
        if other != remote.path:
            raise NetworkError(f"{other!r} and {remote.path!r} would be one file on many disks. Nothing was fetched.")
