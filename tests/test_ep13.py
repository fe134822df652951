"""What episode 13 says about surfaces, and the view that it shows."""

import gzip
import re
import socket

import nibabel as nib
import numpy as np
import pytest
from nilearn import image, plotting
from nilearn.datasets import load_fsaverage, load_fsaverage_data
from nilearn.surface import InMemoryMesh, PolyMesh, SurfaceImage

from course_utils.exercises import ep13_surface as ex
from course_utils.surface_view import view_surface

GRID = np.diag([4.0, 4.0, 4.0, 1.0])
GRID[:3, 3] = -90, -126, -72


@pytest.fixture(scope="module")
def fsaverage():
    return load_fsaverage("fsaverage5")


@pytest.fixture
def volumes():
    """Three noisy volumes that hold all of fsaverage."""
    rng = np.random.default_rng(13)
    return [nib.Nifti1Image(rng.normal(size=(46, 55, 46)), GRID) for _ in range(3)]


@pytest.fixture(scope="module")
def stat_map(fsaverage):
    data = {side: mesh.coordinates[:, 1] / 100 for side, mesh in fsaverage.pial.parts.items()}
    return SurfaceImage(fsaverage.inflated, data)


def flatten(img):
    return np.concatenate(list(img.data.parts.values()))


def test_fsaverage5_needs_no_network(monkeypatch):
    """Meshes and sulcal depth ship with nilearn."""

    def refuse(*args, **kwargs):
        raise OSError("no network in this test")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    meshes, depth = load_fsaverage("fsaverage5"), load_fsaverage_data(mesh_type="inflated", data_type="sulcal")
    assert {mesh.n_vertices for mesh in meshes.pial.parts.values()} == {10_242}
    assert depth.shape == (20_484,)


def test_shapes_share_their_triangles(fsaverage):
    for side in ("left", "right"):
        faces = [fsaverage[shape].parts[side].faces for shape in ("white_matter", "pial", "inflated", "sphere")]
        assert all(np.array_equal(faces[0], other) for other in faces[1:])


def test_projecting_and_averaging_commute(fsaverage, volumes):
    """With one mesh for all, the order does not matter."""
    how = {"inner_mesh": fsaverage.white_matter, "depth": [0.25, 0.5, 0.75]}
    each = [flatten(SurfaceImage.from_volume(fsaverage.pial, img, **how)) for img in volumes]
    of_mean = flatten(SurfaceImage.from_volume(fsaverage.pial, image.mean_img(volumes), **how))
    assert np.allclose(np.mean(each, axis=0), of_mean, atol=1e-9)


def test_linear_makes_labels_that_do_not_exist(fsaverage):
    """Between 3 and 7 lies 5; the most frequent label is one of the two."""
    labels = np.where(np.arange(46) % 2, 3, 7).astype("int16")[:, None, None].repeat(55, axis=1).repeat(46, axis=2)
    img = nib.Nifti1Image(labels, GRID)
    blended = flatten(SurfaceImage.from_volume(fsaverage.pial, img, inner_mesh=fsaverage.white_matter))
    kept = SurfaceImage.from_volume(
        fsaverage.pial, img, inner_mesh=fsaverage.white_matter, interpolation="nearest_most_frequent"
    )
    assert np.mean(np.rint(blended) == 5) > 0.2
    assert set(flatten(kept)) == {3, 7}


def test_swapped_hemispheres_raise_no_error_but_are_found(fsaverage):
    """Nothing but the check of the exercise notices them."""
    data = {"left": np.ones(10_242, int), "right": np.full(10_242, 2)}
    good = SurfaceImage(fsaverage.pial, data)
    swapped = SurfaceImage(fsaverage.pial, {"left": data["right"], "right": data["left"]})
    assert ex.share_on_wrong_side(good, ex.SMALL_LUT) == 0
    assert ex.share_on_wrong_side(swapped, ex.SMALL_LUT) == 1


def test_smoothing_on_a_surface_stays_on_it():
    """Two sheets 1 mm apart: a peak on one is not seen on the other, however near it is."""
    side = np.arange(21.0)
    x, y = (axis.ravel() for axis in np.meshgrid(side, side))
    corner = np.array([i * 21 + j for i in range(20) for j in range(20)])
    faces = np.vstack([np.c_[corner, corner + 1, corner + 21], np.c_[corner + 1, corner + 22, corner + 21]])
    sheets = np.vstack([np.c_[x, y, np.full(441, z)] for z in (0.0, 1.0)])
    mesh = InMemoryMesh(sheets, np.vstack([faces, faces + 441]))
    values = np.zeros(882)
    values[220] = 1  # in the middle of the lower sheet
    img = SurfaceImage(PolyMesh(left=mesh), {"left": values})
    smoothed = image.smooth_img(img, 6).data.parts["left"].ravel()
    assert np.all(smoothed[441:] == 0)
    assert 0 < smoothed[220] < 0.5


def test_view_is_light_and_asks_nobody(fsaverage, stat_map):
    """Below a megabyte, no address in it, and lighter than nilearn's."""
    depth = load_fsaverage_data(mesh_type="inflated", data_type="sulcal")
    page = view_surface(stat_map, depth, vmax=0.8, threshold=0.3, alt='a "red" front', title="r & more").data
    theirs = plotting.view_surf(surf_map=stat_map, bg_map=depth, hemi="left", engine="niivue").html
    assert len(page) < 1_000_000
    assert len(gzip.compress(page.encode())) < len(gzip.compress(theirs.encode())) / 2
    assert not re.search(r"https?:|src=", page)
    assert "r &amp;amp; more" in page  # escaped once for the page, once more for the frame


def test_view_colours_what_is_above_the_threshold(fsaverage):
    """Below the threshold, and where a value is missing, a vertex is grey."""
    from course_utils import surface_view

    values = np.array([0.5, -0.5, 0.1, np.nan])
    bytes_of = surface_view._colour(values, np.array([1, 1, 1, -1.0]), surface_view.colormaps["RdBu_r"], 1, 0.3)
    red, blue, grey, missing = bytes_of
    assert red[0] > red[2]
    assert blue[2] > blue[0]
    assert len(set(grey)) == len(set(missing)) == 1
    assert missing[0] > grey[0]  # a ridge is lighter than a furrow


def test_view_refuses_what_does_not_fit(fsaverage, stat_map):
    depth = load_fsaverage_data(mesh_type="inflated", data_type="sulcal")
    with pytest.raises(ValueError, match="expected a positive number"):
        view_surface(stat_map, depth, vmax=0, threshold=0, alt="none")
    two = SurfaceImage(fsaverage.inflated, {side: np.zeros((10_242, 2)) for side in ("left", "right")})
    with pytest.raises(ValueError, match=r"found 20,484 values of the map and 10,242 of the background"):
        view_surface(two, depth, vmax=1, threshold=0, alt="none")


def test_view_draws_in_a_browser(browser, fsaverage, stat_map):
    """The left side is seen from the left: the front of the head, here red, is on the left of the picture."""
    depth = load_fsaverage_data(mesh_type="inflated", data_type="sulcal")
    page, wrong = browser.new_page(viewport={"width": 375, "height": 600}), []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda m: m.type == "error" and wrong.append(m.text))
    page.set_content(view_surface(stat_map, depth, vmax=0.8, threshold=0.3, alt="A map.").data)
    page.wait_for_timeout(1500)
    frame = page.frames[1]
    assert wrong == []
    assert frame.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    pixels = {}
    for name in ("left", "right"):
        frame.select_option("#side", name)
        pixels[name] = frame.evaluate(COUNT_RED)
    page.close()
    assert pixels["left"]["first"] > 1000 > pixels["left"]["second"]
    assert pixels["right"]["second"] > 1000 > pixels["right"]["first"]


COUNT_RED = """() => {
  const from = document.getElementById('c'), to = document.createElement('canvas');
  [to.width, to.height] = [from.width, from.height];
  const select = document.getElementById('side'); select.onchange();
  const pen = to.getContext('2d'); pen.drawImage(from, 0, 0);
  const data = pen.getImageData(0, 0, to.width, to.height).data, count = {first: 0, second: 0};
  for (let i = 0; i < data.length; i += 4)
    if (data[i] > data[i + 2] + 60) count[(i / 4) % to.width < to.width / 2 ? 'first' : 'second']++;
  return count; }"""
