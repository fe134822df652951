"""The names of fMRIPrep's files, from those of 2017 to today's.

What the published derivatives of ds000030 are called was seen in public code that reads them, and in fMRIPrep's own
documentation of versions 0.4 to 1.1; the bucket itself could not be looked into while this was written. A name that is
not known here is left where it is.
"""

import re
from typing import NamedTuple

SPACES = "MNI152NLin2009cAsym|T1w"
_RUN = r"(?P<run>(?:_acq-[A-Za-z0-9]+)?(?:_run-\d+)?)"
# what follows "sub-10171" and perhaps "_ses-1": in old names, and today
FUNC = (
    (rf"_task-rest{_RUN}_bold_confounds\.tsv", r"_task-rest\g<run>_desc-confounds_timeseries.tsv"),
    (rf"_task-rest{_RUN}_desc-confounds_(?:regressors|timeseries)\.(tsv|json)",
     r"_task-rest\g<run>_desc-confounds_timeseries.\2"),
    (rf"_task-rest{_RUN}_bold_space-({SPACES})_preproc\.nii\.gz",
     r"_task-rest\g<run>_space-\2_desc-preproc_bold.nii.gz"),
    (rf"_task-rest{_RUN}_bold_space-({SPACES})_brainmask\.nii\.gz",
     r"_task-rest\g<run>_space-\2_desc-brain_mask.nii.gz"),
    (rf"(_task-rest{_RUN}_space-(?:{SPACES})_(?:desc-preproc_bold|desc-brain_mask)\.(?:nii\.gz|json))", r"\1"),
    (rf"(_task-rest{_RUN}_space-(?:{SPACES})_boldref\.nii\.gz)", r"\1"),
)  # fmt: skip
_MNI = r"(?P<space>_space-MNI152NLin2009cAsym)?"
ANAT = (
    (rf"_T1w{_MNI}_preproc\.nii\.gz", r"\g<space>_desc-preproc_T1w.nii.gz"),
    (rf"_T1w{_MNI}_brainmask\.nii\.gz", r"\g<space>_desc-brain_mask.nii.gz"),
    (rf"_T1w{_MNI}_dtissue\.nii\.gz", r"\g<space>_dseg.nii.gz"),
    (rf"_T1w{_MNI}_class-(CSF|GM|WM)_probtissue\.nii\.gz", r"\g<space>_label-\2_probseg.nii.gz"),
    (rf"({_MNI}_(?:desc-preproc_T1w|desc-brain_mask)\.(?:nii\.gz|json))", r"\1"),
    (rf"({_MNI}_(?:dseg|label-(?:CSF|GM|WM)_probseg)\.nii\.gz)", r"\1"),
)
RAW = {
    "func": ((rf"(_task-rest{_RUN}_bold\.(?:nii\.gz|json))", r"\1"),),
    "anat": ((r"((?:_run-\d+)?_T1w\.(?:nii\.gz|json))", r"\1"),),
}
DERIVED = {"func": FUNC, "anat": ANAT}
DERIVATIVES = "derivatives/fmriprep/"
PLACE = re.compile(r"(sub-[A-Za-z0-9]+)/(?:ses-([A-Za-z0-9]+)/)?(func|anat)/(?P<stem>\1(?:_ses-\2)?)(?P<tail>_[^/]+)")


class Name(NamedTuple):
    """What a published file is.

    Attributes
    ----------
    subject : str
        With "sub-".
    session, run : str
        What its name says of them, such as "ses-1" and "_run-01"; empty if nothing.
    datatype : {"func", "anat"}
    raw : bool
        As from the scanner, not a derivative.
    path : str
        Today's, relative to the raw BIDS root.
    """

    subject: str
    session: str
    run: str
    datatype: str
    raw: bool
    path: str


def translate(path):
    """Give a published file today's name.

    Parameters
    ----------
    path : str
        As published, relative to the raw BIDS root.

    Returns
    -------
    Name or None
        None for a file that the course has no use for: other tasks, surfaces, transforms, reports.

    Examples
    --------
    >>> translate("derivatives/fmriprep/sub-10171/func/sub-10171_task-rest_bold_confounds.tsv").path
    'derivatives/fmriprep/sub-10171/func/sub-10171_task-rest_desc-confounds_timeseries.tsv'
    """
    raw = not path.startswith(DERIVATIVES)
    place = PLACE.fullmatch(path.removeprefix(DERIVATIVES))
    if place is None:
        return None
    for old, new in (RAW if raw else DERIVED)[place[3]]:
        found = re.fullmatch(old, place["tail"])
        if found:
            name = place["stem"] + found.expand(new)
            session = f"ses-{place[2]}" if place[2] else ""
            folders = [place[1], *([session] if session else []), place[3]]
            today = ("" if raw else DERIVATIVES) + "/".join([*folders, name])
            return Name(place[1], session, found.groupdict().get("run") or "", place[3], raw, today)
    return None
