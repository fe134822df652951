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
    filled : ndarray of bool, shape as `values`
        Whether any of the eight neighbours of a place whose lower corner this is holds anything: half of a box around
        a head is air, which need not be interpolated.
    """

    names: tuple
    grid: Grid
    values: np.ndarray
    filled: np.ndarray

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
        filled = packed != 0
        for axis in range(3):
            along = np.moveaxis(filled, axis, 0)
            along[:-1] |= along[1:]
        return cls(tuple(maps), grid, packed, filled)

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
        slices = [pulled.copy() for pulled in self.pull_slices(sampler)]
        return dict(zip(self.names, np.stack(slices, 1), strict=True))

    def pull_slices(self, sampler):
        """Interpolate all maps slice by slice along z: what is done with a slice then finds it in the cache.

        Parameters
        ----------
        sampler : fields.Sampler

        Yields
        ------
        ndarray of uint16, shape (n_maps, ny, nx)
            In the order of `names`, in 256ths. The next slice is written over it.
        """
        shape = sampler.grid.shape[1:]
        sums = np.empty(np.prod(shape), np.uint64)
        lanes = sums.view(np.uint16).reshape(*shape, 4)
        pulled = np.empty((len(self.names), *shape), np.uint16)
        for places in sampler.slices(*self._to_steps()):
            self._interpolate(places.reshape(3, -1), sums)
            for lane, result in enumerate(pulled):
                result[...] = lanes[..., lane]
            yield pulled

    def _to_steps(self):
        """Factor and offset from mm to steps in `values`, by axis x, y, z; half a step more, since a cut follows."""
        factors = np.array(STEPS) / np.diag(self.grid.affine)[:3]
        rim = np.array([1, 1, 0]) * STEPS
        return factors, rim + 0.5 - self.grid.affine[:3, 3] * factors

    def _interpolate(self, places, sums):
        """Write sums of the eight neighbours times their weights; places (3, n) in steps along x, y, z."""
        strides = [stride // self.values.itemsize for stride in self.values.strides[::-1]]
        ends = np.array(self.values.shape[::-1]) - 2
        corner, beyond = np.zeros(places.shape[1], np.int64), []
        for place, steps, stride, end in zip(places, STEPS, strides, ends, strict=True):
            np.clip(place, 0, end * steps, out=place)
            whole = place.astype(np.int32)
            beyond.append((whole & (steps - 1)).astype(np.uint64))
            corner += (whole >> (steps.bit_length() - 1)) * np.int64(stride)
        filled = np.flatnonzero(self.filled.ravel().take(corner))
        corner, beyond = corner[filled], [upper[filled] for upper in beyond]
        below = [np.uint64(steps) - upper for steps, upper in zip(STEPS, beyond, strict=True)]
        flat, total = self.values.ravel(), 0
        for k, weight in enumerate((below[2], beyond[2])):
            plane = 0
            for j, along_y in enumerate((below[1], beyond[1])):
                line = flat[k * strides[2] + j * strides[1] :]
                plane = plane + (line.take(corner) * below[0] + line[1:].take(corner) * beyond[0]) * along_y
            total = total + plane * weight
        sums[:] = 0
        sums[filled] = total
