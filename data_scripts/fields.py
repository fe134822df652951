"""Smooth random fields, smooth deformations, and pulling an image through them.

Every array of the simulator is ordered (z, y, x), as a NIfTI file is on disk. Points are rows (x, y, z) in mm.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage, sparse

# SD of a cubic B-spline surface whose coefficients have SD 1: (integral of the squared spline) ** (3 / 2)
SPLINE_SD = 0.479365**1.5


@dataclass(frozen=True, eq=False)
class Grid:
    """A box of voxels in space.

    Attributes
    ----------
    shape : tuple of int
        Voxels along z, y, x.
    affine : ndarray, shape (4, 4)
        From voxel indices (i, j, k) along x, y, z to mm.
    """

    shape: tuple
    affine: np.ndarray

    @classmethod
    def aligned(cls, shape_xyz, zooms, origin):
        """Make a grid whose axes are those of space.

        Parameters
        ----------
        shape_xyz : sequence of int
            Voxels along x, y, z.
        zooms : float or sequence of float
            Voxel sizes in mm.
        origin : sequence of float
            Centre of the first voxel in mm.

        Returns
        -------
        Grid
        """
        affine = np.diag([*np.broadcast_to(zooms, 3), 1.0])
        affine[:3, 3] = origin
        return cls(tuple(int(n) for n in shape_xyz[::-1]), affine)

    @property
    def zooms(self):
        """Compute the voxel sizes.

        Returns
        -------
        ndarray, shape (3,)
            In mm along x, y, z.
        """
        return np.sqrt((self.affine[:3, :3] ** 2).sum(0))

    def axes(self):
        """Give the coordinates of an aligned grid, shaped to broadcast.

        Returns
        -------
        tuple of ndarray of float32
            In mm: x (1, 1, nx), y (1, ny, 1), z (nz, 1, 1).
        """
        x, y, z = (
            np.arange(n, dtype=np.float32) * np.float32(self.affine[a, a]) + np.float32(self.affine[a, 3])
            for a, n in enumerate(self.shape[::-1])
        )
        return x[None, None, :], y[None, :, None], z[:, None, None]

    def points(self, flat=None):
        """Give the coordinates of voxels.

        Parameters
        ----------
        flat : ndarray of int, shape (n,), optional
            Flat indices; all voxels without.

        Returns
        -------
        ndarray, shape (n, 3)
            In mm.
        """
        flat = np.arange(np.prod(self.shape)) if flat is None else flat
        k, j, i = np.unravel_index(flat, self.shape)
        return np.stack([i, j, k], 1) @ self.affine[:3, :3].T + self.affine[:3, 3]

    def to_voxels(self, points):
        """Convert mm to voxel indices.

        Parameters
        ----------
        points : ndarray, shape (n, 3)
            In mm.

        Returns
        -------
        ndarray, shape (n, 3)
            Fractional indices (i, j, k) along x, y, z.
        """
        inverse = np.linalg.inv(self.affine)
        return points @ inverse[:3, :3].T + inverse[:3, 3]


def stretch_matrix(n_out, n_in):
    """Make the matrix that interpolates linearly between equidistant knots.

    Parameters
    ----------
    n_out : int
        Points wanted; the first and the last lie on the first and the last knot.
    n_in : int
        Knots.

    Returns
    -------
    ndarray of float32, shape (n_out, n_in)
    """
    position = np.linspace(0, n_in - 1, n_out) if n_out > 1 else np.zeros(1)
    return np.maximum(0, 1 - np.abs(position[:, None] - np.arange(n_in))).astype(np.float32)


def expand(lattice, matrices):
    """Multiply a lattice by one matrix along each axis.

    Parameters
    ----------
    lattice : ndarray of float32, shape (k0, k1, k2)
    matrices : sequence of ndarray of float32, shapes (n0, k0), (n1, k1), (n2, k2)
        Such as `stretch_matrix` gives. The first is mostly zeros.

    Returns
    -------
    ndarray of float32, shape (n0, n1, n2)
    """
    first, second, third = matrices
    planes = second @ (lattice @ third.T)
    whole = sparse.csr_array(first) @ planes.reshape(len(planes), -1)
    return whole.reshape(len(first), *planes.shape[1:])


def smooth_noise(shape, knots_apart, *, rng):
    """Draw a smooth random field of mean 0 and SD 1.

    Parameters
    ----------
    shape : tuple of int
        Of the result, three axes.
    knots_apart : float or tuple of float
        Distance between the knots of the field, in voxels, along each axis: the larger, the smoother.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of float32
    """
    return expand(*_draw_knots(shape, knots_apart, rng))


def smooth_slices(shape, knots_apart, *, rng):
    """Draw a smooth random field of mean 0 and SD 1, slice by slice: the same as `smooth_noise`, in little memory.

    Parameters
    ----------
    shape : tuple of int
        Of the field, three axes.
    knots_apart : float or tuple of float
        As for `smooth_noise`.
    rng : numpy.random.Generator
        All is drawn before the first slice.

    Returns
    -------
    iterator of ndarray of float32, shape shape[1:]
        Along the first axis.
    """
    heights, (first, second, third) = _draw_knots(shape, knots_apart, rng)
    planes = second @ (heights @ third.T)
    return (sum(weights[knot] * planes[knot] for knot in np.flatnonzero(weights)) for weights in first)


def _draw_knots(shape, knots_apart, rng):
    """Heights of the knots of a smooth field, and along each axis the matrix that spreads them over the voxels."""
    apart = np.broadcast_to(np.maximum(knots_apart, 1.0), 3)
    counts = [int(np.ceil(n / step)) + 3 for n, step in zip(shape, apart, strict=True)]
    heights = rng.standard_normal(counts, dtype=np.float32)
    bumps = []
    for n, step, n_knots in zip(shape, apart, counts, strict=True):
        position = np.arange(n) / step + 1
        # quadratic bumps, wide enough to overlap: no kink shows at the knots
        weights = np.maximum(0, 1 - np.abs(position[:, None] - np.arange(n_knots)) / 1.6) ** 2
        bumps.append((weights / weights.sum(1, keepdims=True)).astype(np.float32))
    # mean and SD of the field, before it is made: the weights of a voxel sum to 1
    heights -= expand(heights, [weights.mean(0, keepdims=True) for weights in bumps]).item()
    squares = np.vdot(heights, expand(heights, [weights.T @ weights for weights in bumps]))
    heights /= np.sqrt(squares / np.prod(shape))
    return heights, bumps


@dataclass(frozen=True, eq=False)
class Deformation:
    """A smooth displacement of space: cubic B-splines on a lattice fixed in mm, so that any grid sees the same one.

    Attributes
    ----------
    origin : ndarray, shape (3,)
        First knot, in mm.
    spacing : float
        Distance between knots in mm.
    coefficients : ndarray, shape (3, nx, ny, nz)
        Displacement along x, y, z in mm, before smoothing by the splines.
    """

    origin: np.ndarray
    spacing: float
    coefficients: np.ndarray

    @classmethod
    def random(cls, sd, spacing, *, rng, low=(-130.0, -170.0, -190.0), high=(130.0, 130.0, 150.0)):
        """Draw a deformation.

        Parameters
        ----------
        sd : float
            SD of the displacement along each axis, in mm.
        spacing : float
            Distance in mm over which it varies.
        rng : numpy.random.Generator
        low, high : tuple of float
            Corners in mm of the box where it varies; beyond it is constant.

        Returns
        -------
        Deformation
        """
        low, high = np.array(low), np.array(high)
        counts = np.ceil((high - low) / spacing).astype(int) + 3
        return cls(low - spacing, spacing, rng.standard_normal((3, *counts)) * (sd / SPLINE_SD))

    def __call__(self, points):
        """Give the displacement in mm, shape (n, 3), at points in mm, shape (n, 3)."""
        where = ((points - self.origin) / self.spacing).T
        return np.stack(
            [ndimage.map_coordinates(c, where, order=3, prefilter=False, mode="nearest") for c in self.coefficients], 1
        )


class Sampler:
    """The places, in another space, of every voxel of a grid; made slice by slice, so that memory stays flat.

    Parameters
    ----------
    grid : Grid
        Where values are wanted.
    transform : callable
        From points in the grid's space to points in the space that values come from, both (n, 3) in mm. It has to
        be smooth: it is evaluated every `knots_apart` mm and interpolated linearly in between.
    knots_apart : float
        In mm.
    """

    def __init__(self, grid, transform, knots_apart=8.0):
        self.grid = grid
        extents = zip(grid.shape, grid.zooms[::-1], strict=True)
        counts = [max(2, int(np.ceil((n - 1) * z / knots_apart)) + 1) for n, z in extents]
        knots = np.stack(
            np.meshgrid(*[np.linspace(0, n - 1, m) for n, m in zip(grid.shape, counts, strict=True)], indexing="ij"), -1
        ).reshape(-1, 3)[:, ::-1]
        placed = transform(knots @ grid.affine[:3, :3].T + grid.affine[:3, 3])
        matrices = [stretch_matrix(n, m) for n, m in zip(grid.shape, counts, strict=True)]
        self._between = matrices[0]
        same = np.eye(counts[0], dtype=np.float32)
        lattices = np.ascontiguousarray(placed.T, np.float32).reshape(3, *counts)
        self._planes = np.stack([expand(lattice, [same, *matrices[1:]]) for lattice in lattices])

    def slices(self, factors=(1, 1, 1), offsets=(0, 0, 0)):
        """Go through the grid along z.

        Parameters
        ----------
        factors, offsets : sequence of float, shape (3,)
            What a place in mm, along x, y, z, is multiplied by and what is added then.

        Yields
        ------
        ndarray of float32, shape (3, ny, nx)
            Places of the voxels of one slice along x, y, z.
        """
        scale, shift = (np.asarray(a, np.float32)[:, None, None, None] for a in (factors, offsets))
        planes = self._planes * scale + shift
        for weights in self._between:
            knots = np.flatnonzero(weights)
            yield sum(weights[knot] * planes[:, knot] for knot in knots)

    def pull(self, images, source):
        """Interpolate images, trilinearly, that lie on one aligned grid.

        Parameters
        ----------
        images : list of ndarray, shape source.shape
        source : Grid
            Aligned with the axes of space.

        Returns
        -------
        list of ndarray of float32, shape grid.shape
            Zero outside the source.
        """
        results = [np.zeros(self.grid.shape, np.float32) for _ in images]
        factors = 1 / np.diag(source.affine)[:3]
        last = np.array(source.shape[::-1], np.float32)[:, None, None] - 1
        for row, places in enumerate(self.slices(factors, -source.affine[:3, 3] * factors)):
            inside = np.flatnonzero(((places >= 0) & (places <= last)).all(0))
            corner, beyond = _lower_corners(places.reshape(3, -1)[:, inside], source.shape)
            for image, result in zip(images, results, strict=True):
                result[row].ravel()[inside] = _between_neighbours(image, corner, beyond)
        return results


def _lower_corners(places, shape):
    """Flat index of the lowest of the eight neighbours of each place, and how far beyond it that lies, 0 to 1."""
    corner, beyond = np.zeros(places.shape[1], np.intp), []
    for place, axis in zip(places[::-1], range(3), strict=True):
        whole = np.minimum(place.astype(np.intp), shape[axis] - 2)
        beyond.append(place - whole.astype(np.float32))
        corner = corner * shape[axis] + whole
    return corner, beyond


def _between_neighbours(image, corner, beyond):
    """Trilinear interpolation: along x, then y, then z."""
    flat, (_, ny, nx) = image.ravel(), image.shape
    along_z, along_y, along_x = beyond
    planes = []
    for k in range(2):
        lines = []
        for j in range(2):
            line = flat[(k * ny + j) * nx :]
            near, far = line.take(corner), line[1:].take(corner)
            lines.append(near + (far - near) * along_x)
        planes.append(lines[0] + (lines[1] - lines[0]) * along_y)
    return planes[0] + (planes[1] - planes[0]) * along_z


def bounding_box(mask):
    """Find the smallest box that holds all true voxels.

    Parameters
    ----------
    mask : ndarray of bool

    Returns
    -------
    tuple of slice or None
        None if no voxel is true.
    """
    sides = []
    for axis in range(mask.ndim):
        hit = np.flatnonzero(mask.any(axis=tuple(a for a in range(mask.ndim) if a != axis)))
        if not hit.size:
            return None
        sides.append(slice(int(hit[0]), int(hit[-1]) + 1))
    return tuple(sides)


def interpolation_matrix(places, source):
    """Trilinear interpolation as one sparse matrix.

    Parameters
    ----------
    places : ndarray, shape (n, 3)
        Points in mm.
    source : Grid
        Where values come from.

    Returns
    -------
    scipy.sparse.csr_array of float32, shape (n, n_source_voxels)
        Rows of points outside the source are empty.
    """
    voxels = source.to_voxels(places)
    sizes = np.array(source.shape[::-1])
    inside = ((voxels >= 0) & (voxels <= sizes - 1.001)).all(1)
    corner = np.floor(voxels[inside]).astype(np.int64)
    rest = (voxels[inside] - corner).astype(np.float32)
    columns, weights = [], []
    for k, j, i in np.ndindex(2, 2, 2):
        columns.append(((corner[:, 2] + k) * sizes[1] + corner[:, 1] + j) * sizes[0] + corner[:, 0] + i)
        along = [rest[:, a] if step else 1 - rest[:, a] for a, step in enumerate((i, j, k))]
        weights.append(along[0] * along[1] * along[2])
    counts = np.zeros(len(places) + 1, np.int32)
    counts[1:][inside] = 8
    entries = (np.stack(weights, 1).ravel(), np.stack(columns, 1).ravel().astype(np.int32))
    return sparse.csr_array(
        (*entries, np.cumsum(counts, dtype=np.int32)), shape=(len(places), int(np.prod(source.shape)))
    )
