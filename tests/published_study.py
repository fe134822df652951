"""A study under the names of 2017, on an S3 server of this machine.

`as_published` turns a simulated study into that form; `small_tree` is one of a few kilobytes, with the quirks that the
real one has.
"""

import io
import json
import logging
from contextlib import contextmanager
from pathlib import Path

import boto3
import nibabel as nib
import numpy as np
import pandas as pd
from scipy.signal import detrend

from data_scripts.network import Patience
from data_scripts.openneuro import BUCKET, LESSON, ROOTS

ROOT = ROOTS[0]
DERIVED = "derivatives/fmriprep"
MNI = "MNI152NLin2009cAsym"
PUBLIC = "public-read"
QUICK = Patience(attempts=4, first=0.01, longest=0.02, timeout=1.0)
# today's columns under their old names, in the order of the old tables of fMRIPrep 1.0
OLD_COLUMNS = {
    "csf": "CSF", "white_matter": "WhiteMatter", "global_signal": "GlobalSignal", "std_dvars": "stdDVARS",
    "dvars": "non-stdDVARS", "framewise_displacement": "FramewiseDisplacement",
    **{f"t_comp_cor_0{i}": f"tCompCor0{i}" for i in range(6)},
    **{f"a_comp_cor_0{i}": f"aCompCor0{i}" for i in range(6)},
    **{f"cosine0{i}": f"Cosine0{i}" for i in range(10)},
    **{f"non_steady_state_outlier0{i}": f"NonSteadyStateOutlier0{i}" for i in range(10)},
    "trans_x": "X", "trans_y": "Y", "trans_z": "Z", "rot_x": "RotX", "rot_y": "RotY", "rot_z": "RotZ",
}  # fmt: skip


def old_table(text):
    """Turn a confounds table of today into one of fMRIPrep 1.0."""
    names, *rows = [line.split("\t") for line in text.splitlines()]
    kept = [(names.index(new), old) for new, old in OLD_COLUMNS.items() if new in names]
    lines = [[old for _, old in kept], *([row[i] for i, _ in kept] for row in rows)]
    return "".join("\t".join(line) + "\n" for line in lines)


def older_table(text):
    """Turn a confounds table of today into one of fMRIPrep 0.4.4, said to have made the derivatives of ds000030.

    It lacks the CSF, the cosines and the volumes outside of the steady state; two signals lack their mean and trend.
    """
    table = pd.read_csv(io.StringIO(old_table(text)), sep="\t", dtype=str, keep_default_na=False)
    table = table.loc[:, ~table.columns.str.startswith(("CSF", "Cosine", "NonSteadyStateOutlier"))]
    for name in ("WhiteMatter", "GlobalSignal"):
        table[name] = detrend(table[name].astype(float)).round(6).astype(str)
    return table.to_csv(sep="\t", index=False)


def _old_name(name):
    """Give a derivative's file its name of 2017; None if there was no such file."""
    stem, _, tail = name.partition("_task-rest_")
    if tail:
        for space in (MNI, "T1w"):
            if tail == f"space-{space}_desc-preproc_bold.nii.gz":
                return f"{stem}_task-rest_bold_space-{space}_preproc.nii.gz"
            if tail == f"space-{space}_desc-brain_mask.nii.gz":
                return f"{stem}_task-rest_bold_space-{space}_brainmask.nii.gz"
        return f"{stem}_task-rest_bold_confounds.tsv" if tail == "desc-confounds_timeseries.tsv" else None
    stem, _, tail = name.partition("_")
    space = f"_space-{MNI}" if tail.startswith("space-") else ""
    tail = tail.removeprefix(f"space-{MNI}_")
    ends = {
        "desc-preproc_T1w.nii.gz": "preproc", "desc-brain_mask.nii.gz": "brainmask", "dseg.nii.gz": "dtissue",
        **{f"label-{tissue}_probseg.nii.gz": f"class-{tissue}_probtissue" for tissue in ("CSF", "GM", "WM")},
    }  # fmt: skip
    return f"{stem}_T1w{space}_{ends[tail]}.nii.gz" if tail in ends else None


def as_published(study, make_table=older_table):
    """Put a simulated study into the form of 2017, with labels of the real one.

    Parameters
    ----------
    study : Path
        Its raw root.
    make_table : callable
        `older_table`, or `old_table`.

    Yields
    ------
    path : str
        Relative to the raw root.
    content : bytes or Path
    """
    people = sorted(path.name for path in study.glob("sub-*"))
    groups = [[p for p in people if p.startswith("sub-1")], [p for p in people if not p.startswith("sub-1")]]
    lesson = [[f"sub-{label}" for label in LESSON if (label[0] == "1") == first] for first in (True, False)]
    pairs = [zip(group, labels[: len(group)], strict=True) for group, labels in zip(groups, lesson, strict=True)]
    new = dict(pair for group in pairs for pair in group)
    table = (study / "participants.tsv").read_text()
    for old, label in new.items():
        table = table.replace(old, label)
        for path in sorted((study / old).rglob("*.nii.gz")):
            yield path.relative_to(study).as_posix().replace(old, label), path
        for path in sorted((study / DERIVED / old).rglob("*.*")):
            name = _old_name(path.name)
            if name is None:
                continue
            content = path
            if name.endswith(".tsv"):
                content = make_table(path.read_text()).encode()
            elif name.endswith("dtissue.nii.gz"):
                img = nib.load(path)
                content = image_bytes(np.array([0, 2, 3, 1], np.uint8)[np.asarray(img.dataobj).astype(int)], img.affine)
            yield f"{DERIVED}/{label}/{path.parent.name}/{name}".replace(old, label), content
    head, *rows = table.splitlines()
    scanners = ("35343.0", "35426.0")  # of the real study, so that a row can be read as one of its
    rows = [f"{row}\t{scanners[(i % 4 == 0) ^ ('SCHZ' in row)]}" for i, row in enumerate(rows)]
    yield "participants.tsv", "\n".join([f"{head}\tScannerSerialNumber", *rows, ""]).encode()
    yield "task-rest_bold.json", (study / "task-rest_bold.json").read_bytes()
    yield "dataset_description.json", b'{"Name": "A look-alike of ds000030, simulated", "BIDSVersion": "1.0.2"}'


def image_bytes(values, affine=None, t_r=None):
    """Pack an array as a compressed NIfTI file."""
    img = nib.Nifti1Image(values, np.diag([3.0, 3, 4, 1]) if affine is None else affine)
    if t_r:
        img.header.set_zooms((3, 3, 4, t_r))
        img.header.set_xyzt_units("mm", "sec")
    file = io.BytesIO(img.to_bytes())
    import gzip

    return gzip.compress(file.getvalue(), 1, mtime=0)


def small_person(label, seed=0):
    """Make the published files of one person, a few kilobytes each.

    Returns
    -------
    dict of str to bytes
    """
    rng = np.random.default_rng([seed, int(label)])
    who, n_volumes = f"sub-{label}", 12
    names = [*OLD_COLUMNS.values(), "vx-wisestdDVARS"]
    names = [name for name in names if not name.startswith(("Cosine0", "NonSteady")) or name.endswith("00")]
    rows = rng.normal(size=(n_volumes, len(names))).round(6).astype(str)
    rows[:, names.index("NonSteadyStateOutlier00")] = ["1.0", *["0.0"] * (n_volumes - 1)]
    for name in ("stdDVARS", "non-stdDVARS", "vx-wisestdDVARS", "FramewiseDisplacement"):
        rows[0, names.index(name)] = "n/a"
    table = "".join("\t".join(line) + "\n" for line in [names, *rows.tolist()])
    func, anat = f"{DERIVED}/{who}/func/{who}_task-rest_bold", f"{DERIVED}/{who}/anat/{who}_T1w"
    run = rng.integers(0, 900, (6, 5, 4, n_volumes)).astype(np.int16)
    volume = rng.integers(0, 4, (6, 5, 4)).astype(np.uint8)
    files = {f"{func}_confounds.tsv": table.encode()}
    for space in (MNI, "T1w"):
        files[f"{func}_space-{space}_preproc.nii.gz"] = image_bytes(run, t_r=2.0)
        files[f"{func}_space-{space}_brainmask.nii.gz"] = image_bytes((volume > 0).astype(np.uint8))
    for space in ("", f"_space-{MNI}"):
        files |= {f"{anat}{space}_{end}.nii.gz": image_bytes(volume) for end in ("preproc", "brainmask", "dtissue")}
        for tissue in ("CSF", "GM", "WM"):
            files[f"{anat}{space}_class-{tissue}_probtissue.nii.gz"] = image_bytes(volume / np.float32(3))
    files[f"{anat}_inflated.L.surf.gii"] = b"a surface, which nobody here needs"
    files[f"{func.replace('rest', 'bart')}_confounds.tsv"] = b"another task"
    files[f"{who}/anat/{who}_T1w.nii.gz"] = image_bytes(volume)
    files[f"{who}/func/{who}_task-rest_bold.nii.gz"] = image_bytes(run, t_r=2.0)
    return files


def small_tree(labels=(LESSON[0], LESSON[10])):
    """Make a whole published study of a few people; its table of participants has all of the lesson.

    Returns
    -------
    dict of str to bytes
    """
    files = {path: content for label in labels for path, content in small_person(label).items()}
    rows = [
        f"sub-{label}\t{'CONTROL' if label < '5' else 'SCHZ'}\t{30 + i}\tF\t1\t35343.0"
        for i, label in enumerate(LESSON)
    ]
    head = "participant_id\tdiagnosis\tage\tgender\trest\tScannerSerialNumber"
    files["participants.tsv"] = "\n".join([head, *rows, "sub-60001\tADHD\t30\tM\tn/a\t35426.0"]).encode()
    files["dataset_description.json"] = json.dumps({"Name": "A look-alike", "BIDSVersion": "1.0.2"}).encode()
    files["task-rest_bold.json"] = json.dumps({"RepetitionTime": 2.0, "TaskName": "rest"}).encode()
    return files


@contextmanager
def serve():
    """Run an S3 server with an empty bucket. Two in one process would share it.

    Yields
    ------
    url : str
    client : botocore.client.S3
    """
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # not a line for every request
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    try:
        url = "http://{}:{}".format(*server.get_host_and_port())
        keys = {"aws_access_key_id": "nobody", "aws_secret_access_key": "nothing", "region_name": "us-east-1"}
        client = boto3.client("s3", endpoint_url=url, **keys)
        client.create_bucket(Bucket=BUCKET)
        yield url, client
    finally:
        server.stop()


def publish(client, files, root=ROOT):
    """Put files into the bucket.

    Parameters
    ----------
    client : botocore.client.S3
    files : mapping or iterable of (str, bytes or Path)
    root : str
    """
    for path, content in files.items() if hasattr(files, "items") else files:
        body = content.read_bytes() if isinstance(content, Path) else content
        client.put_object(Bucket=BUCKET, Key=root + path, Body=body, ACL=PUBLIC)
