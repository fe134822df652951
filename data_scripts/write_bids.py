"""Contents to files, whole or not at all: a file has its final name only when every byte of it is there."""

import hashlib
import io
import json
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd

from data_scripts.images import Volume
from data_scripts.partial import whole_file

GZIP_LEVEL = 1  # level 6 takes four times as long for 10 % fewer bytes
CHUNK = 1 << 22  # bytes handed to the compressor at a time
NIFTI_DATA_START = 352  # 348 bytes of header, 4 that say "no extension follows"
DESCRIPTION = b"SIMULATED, not a measurement"  # in the header's free text, so that the image itself says it


def write_content(root, path, content):
    """Write one file of a study.

    Parameters
    ----------
    root : Path
        The study's folder.
    path : Path
        Relative to `root`; its extension says what the content must be. Folders are made as needed.
    content : Volume, DataFrame, dict or str
        Volume for .nii.gz; DataFrame for .tsv (missing values become "n/a"); dict for .json; dict of arrays for .npz;
        str for a name without one of these extensions.

    Returns
    -------
    dict
        "bytes" and "sha256" of the file, computed while it is written.

    Raises
    ------
    TypeError
        If the content does not fit the extension.
    ValueError
        If the path leaves `root`, or the content cannot be stored (NaN in JSON).
    OSError
        If the disk refuses. No file with the final name is left then, nor a partial one.
    """
    path = Path(path)
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"{path} is not inside the study: paths are relative to its folder, without '..'.")
    chunks = _encode(path.name, content)
    with whole_file(Path(root, path)) as file:
        digest, size = hashlib.sha256(), 0
        for chunk in chunks:
            digest.update(chunk)
            size += file.write(chunk)
    return {"bytes": size, "sha256": digest.hexdigest()}


def _encode(name, content):
    """Choose the encoding by extension; returns an iterable of bytes."""
    extension = next((known for known in ENCODERS if name.endswith(known)), "")
    kind, encode = ENCODERS.get(extension, (str, _encode_text))
    if not isinstance(content, kind):
        raise TypeError(
            f"{name} was given a {type(content).__name__}; a name that ends in {extension!r} needs a {kind.__name__}."
        )
    return encode(content)


def _encode_text(content):
    return [content.encode("utf-8")]


def _encode_json(content):
    return _encode_text(json.dumps(content, indent=2, allow_nan=False, default=_plain) + "\n")


def _encode_table(content):
    return _encode_text(content.to_csv(sep="\t", index=False, na_rep="n/a", lineterminator="\n"))


def _encode_arrays(content):
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **content)  # numbers drawn at random hardly become smaller
    return [buffer.getvalue()]


def _encode_image(volume):
    """Compress header and voxels; the bytes of a (t, z, y, x) array are already in NIfTI's order."""
    compressor = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, zlib.MAX_WBITS + 16)  # + 16: gzip format, time stamp 0
    yield compressor.compress(nifti_header(volume) + b"\0" * 4)
    data = volume.data.astype(volume.data.dtype.newbyteorder("<"), copy=False)
    voxels = memoryview(data.reshape(-1)).cast("B")
    for start in range(0, len(voxels), CHUNK):
        yield compressor.compress(voxels[start : start + CHUNK])
    yield compressor.flush()


def nifti_header(volume):
    """Make the 348 bytes of a NIfTI-1 header.

    Parameters
    ----------
    volume : Volume

    Returns
    -------
    bytes
    """
    header = nib.Nifti1Header(endianness="<")
    header.set_data_dtype(volume.data.dtype)
    header.set_data_shape(volume.data.shape[::-1])
    header.set_sform(volume.affine, volume.xform_code)
    header.set_qform(volume.affine, volume.xform_code)
    zooms = np.linalg.norm(np.asarray(volume.affine)[:3, :3], axis=0)
    header.set_zooms((*zooms, volume.t_r) if volume.t_r is not None else tuple(zooms))
    header.set_xyzt_units("mm", "sec")
    header.set_slope_inter(1.0 if volume.slope is None else volume.slope, 0.0)
    header["descrip"] = DESCRIPTION
    header["magic"] = b"n+1"
    header["vox_offset"] = NIFTI_DATA_START
    return header.binaryblock


def _plain(value):
    """NumPy's numbers and arrays, and paths, as JSON knows them."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Path):
        return value.as_posix()
    raise TypeError(f"JSON cannot hold a {type(value).__name__}.")


ENCODERS = {
    ".nii.gz": (Volume, _encode_image),
    ".tsv": (pd.DataFrame, _encode_table),
    ".json": (dict, _encode_json),
    ".npz": (dict, _encode_arrays),
}
