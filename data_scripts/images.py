"""What the simulator hands to the writer: images, as arrays with a place in space."""

from dataclasses import dataclass

import numpy as np

MNI_CODE = 4  # NIfTI xform code: aligned to MNI152
SCANNER_CODE = 1  # NIfTI xform code: scanner (native) space


@dataclass(frozen=True, eq=False)
class Volume:
    """One image, in the order in which it goes to disk.

    Attributes
    ----------
    data : ndarray, shape (z, y, x) or (t, z, y, x)
        C-ordered, int16, uint8 or float32: the bytes of a NIfTI file as they are.
    affine : ndarray, shape (4, 4)
        From voxel indices (i, j, k) along x, y, z to mm.
    slope : float, optional
        NIfTI's scl_slope: the stored number times this is the value. None where the stored number is the value.
    t_r : float, optional
        Repetition time in seconds, for 4-D images.
    xform_code : int
        NIfTI code of the space: 4 for MNI, 1 for scanner and T1w.
    """

    data: np.ndarray
    affine: np.ndarray
    slope: float | None = None
    t_r: float | None = None
    xform_code: int = MNI_CODE

    def __post_init__(self):
        if self.data.dtype not in (np.int16, np.uint8, np.float32):
            raise TypeError(f"An image is stored as int16, uint8 or float32, not {self.data.dtype}: convert it first.")
        if self.data.ndim not in (3, 4) or not self.data.flags.c_contiguous:
            raise ValueError(
                f"An image of shape {self.data.shape} was found; expected C-ordered (z, y, x) or (t, z, y, x)."
            )
        if (self.data.ndim == 4) != (self.t_r is not None):
            raise ValueError(
                f"A {self.data.ndim}-D image with t_r={self.t_r}: 4-D images need t_r, 3-D images have none."
            )
