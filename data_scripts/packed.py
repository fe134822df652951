"""Four maps in one number: interpolating them together costs little more than interpolating one.

Each voxel is an unsigned integer of 64 bits with a map in each 16 of them. A map's values have 8 bits and the eight
weights of a trilinear interpolation are whole numbers that sum to 256, so no sum of products ever reaches the next
map's bits: one multiplication serves four maps. For that a place is rounded to an eighth of a voxel in the slice, and
to a quarter of a voxel between slices.
"""

from dataclasses import dataclass

import numpy as np

from data_scripts.fields import Grid

STEPS = (8, 8, 4)  # places in a voxel along x, y, z
ONE = 256  # their product: weights sum to it
BITS = 16  # of a map


@dataclass(frozen=True, eq=False)
class PackedMaps:
    """Up to four maps of whole numbers from 0 to 255 on one aligned grid.

    Attributes
    ----------
    names : tuple of str
        The first lies in the lowest bits.
    grid : Grid
    values : ndarray of uint64, shape (nz + 2, ny + 3, nx + 3)
        With a rim of zeros behind each axis, and before y and x.
    """

    names: tuple
    grid: Grid
    values: np.ndarray

    @classmethod
    def pack(cls, maps, grid):
        """Pack maps.

        Parameters
        ----------
        maps : dict of ndarray of uint8, shape grid.shape
            At most four.
        grid : Grid
            Aligned with the axes of space.

        Returns
        -------
        PackedMaps

        Raises
        ------
        ValueError
            If there are more than four maps, or one has another type or shape.
        """
        wrong = [name for name, values in maps.items() if values.dtype != np.uint8 or values.shape != grid.shape]
        if len(maps) > 4 or wrong:
            raise ValueError(f"{list(maps)} were given; expected at most four maps of uint8 of shape {grid.shape}.")
        nz, ny, nx = grid.shape
        packed = np.zeros((nz + 2, ny + 3, nx + 3), np.uint64)
        lanes = packed.view(np.uint16).reshape(*packed.shape, 4)
        for lane, values in enumerate(maps.values()):
            lanes[:nz, 1 : 1 + ny, 1 : 1 + nx, lane] = values
        return cls(tuple(maps), grid, packed)

    def pull(self, sampler):
        """Interpolate all maps at the places of a sampler.

        Parameters
        ----------
        sampler : fields.Sampler

        Returns
        -------
        dict of ndarray of uint16, shape sampler.grid.shape
            By name, in 256ths. Zero outside the grid; below it, its lowest slice goes on.
        """
        grid, n_maps = sampler.grid, len(self.names)
        pulled = np.empty((n_maps, *grid.shape), np.uint16)
        for row, places in enumerate(sampler.slices(*self._to_steps())):
            sums = self._interpolate(places.reshape(3, -1))
            lanes = sums.view(np.uint16).reshape(*grid.shape[1:], 4)
            for lane in range(n_maps):
                pulled[lane, row] = lanes[..., lane]
        return dict(zip(self.names, pulled, strict=True))

    def _to_steps(self):
        """Factor and offset from mm to steps in `values`, by axis x, y, z; half a step more, since a cut follows."""
        factors = np.array(STEPS) / np.diag(self.grid.affine)[:3]
        rim = np.array([1, 1, 0]) * STEPS
        return factors, rim + 0.5 - self.grid.affine[:3, 3] * factors

    def _interpolate(self, places):
        """Sums of the eight neighbours times their weights; places (3, n) in steps along x, y, z."""
        strides = [stride // self.values.itemsize for stride in self.values.strides[::-1]]
        ends = np.array(self.values.shape[::-1]) - 2
        corner, weights = np.zeros(places.shape[1], np.int64), []
        for place, steps, stride, end in zip(places, STEPS, strides, ends, strict=True):
            np.clip(place, 0, end * steps, out=place)
            whole = place.astype(np.int32)
            upper = (whole % steps).astype(np.uint64)
            corner += whole // steps * np.int64(stride)
            weights.append((np.uint64(steps) - upper, upper))
        flat, total = self.values.ravel(), np.uint64(0)
        for k, j in np.ndindex(2, 2):
            weight = weights[2][k] * weights[1][j]
            for i in range(2):
                neighbour = flat[k * strides[2] + j * strides[1] + i :].take(corner, mode="clip")
                neighbour *= weight
                neighbour *= weights[0][i]
                total = total + neighbour if k or j or i else neighbour
        return total
