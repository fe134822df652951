"""What goes into one person's files: names after BIDS and fMRIPrep, images, JSON."""

from functools import partial
from pathlib import Path

import numpy as np

from course_utils.layout import MNI, bids_path
from data_scripts.fields import Sampler, interpolation_matrix
from data_scripts.images import MNI_CODE, SCANNER_CODE, Volume

DERIVATIVES = Path("derivatives", "fmriprep")
TRUTH = Path("sourcedata", "truth")
TRUTH_FORMAT = 1  # described in course_utils/truth.py
REFERENCE = slice(5, 25)  # volumes that are averaged into boldref: after the steady state is reached
TISSUE_LABELS = {"GM": "grey", "WM": "white", "CSF": "csf"}


def _derivative(subject, suffix, extension, **entities):
    """Place of one file of the derivatives, from the raw root."""
    return DERIVATIVES / bids_path(subject, suffix, extension, **entities)


def generate_anatomical_files(subject, images, params, space=None):
    """Go through the T1w derivatives of one space.

    Parameters
    ----------
    subject : str
        Label without "sub-".
    images : Anatomicals
    params : parameters.Anatomy
    space : str, optional
        None for the native space, whose files have no space entity.

    Yields
    ------
    path : Path
    content : Volume or dict
    """
    code = SCANNER_CODE if space is None else MNI_CODE
    path = partial(_derivative, subject, datatype="anat", space=space)
    affine = images.grid.affine
    yield path("T1w", ".nii.gz", desc="preproc"), Volume(images.t1w, affine, params.t1w_slope, xform_code=code)
    yield path("T1w", ".json", desc="preproc"), {"SkullStripped": False}
    yield path("mask", ".nii.gz", desc="brain"), Volume(images.mask.astype(np.uint8), affine, xform_code=code)
    yield path("mask", ".json", desc="brain"), {"Type": "Brain"}
    yield path("dseg", ".nii.gz"), Volume(images.segmentation, affine, xform_code=code)
    for label, name in TISSUE_LABELS.items():
        share = Volume(images.shares[name], affine, slope=0.01, xform_code=code)
        yield path("probseg", ".nii.gz", label=label), share


def generate_raw_anatomical_files(subject, images, params):
    """Go through the T1w files of the raw dataset.

    Parameters
    ----------
    subject : str
    images : Anatomicals
        On the native grid, with the uncorrected image.
    params : parameters.Anatomy

    Yields
    ------
    path : Path
    content : Volume or dict
    """
    image = Volume(images.raw, images.grid.affine, params.t1w_slope, xform_code=SCANNER_CODE)
    yield bids_path(subject, "T1w", ".nii.gz", datatype="anat"), image
    yield bids_path(subject, "T1w", ".json", datatype="anat"), {"Modality": "MR", "MagneticFieldStrength": 3}


def generate_functional_files(subject, space, series, mask, affine, slope, t_r):
    """Go through the BOLD derivatives of one space.

    Parameters
    ----------
    subject, space : str
    series : ndarray of int16, shape (n_volumes, z, y, x)
        In units of `slope`.
    mask : ndarray of uint8, shape (z, y, x)
    affine : ndarray, shape (4, 4)
    slope, t_r : float

    Yields
    ------
    path : Path
    content : Volume or dict
    """
    code = MNI_CODE if space == MNI else SCANNER_CODE
    path = partial(_derivative, subject, datatype="func", task="rest", space=space)
    reference = np.rint(series[REFERENCE].mean(0, dtype=np.float32) * np.float32(slope)).astype(np.int16)
    raw = bids_path(subject, "bold", ".nii.gz", datatype="func", task="rest")
    yield path("boldref", ".nii.gz"), Volume(reference, affine, xform_code=code)
    yield path("mask", ".nii.gz", desc="brain"), Volume(mask, affine, xform_code=code)
    yield path("mask", ".json", desc="brain"), {"Type": "Brain"}
    yield path("bold", ".nii.gz", desc="preproc"), Volume(series, affine, slope, t_r, code)
    yield (
        path("bold", ".json", desc="preproc"),
        {
            "RepetitionTime": t_r,
            "TaskName": "rest",
            "SkullStripped": False,
            "Sources": [f"bids:raw:{raw.as_posix()}"],
        },
    )


def generate_confound_files(subject, table, description):
    """Go through the files of the confounds table.

    Parameters
    ----------
    subject : str
    table : DataFrame
    description : dict

    Yields
    ------
    path : Path
    content : DataFrame or dict
    """
    for content, extension in ((table, ".tsv"), (description, ".json")):
        yield _derivative(subject, "timeseries", extension, datatype="func", task="rest", desc="confounds"), content


def resample_to_native(series, run_grid, mask, native, head):
    """Resample a run from MNI space to the person's own: trilinear, one sparse matrix for all volumes.

    Parameters
    ----------
    series : ndarray of int16, shape (n_volumes, z, y, x)
    run_grid : Grid
        Of `series`.
    mask : ndarray of bool, shape (z, y, x)
    native : Grid
        Where values are wanted.
    head : Head

    Returns
    -------
    series : ndarray of int16, shape (n_volumes, *native.shape)
    mask : ndarray of uint8, shape native.shape
    """
    places = [slab.reshape(3, -1).T for slab in Sampler(native, head.native_to_mni).slices()]
    matrix = interpolation_matrix(np.concatenate(places), run_grid)
    resampled = np.empty((len(series), *native.shape), np.int16)
    for volume, result in zip(series, resampled, strict=True):
        result[...] = np.rint(matrix @ volume.ravel().astype(np.float32)).reshape(native.shape)
    inside = matrix @ mask.ravel().astype(np.float32) > 0.5
    return resampled, inside.reshape(native.shape).astype(np.uint8)


def collect_truth(body, run, ingredients, person, artefact_share):
    """Collect what was planted, as `course_utils.truth` reads it.

    Parameters
    ----------
    body : Body
    run : Run
    ingredients : Ingredients
    person : Person
    artefact_share : ndarray, shape (n_voxels,)
        For the voxels that have neural signal.

    Returns
    -------
    dict of ndarray
    """
    weights, connectome = run.weights, body.connectome
    intensity = run.baseline.intensity.ravel()[weights.voxels]
    return {
        "format": np.array(TRUTH_FORMAT),
        "shape": np.array(run.baseline.grid.shape[::-1]),
        "affine": run.baseline.grid.affine,
        "node_centres": ingredients.node_centres.astype(np.float32),
        "node_networks": ingredients.node_networks.astype("U32"),
        "node_covariance": connectome.covariance.astype(np.float32),
        "node_lags": connectome.lags.astype(np.float32),
        "node_series": body.nodes,
        "voxels": weights.voxels,
        "voxel_nodes": weights.nodes,
        "voxel_weights": (weights.weights * intensity[:, None]).astype(np.float32),
        "voxel_baseline": intensity,
        "artefact_share": artefact_share.astype(np.float32),
        "motion": body.motion.true,
        "default_loading": np.array(connectome.default_loading),
        "age": np.array(person.age),
    }
