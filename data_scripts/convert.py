"""From files as they were published to a study as today's fMRIPrep would leave it, with a record of every change.

The originals stay as they are in `sourcedata/openneuro`. An image that only has another name today is the same file
under a second name (a hard link), or a copy on disks that have no such thing.
"""

import json
import os
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np

from course_utils.layout import MNI
from data_scripts.complete import complete_table
from data_scripts.old_tables import TableError, convert_table, describe_columns, read_repetition_time, read_text
from data_scripts.partial import whole_file

SOURCE = Path("sourcedata", "openneuro")
SMALL = 1_000_000  # bytes; what is smaller is copied, so that it can be edited without a change to the original
# FSL's FAST numbers tissues by their brightness, CSF first, and fMRIPrep of 2017 took them so (`pick_csf` is file 0 and
# `pick_wm` file 2 in its workflows/confounds.py at commit 5b319ef). Today: grey matter, white matter, CSF; smriprep's
# `lut_t1w_dseg` has this same table.
TISSUES = np.array([0, 3, 1, 2], np.uint8)
REFERENCE_VOLUMES = 40  # of which the mean takes the place of a reference image
SKULL = {"SkullStripped": False}


def convert_person(root, files):
    """Put one person's files under today's names, in today's form.

    Parameters
    ----------
    root : Path
        The study.
    files : sequence of Remote
        All of the person's files; they are in `root / SOURCE`.

    Returns
    -------
    written : list of str
        Paths relative to `root`, sorted.
    changes : list of (str, str, str)
        Published name, today's name, what was done.

    Raises
    ------
    TableError
        If a table is not one; the message names it.
    """
    done = {}
    for remote in sorted(files, key=lambda remote: remote.name.path.endswith("_timeseries.tsv")):  # tables come last
        name, source = remote.name, root / SOURCE / remote.path
        done[name.path] = (remote.path, _place(root, source, name.path, remote.path))
    for path in sorted(done):
        if path.endswith("_desc-preproc_bold.nii.gz"):
            done |= _describe_run(root, path, done)
    changes = [(published, today, what) for today, (published, sentences) in sorted(done.items()) for what in sentences]
    return sorted(done), changes


def _place(root, source, path, published):
    """Give one file today's name and form; say what that changed."""
    target = root / path
    renamed = [] if target.name == source.name else ["renamed"]
    if target.name.endswith("_timeseries.tsv"):
        try:
            text, computed = _complete(root, path, read_text(source))
            text, changes = convert_table(text)
        except TableError as error:
            raise TableError(f"{published} {error}") from None
        changes = [*computed, *changes]
        _write(target, text.encode())
        json_file = target.with_suffix(".json")
        if changes and not source.with_suffix(".json").exists():
            _write(json_file, _as_json(describe_columns(text)))
        return [*renamed, *changes]
    if source.name.endswith("_dtissue.nii.gz"):
        _renumber_tissues(source, target)
        return [*renamed, "tissues renumbered from FAST's order (CSF 1, grey 2, white 3) to grey 1, white 2, CSF 3"]
    link_or_copy(source, target)
    return renamed


def _complete(root, path, text):
    """Complete a table of 2017 from the run in template space beside it; without one it stays as it is."""
    stem = path.removesuffix("_desc-confounds_timeseries.tsv")
    run_path = f"{stem}_space-{MNI}_desc-preproc_bold.nii.gz"
    run_file, mask_file = root / run_path, root / f"{stem}_space-{MNI}_desc-brain_mask.nii.gz"
    if not (run_file.exists() and mask_file.exists()):
        return text, []
    who = Path(path).name.partition("_task-")[0]
    maps = {name: root / Path(path).parents[1] / "anat" / f"{who}_space-{MNI}_label-{label}_probseg.nii.gz"
            for name, label in (("white", "WM"), ("csf", "CSF"))}  # fmt: skip
    images = {name: nib.load(file) for name, file in maps.items() if file.exists()}
    run = nib.load(run_file)
    t_r, _ = _find_repetition_time(root, run_path, run)
    return complete_table(text, run, nib.load(mask_file), images, t_r)


def link_or_copy(source, target):
    """Give a file a second name; copy it where it is small or the disk has no hard links.

    Parameters
    ----------
    source, target : Path
        `target` is replaced if it is there.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists() and os.path.samefile(source, target):
        return
    if source.stat().st_size >= SMALL:
        target.unlink(missing_ok=True)
        try:
            os.link(source, target)
            return
        except OSError:
            pass  # exFAT and some network disks: copied instead
    with open(source, "rb") as original, whole_file(target) as copy:
        shutil.copyfileobj(original, copy)


def _write(target, content):
    with whole_file(target) as file:
        file.write(content)


def _as_json(content):
    return f"{json.dumps(content, indent=1)}\n".encode()


def _renumber_tissues(source, target):
    img = nib.load(source)
    values = np.rint(np.asanyarray(img.dataobj)).astype(np.int64)
    if values.min() < 0 or values.max() >= len(TISSUES):
        raise TableError(f"{source.name} has labels from {values.min()} to {values.max()}, and 0 to 3 were expected.")
    new = nib.Nifti1Image(TISSUES[values], img.affine)
    with whole_file(target) as file:
        file.write(_gzip(new.to_bytes()))


def _gzip(content):
    import gzip

    return gzip.compress(content, compresslevel=1, mtime=0)  # no time in it: the same bytes whenever it is made


def _describe_run(root, path, done):
    """Write what today's fMRIPrep puts beside a run, where it was not published: its JSON file, a reference image."""
    added, published = {}, done[path][0]
    sidecar = path.replace(".nii.gz", ".json")
    run = nib.load(root / path)
    if sidecar not in done:
        t_r, where = _find_repetition_time(root, path, run)
        _write(root / sidecar, _as_json({"RepetitionTime": t_r, "TaskName": "rest", **SKULL}))
        added[sidecar] = (published, [f"written: RepetitionTime {t_r:g} s, from {where}"])
    reference = path.replace("_desc-preproc_bold.nii.gz", "_boldref.nii.gz")
    if reference not in done:
        mean = np.asarray(run.dataobj[..., :REFERENCE_VOLUMES], np.float32).mean(axis=3)
        new = nib.Nifti1Image(np.rint(mean).astype(np.int16), run.affine)
        _write(root / reference, _gzip(new.to_bytes()))
        n_volumes = min(REFERENCE_VOLUMES, run.shape[3])
        added[reference] = (published, [f"computed: mean of the first {n_volumes} volumes; none was published"])
    return added


def _find_repetition_time(root, path, run):
    """Look up the repetition time of a run: that of the raw data if it is known, or else what its header says."""
    raw = root / SOURCE / path.removeprefix("derivatives/fmriprep/")
    own = raw.with_name(raw.name.partition("_space-")[0] + "_bold.json")
    t_r = read_repetition_time(own, root / SOURCE / "task-rest_bold.json")
    if t_r is not None:
        return t_r, "the raw data's JSON file"
    zoom, unit = float(run.header.get_zooms()[3]), run.header.get_xyzt_units()[1]
    seconds = zoom / 1000 if unit == "msec" else zoom
    if not 0 < seconds < 60:
        raise TableError(f"{Path(path).name}: its repetition time is nowhere to be found (its header says {zoom:g}).")
    return seconds, "the header of the image"
