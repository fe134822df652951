"""An invented head around the template's brain: CSF, skull, scalp, eyes, face, neck.

Nothing of it is measured. It is there so that images have what real ones have outside the brain.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy import ndimage

from data_scripts.fields import bounding_box, expand, smooth_noise, stretch_matrix


@dataclass(frozen=True)
class Tissue:
    """One material outside the brain.

    Attributes
    ----------
    name : str
    t1w : float
        Brightness in a T1w image, on the template's scale (white matter is 87).
    texture : float
        SD of its mottling, same scale.
    epi : float
        Brightness in a fat-suppressed EPI, relative to grey matter.
    """

    name: str
    t1w: float
    texture: float
    epi: float


TISSUES = (
    Tissue("air", 0.0, 0.0, 0.0),
    Tissue("fluid", 22.0, 1.0, 1.35),
    Tissue("bone", 8.0, 2.0, 0.03),
    Tissue("marrow", 44.0, 10.0, 0.10),
    Tissue("fat", 97.0, 7.0, 0.13),
    Tissue("skin", 62.0, 4.0, 0.20),
    Tissue("muscle", 51.0, 4.0, 0.30),
    Tissue("vitreous", 21.0, 1.0, 1.30),
    Tissue("sclera", 48.0, 2.0, 0.35),
    Tissue("mucosa", 56.0, 6.0, 0.25),
    Tissue("cord", 78.0, 2.0, 0.70),
    Tissue("disc", 28.0, 3.0, 0.12),
)
# mm over which the random fields vary (z, y, x where they differ)
NOISE_SIZES = {"broad": 60, "middle": 35, "fine": 7, "grain": 3.5, "strands": (60, 12, 12), "strands2": (60, 8, 8)}
CODE = {tissue.name: code for code, tissue in enumerate(TISSUES)}


def _ellipsoid(axes, centre, radii):
    """Squared distance from a centre in units of the radii: below 1 inside. Coordinates broadcast."""
    return sum(((axis - c) / r) ** 2 for axis, c, r in zip(axes, centre, radii, strict=True))


def _distance_to_skull(mask, grid):
    """Distance in mm from the inner face of the skull, negative inside; on the grid of the head.

    The skull's inside is the brain, closed over its folds; brainstem and cord do not bulge it.
    """
    step = grid.zooms[0]
    thin = max(1, round(float(2 / step)))
    spacing = step * thin
    small = mask[::thin, ::thin, ::thin].copy()
    heights = grid.affine[2, 3] + np.arange(small.shape[0]) * spacing
    small[heights < -54] = False
    pad = int(np.ceil(30 / spacing))
    box = bounding_box(small)
    grown = ndimage.distance_transform_edt(~np.pad(small[box], pad)) * spacing < 22
    hull = ndimage.distance_transform_edt(grown) * spacing > 22
    hull = ndimage.gaussian_filter(hull.astype(np.float32), 3 / spacing) > 0.5
    small[box] = hull[pad:-pad, pad:-pad, pad:-pad]  # closing a shape does not make its box larger
    distance = ndimage.distance_transform_edt(~small) - ndimage.distance_transform_edt(small)
    distance = (distance * spacing).astype(np.float32)
    distance = ndimage.gaussian_filter(distance, 1.4 / spacing)
    return expand(distance, [stretch_matrix(n, m) for n, m in zip(grid.shape, distance.shape, strict=True)])


def _shells(labels, depth, axes, noise):
    """Skull and scalp: layers by distance from the brain's hull. Returns the depth at which bone ends."""
    broad, uneven = noise("broad"), noise("middle")
    outer = np.empty_like(depth)
    for rows in _slabs(labels):
        here, layer = labels[rows], depth[rows]
        fluid, bone, scalp = _layers(axes, rows, broad[rows], uneven[rows])
        outer[rows] = fluid + bone
        skin = outer[rows] + scalp
        here[layer <= skin] = CODE["fat"]
        here[(layer <= skin) & (layer > skin - 1.6)] = CODE["skin"]
        here[(layer <= outer[rows] + 0.62 * scalp) & (scalp > 7.5)] = CODE["muscle"]
        here[layer <= outer[rows]] = CODE["bone"]
    del uneven
    fine = noise("fine")
    for rows in _slabs(labels):
        here, layer = labels[rows], depth[rows]
        fluid, bone, _ = _layers(axes, rows, broad[rows])
        spongy = np.abs(layer - fluid - 0.5 * bone) < 0.24 * bone * np.clip(0.75 + 0.4 * fine[rows], 0, 1.2)
        here[spongy] = CODE["marrow"]
        here[layer <= fluid] = CODE["fluid"]
    return outer


def _slabs(labels, thickness=16):
    """Slices along z: what is computed voxel by voxel needs little memory then."""
    return [slice(first, first + thickness) for first in range(0, len(labels), thickness)]


def _layers(axes, rows, broad, uneven=None):
    """Thickness of fluid, bone and (if its noise is given) scalp in a slab."""
    x, y, z = axes[0], axes[1], axes[2][rows]
    fluid = np.float32(1.3) + np.float32(0.35) * broad
    bone = np.float32(6.0) + np.float32(1.2) * broad + 2.5 * np.exp(-(((y + 92) / 28) ** 2) - ((z + 22) / 24) ** 2)
    if uneven is None:
        return fluid, bone, None
    temple = np.exp(-(((y - 8) / 30) ** 2) - ((z + 4) / 32) ** 2) * np.clip(np.abs(x) / 70 - 0.6, 0, 1)
    return fluid, bone, 5.0 + 0.6 * uneven + 6 * temple + 4 * np.clip(-(z + 20) / 30, 0, 1.5)


def _face_and_neck(labels, depth, axes, noise, bone_end, step):
    """Soft tissue below the skull: skin, fat under it, bundles of muscle with fat between."""
    x, y, z = axes
    flare = np.clip((z + 66) / 40, 0, 1) ** 2
    neck = ((x / (60 + 14 * flare)) ** 2 + ((y + 34) / (62 + 16 * flare)) ** 2 < 1) & (z < -34)
    face = _ellipsoid(axes, (0, 34, -84), (60, 60, 66)) < 1
    jaw = _ellipsoid(axes, (0, 40, -122), (48, 52, 34)) < 1
    nose = _ellipsoid(axes, (0, 92, -60), (12, 15, 20)) < 1
    soft = (neck | face | jaw | nose) & (depth > bone_end)
    thin = max(1, round(float(2 / step)))
    whole = (soft | (labels != CODE["air"]))[::thin, ::thin, ::thin]
    del neck, face, jaw, nose
    inward = ndimage.distance_transform_edt(np.pad(whole, ((0, 0), (1, 1), (1, 1)))).astype(np.float32)
    inward = inward[:, 1:-1, 1:-1] * step * thin
    inward = expand(inward, [stretch_matrix(n, m) for n, m in zip(labels.shape, inward.shape, strict=True)])
    inward = inward[soft]
    septum = (np.abs(noise("strands")[soft]) < 0.07) | (np.abs(noise("strands2")[soft] + 0.3) < 0.07)
    flesh = np.where(septum, CODE["fat"], CODE["muscle"])
    flesh[inward < 7 + 1.2 * noise("middle")[soft]] = CODE["fat"]
    flesh[inward < 2.5] = CODE["skin"]
    labels[soft] = flesh


def _skull_base(labels, depth, axes, fine, bone_end):
    """Bone between brain and face, air spaces, eyes, ears, spine."""
    x, y, z = axes
    base = (depth > 0) & (depth < bone_end + 5 + 2 * fine) & (z < -20) & (np.abs(x) < 55) & (y > -70)
    labels[base] = np.where(fine[base] > 0.5, CODE["marrow"], CODE["bone"])
    cells = fine > -1.4
    for centre, radii in (
        ((0, 56, -58), (13, 24, 26)),
        ((0, 18, -100), (9, 9, 36)),
        ((29, 58, -72), (12, 14, 15)),
        ((-29, 58, -72), (12, 14, 15)),
        ((0, 30, -40), (10, 11, 8)),
    ):
        shape = _ellipsoid(axes, centre, radii)
        labels[(shape < 1.25) & (depth > 0)] = CODE["mucosa"]
        labels[(shape < 1) & (depth > 0) & cells] = CODE["air"]
    labels[(_ellipsoid(axes, (0, 79, -6), (14, 5, 11)) < 1) & (depth > 2.5) & (depth < bone_end)] = CODE["air"]
    for side in (-1, 1):
        labels[(_ellipsoid(axes, (33 * side, 50, -38), (17, 26, 16)) < 1) & (depth > 1)] = CODE["fat"]
        for height in (-47, -29):  # muscles of the eye
            labels[(_ellipsoid(axes, (31 * side, 46, height), (5, 20, 2.2)) < 1) & (depth > 1)] = CODE["muscle"]
        labels[(_ellipsoid(axes, (28 * side, 40, -38), (2.2, 18, 2.2)) < 1) & (depth > 1)] = CODE["cord"]
        eye = _ellipsoid(axes, (34 * side, 66, -38), (12.3, 12.3, 12.3))
        labels[(eye < 1) & (depth > 0.5)] = CODE["sclera"]
        labels[(eye < 0.8) & (depth > 0.5)] = CODE["vitreous"]
        labels[_ellipsoid(axes, (34 * side, 74, -38), (4.5, 2.3, 4.5)) < 1] = CODE["sclera"]
        mastoid = (_ellipsoid(axes, (50 * side, -24, -38), (13, 15, 16)) < 1) & (depth > 0.5)
        labels[mastoid] = np.where(fine[mastoid] > 0.2, CODE["bone"], CODE["air"])
        labels[(_ellipsoid(axes, (64 * side, -20, -34), (14, 3, 3)) < 1) & (depth > 0.5)] = CODE["air"]
        labels[(_ellipsoid(axes, (84 * side, -24, -28), (5, 15, 24)) < 1) & (labels == CODE["air"])] = CODE["skin"]
    _spine(labels, depth, axes)


def _spine(labels, depth, axes):
    """Vertebrae with discs, and the cord in its fluid below the brainstem."""
    x, y, z = axes
    back = -44 + 0.10 * (z + 78)
    body = ((x / 14) ** 2 + ((y - back - 19) / 11) ** 2 < 1) & (z < -78)
    labels[body] = np.where(np.broadcast_to((z + 300) % 18 < 4, labels.shape), CODE["disc"], CODE["marrow"])[body]
    arch = ((x / 17) ** 2 + ((y - back + 3) / 16) ** 2 < 1) & (z < -60) & (depth > 1)
    labels[arch & ((z + 292) % 18 < 11)] = CODE["bone"]
    canal = (x / 6.5) ** 2 + ((y - back) / 6) ** 2
    labels[(canal < 2.6) & (z < -66)] = CODE["fluid"]
    labels[(canal < 0.9) & (z < -66)] = CODE["cord"]


def _head_noise(grid, seeds, name):
    """Make one of the random fields that shape a head."""
    apart = np.array(NOISE_SIZES[name]) / 2.355 / grid.zooms[0]
    return smooth_noise(grid.shape, apart, rng=np.random.default_rng(seeds[name]))


def synthesize_head(brain, mask, grid, *, rng):
    """Invent a head around a brain.

    Parameters
    ----------
    brain, mask : ndarray, shape (nz, ny, nx)
        T1w intensity of the template and its mask; they fill the upper back part of the grid.
    grid : Grid
        Of the head: as the brain's, with more below and in front.
    rng : numpy.random.Generator

    Returns
    -------
    intensity : ndarray of uint8, shape grid.shape
        T1w brightness on the template's scale.
    labels : ndarray of uint8, shape grid.shape
        Index into `TISSUES`; what is under the brain itself is without meaning.
    """
    step = grid.zooms[0]
    upper = (slice(grid.shape[0] - brain.shape[0], None), slice(None, brain.shape[1]), slice(None))
    filled = np.zeros(grid.shape, bool)
    filled[upper] = mask
    axes = grid.axes()
    depth = _distance_to_skull(filled, grid)
    seeds = dict(zip(NOISE_SIZES, rng.integers(2**63, size=len(NOISE_SIZES)), strict=True))

    # fields are made anew where they are needed: all of them in memory at once are too much
    noise = partial(_head_noise, grid, seeds)

    labels = np.zeros(grid.shape, np.uint8)
    bone_end = _shells(labels, depth, axes, noise)
    _face_and_neck(labels, depth, axes, noise, bone_end, step)
    fine = noise("fine")
    for rows in _slabs(labels):
        _skull_base(labels[rows], depth[rows], (*axes[:2], axes[2][rows]), fine[rows], bone_end[rows])
    del depth, bone_end, fine
    return _paint(brain, mask, labels, upper, noise, step), labels


def _paint(brain, mask, labels, upper, noise, step):
    """T1w brightness of each tissue, mottled and a little blurred, and the brain as it is. uint8."""
    means, textures = (np.array([getattr(t, name) for t in TISSUES], np.float32) for name in ("t1w", "texture"))
    mottled = np.float32(0.8) * noise("fine")
    mottled += np.float32(0.6) * noise("grain")
    mottled *= textures[labels]
    mottled += means[labels]
    np.maximum(mottled, 2, out=mottled)
    mottled *= labels > 0
    painted = ndimage.gaussian_filter(mottled, 0.6 / step)
    painted[upper][mask] = brain[mask]
    return np.rint(np.clip(painted, 0, 255)).astype(np.uint8)
