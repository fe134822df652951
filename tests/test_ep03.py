"""What episode 03 tells about nibabel, and which right answers its two own comparisons accept."""

import gzip
import tracemalloc

import nibabel as nib
import numpy as np
import pytest
from nibabel.affines import from_matvec

from course_utils.exercises import ep03_nifti as ex


@pytest.fixture
def scaled_path(tmp_path):
    """A run of 16-bit numbers with a slope, compressed."""
    header = nib.Nifti1Header()
    header.set_data_dtype(np.int16)
    header.set_data_shape((40, 40, 20, 20))
    header.set_slope_inter(2.0, 0.0)
    header.set_sform(np.eye(4), 1)
    header["vox_offset"], header["magic"] = 352, b"n+1"
    numbers = np.random.default_rng(3).integers(0, 1000, 40 * 40 * 20 * 20, dtype=np.int16)
    path = tmp_path / "run.nii.gz"
    path.write_bytes(gzip.compress(header.binaryblock + bytes(4) + numbers.tobytes(), 1))
    return path


def peak_of(read):
    """Largest number of bytes that a function held at any moment."""
    tracemalloc.start()
    try:
        read()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_loaded_header_has_lost_its_slope(scaled_path):
    img = nib.load(scaled_path)
    with gzip.open(scaled_path) as file:
        assert nib.Nifti1Header.from_fileobj(file)["scl_slope"] == 2
    assert np.isnan(img.header["scl_slope"])
    assert img.dataobj.slope == 2
    assert np.array_equal(img.dataobj[..., 3], 2.0 * img.dataobj.get_unscaled()[..., 3])


def test_a_proxy_reads_little_into_memory(scaled_path):
    size = np.prod((40, 40, 20, 20))
    assert peak_of(lambda: nib.load(scaled_path).dataobj[..., -1]) < size
    assert peak_of(lambda: nib.load(scaled_path).dataobj[3, 3, 3]) < size
    assert peak_of(lambda: nib.load(scaled_path).get_fdata()) > 8 * size


def test_reading_float32_still_makes_float64_first(scaled_path):
    """When this fails, nibabel has mended it for numpy 2: rewrite what the episode says of its table of memory."""
    wide, narrow = (
        peak_of(lambda kind=kind: nib.load(scaled_path).get_fdata(dtype=kind)) for kind in (np.float64, np.float32)
    )
    assert narrow > wide


def test_a_header_without_codes_is_guessed_to_run_from_right_to_left():
    img = nib.Nifti1Image(np.zeros((3, 4, 5), np.uint8), np.diag([2.0, 2, 2, 1]))
    img.set_sform(None, code=0)
    img.set_qform(None, code=0)
    assert nib.aff2axcodes(nib.Nifti1Image.from_bytes(img.to_bytes()).affine) == ("L", "A", "S")


def test_qform_can_mirror_but_not_shear():
    mirrored = nib.Nifti1Image(np.zeros((3, 4, 5), np.uint8), np.diag([-2.0, 2, 2, 1])).header
    assert mirrored["pixdim"][0] == -1
    assert np.allclose(mirrored.get_qform(), mirrored.get_sform())
    sheared = nib.Nifti1Image(np.zeros((3, 4, 5), np.uint8), from_matvec([[1, 0.3, 0], [0, 1, 0], [0, 0, 1]])).header
    assert not np.allclose(sheared.get_qform(), sheared.get_sform(), atol=0.05)


def test_a_function_that_uses_the_affine_of_one_image_is_told_so(capsys):
    """Variables of the notebook in place of the argument: right for the image at hand, and for no other."""
    inputs = ex.place_of_voxel.example_inputs()
    M, abc = inputs["affine"][:3, :3].copy(), inputs["affine"][:3, 3].copy()
    reason = ex.place_of_voxel.wrong["one_image_only"].message
    for function, is_told in [
        (lambda affine, voxel: M @ voxel + abc, True),
        (lambda affine, voxel: list(affine[:3, :3] @ voxel + abc), True),
        (lambda affine, voxel: M @ voxel, False),
        (lambda affine, voxel: affine[:3, :3] @ voxel, False),
    ]:
        ex.place_of_voxel.check(function, **inputs)
        said = " ".join(capsys.readouterr().out.split())
        assert said.startswith("Not yet. ")
        assert (reason in said) == is_told


def test_slicing_the_fifth_axis_away_loses_the_repetition_time():
    """When this fails, the exercise on the squeezed run teaches something that no longer happens."""
    five_d_img = ex.squeezed_run.example_inputs()["five_d_img"]
    assert nib.squeeze_image(five_d_img).shape == five_d_img.shape
    sliced = five_d_img.slicer[..., 0, :]
    assert sliced.header.get_zooms()[3] == 1
    assert ex.squeeze_run(five_d_img).header.get_zooms()[3] == 2.5


@pytest.mark.parametrize("kind", [np.uint8, np.float64])
def test_a_run_squeezed_by_another_road_is_correct(kind, capsys):
    five_d_img = ex.squeezed_run.example_inputs()["five_d_img"]
    data = np.squeeze(np.asarray(five_d_img.dataobj)).astype(kind)
    answer = nib.Nifti1Image(data, five_d_img.affine, five_d_img.header)
    answer.header.set_zooms((3, 3, 4, 2.5))
    ex.squeezed_run.check(answer, five_d_img=five_d_img)
    assert capsys.readouterr().out.startswith("Correct. ")


def test_values_of_a_squeezed_run_are_compared_too(capsys):
    five_d_img = ex.squeezed_run.example_inputs()["five_d_img"]
    right = ex.squeeze_run(five_d_img)
    answer = nib.Nifti1Image(np.asarray(right.dataobj)[..., ::-1], right.affine, right.header)
    ex.squeezed_run.check(answer, five_d_img=five_d_img)
    assert capsys.readouterr().out.startswith("Not yet. ")


def test_a_head_mirrored_by_another_road_is_correct(capsys):
    """The array reversed, and the affine of the mirrored head for that order: the same values at the same places."""
    tilted_img = ex.mirrored_head.example_inputs()["tilted_img"]
    backwards = from_matvec(np.diag([-1, 1, 1]), [tilted_img.shape[0] - 1, 0, 0])
    affine = np.diag([-1, 1, 1, 1]) @ tilted_img.affine @ backwards
    answer = nib.Nifti1Image(np.asarray(tilted_img.dataobj)[::-1], affine)
    ex.mirrored_head.check(answer, tilted_img=tilted_img)
    assert capsys.readouterr().out.startswith("Correct. ")


def test_a_head_that_is_only_stored_the_other_way_is_not_mirrored(capsys):
    tilted_img = ex.mirrored_head.example_inputs()["tilted_img"]
    stored = tilted_img.as_reoriented(nib.orientations.axcodes2ornt("LAS"))
    assert nib.aff2axcodes(stored.affine) != nib.aff2axcodes(tilted_img.affine)
    ex.mirrored_head.check(stored, tilted_img=tilted_img)
    said = " ".join(capsys.readouterr().out.split())
    assert said.startswith("Not yet. ")
    assert ex.mirrored_head.wrong["nothing_moved"].message in said
