"""What the simulator planted: reader of `sourcedata/truth/sub-XXXXX_truth.npz`.

Only the simulated study has a truth. Each file holds these arrays (numpy's npz format, no pickles):

================== ============================ =====================================================================
name               shape                        meaning
================== ============================ =====================================================================
format             ()                           version of this list: 1
shape, affine      (3,), (4, 4)                 grid of the BOLD images in MNI space: voxels along x, y, z; to mm
node_centres       (n_nodes, 3)                 mm, MNI: Seitzman et al. 2020
node_networks      (n_nodes,)                   name of each node's network
node_covariance    (n_nodes, n_nodes)           planted covariance of the nodes' signals; every variance is 1
node_lags          (n_nodes,)                   s, haemodynamic lag (already contained in the covariance)
node_series        (n_volumes, n_nodes)         the nodes' signals in this run: one draw from the covariance
voxels             (n_voxels,)                  voxels with neural signal: flat indices, x fastest (the order on disk)
voxel_nodes        (n_voxels, n_neighbours)     the nodes that each of them hears
voxel_weights      (n_voxels, n_neighbours)     image intensity per unit of a node's signal
voxel_baseline     (n_voxels,)                  image intensity without any fluctuation
artefact_share     (n_voxels,)                  share of the voxel's variance, in the steady state, that is not neural
motion             (n_volumes, 6)               true motion: x, y, z in mm, rotations about them in radians
default_loading    ()                           planted coupling of the default-mode network: the group effect
age                ()                           years; it changes one pair of networks
================== ============================ =====================================================================

The neural signal of a voxel is its weights times the signals of its nodes, so the truth of any region of any atlas
follows from the weights: average them over the region's voxels, and the covariance of two regions is the average of one
times the covariance of the nodes times the average of the other. Nothing here is shared with the simulator.
"""

from dataclasses import dataclass, field

import nibabel
import numpy as np
import pandas as pd
from scipy import sparse

FORMAT = 1


class GridMismatchError(ValueError):
    """A label image that does not lie on the grid of the BOLD images."""


@dataclass(frozen=True, eq=False)
class Truth:
    """What was planted in one person.

    Attributes
    ----------
    subject : str
        Label without "sub-".
    shape, affine : tuple of int, ndarray
        Grid of the BOLD images in MNI space.
    nodes : DataFrame, one row a node
        `x`, `y`, `z` in mm, `network`, `lag` in s.
    node_covariance : ndarray, shape (n_nodes, n_nodes)
        Planted; every variance is 1.
    node_series : ndarray, shape (n_volumes, n_nodes)
        Signals of this run.
    motion : DataFrame, shape (n_volumes, 6)
        True motion, columns as in a confounds table: mm and radians.
    default_loading : float
        Planted coupling of the default-mode network.
    """

    subject: str
    shape: tuple
    affine: np.ndarray
    nodes: pd.DataFrame
    node_covariance: np.ndarray
    node_series: np.ndarray
    motion: pd.DataFrame
    default_loading: float
    _voxels: np.ndarray = field(repr=False)
    _weights: sparse.csr_array = field(repr=False)
    _baseline: np.ndarray = field(repr=False)
    _artefact_share: np.ndarray = field(repr=False)

    def region_weights(self, labels_img):
        """Compute the average signal of each region per unit of each node.

        Parameters
        ----------
        labels_img : Niimg-like
            Integer labels on the grid of the BOLD images in MNI space, 0 is background.

        Returns
        -------
        DataFrame, shape (n_regions, n_nodes)
            Image intensity; one row a label, in ascending order. A region without grey matter has a row of zeros.

        Raises
        ------
        GridMismatchError
            If the labels lie on another grid.
        """
        labels = self._labels_on_grid(labels_img)
        values = np.unique(labels[labels > 0])
        inside = np.flatnonzero(labels > 0)
        rows = np.searchsorted(values, labels[inside])
        counts = np.bincount(rows, minlength=len(values))
        averages = sparse.csr_array((1 / counts[rows], (rows, inside)), shape=(len(values), labels.size))
        spread = sparse.csr_array(
            (np.ones(len(self._voxels)), (self._voxels, np.arange(len(self._voxels)))),
            shape=(labels.size, len(self._voxels)),
        )
        weights = (averages @ spread @ self._weights).toarray()
        return pd.DataFrame(weights, index=pd.Index(values, name="label"))

    def region_connectome(self, labels_img):
        """Compute the planted correlation between the regions of an atlas.

        It is the correlation of the neural signal alone, averaged over each region's voxels, in the long run: a run of
        finite length scatters around it even if nothing disturbs it.

        Parameters
        ----------
        labels_img : Niimg-like
            Integer labels on the grid of the BOLD images in MNI space, 0 is background.

        Returns
        -------
        DataFrame, shape (n_regions, n_regions)
            Indexed by label value on both sides, diagonal 1; NaN where a region has no neural signal.

        Raises
        ------
        GridMismatchError
            If the labels lie on another grid.
        """
        weights = self.region_weights(labels_img)
        covariance = weights.to_numpy() @ self.node_covariance @ weights.to_numpy().T
        sd = np.sqrt(np.diag(covariance))
        sd = np.where(sd > 0, sd, np.nan)
        correlation = covariance / np.outer(sd, sd)
        correlation[np.diag_indices_from(correlation)] = np.where(np.isnan(sd), np.nan, 1.0)
        return pd.DataFrame(correlation, index=weights.index, columns=weights.index)

    def region_series(self, labels_img):
        """Compute the neural signal of each region in this run, without artefacts and noise.

        Parameters
        ----------
        labels_img : Niimg-like
            Integer labels on the grid of the BOLD images in MNI space, 0 is background.

        Returns
        -------
        DataFrame, shape (n_volumes, n_regions)
            Deviation from the baseline in units of image intensity, one column a label.
        """
        weights = self.region_weights(labels_img)
        return pd.DataFrame(self.node_series @ weights.to_numpy().T, columns=weights.index)

    def _image(self, values):
        volume = np.zeros(int(np.prod(self.shape)), np.float32)
        volume[self._voxels] = values
        return nibabel.Nifti1Image(volume.reshape(self.shape, order="F"), self.affine)

    @property
    def artefact_share_img(self):
        """Map how much of each voxel's variance is not neural.

        Returns
        -------
        Nifti1Image
            0 to 1; 0 outside grey matter.
        """
        return self._image(self._artefact_share)

    @property
    def amplitude_img(self):
        """Map the SD of each voxel's neural signal.

        Returns
        -------
        Nifti1Image
            In percent of the voxel's baseline; 0 outside grey matter.
        """
        variance = np.asarray((self._weights @ self.node_covariance * self._weights.toarray()).sum(1))
        return self._image(100 * np.sqrt(np.maximum(variance, 0)) / self._baseline)

    def _labels_on_grid(self, labels_img):
        """Labels as flat integers, x fastest; complains if the image is on another grid."""
        img = labels_img if hasattr(labels_img, "affine") else nibabel.load(labels_img)
        if tuple(img.shape) != tuple(self.shape) or not np.allclose(img.affine, self.affine, atol=1e-3):
            raise GridMismatchError(
                f"The labels have shape {tuple(img.shape)} and origin {np.round(img.affine[:3, 3], 2).tolist()}; the "
                f"truth needs the grid of the BOLD images in MNI space: shape {tuple(self.shape)} and origin "
                f"{np.round(self.affine[:3, 3], 2).tolist()}. Resample the labels to a BOLD image, nearest neighbour."
            )
        values = np.asanyarray(img.dataobj)
        if not np.array_equal(values, np.rint(values)):
            raise ValueError(
                "The labels are not whole numbers: were they resampled with an interpolation other than nearest?"
            )
        return values.astype(np.int64).ravel(order="F")


def list_truths(study):
    """List the subjects whose truth is known.

    Parameters
    ----------
    study : Study

    Returns
    -------
    list of str
        Labels without "sub-", sorted; none for a real study.
    """
    if not study.simulated:
        return []
    found = (study.root / "sourcedata" / "truth").glob("sub-*_truth.npz")
    return sorted(path.name.removeprefix("sub-").removesuffix("_truth.npz") for path in found)


def read_truth(study, subject):
    """Read what was planted in one person.

    Parameters
    ----------
    study : Study
        From `course_utils.dataset.open_study`; the simulated one.
    subject : str
        Label, with or without "sub-".

    Returns
    -------
    Truth

    Raises
    ------
    ValueError
        If the study is not the simulated one, the subject is not in it, or the file has another format.
    """
    subject = str(subject).removeprefix("sub-")
    if not study.simulated:
        raise ValueError(
            f'The study {study.name!r} is real: no one knows its truth. Open the other with open_study("simulated").'
        )
    known = list_truths(study)
    if subject not in known:
        raise ValueError(f"There is no truth for subject {subject!r}. Found: {', '.join(known) or 'none'}.")
    path = study.root / "sourcedata" / "truth" / f"sub-{subject}_truth.npz"
    with np.load(path, allow_pickle=False) as saved:
        arrays = dict(saved)
    if int(arrays["format"]) != FORMAT:
        raise ValueError(
            f"{path.name} has format {int(arrays['format'])}; this course reads format {FORMAT}. Make the data again: "
            "python -m data_scripts simulate."
        )
    return unpack_truth(subject, arrays)


def unpack_truth(subject, arrays):
    """Put the arrays of a truth file into a `Truth`.

    Parameters
    ----------
    subject : str
        Label without "sub-".
    arrays : mapping of str to ndarray
        As listed at the top of this module.

    Returns
    -------
    Truth
    """
    nodes = pd.DataFrame(arrays["node_centres"], columns=["x", "y", "z"])
    nodes["network"], nodes["lag"] = arrays["node_networks"], arrays["node_lags"]
    hears = arrays["voxel_nodes"]
    weights = sparse.csr_array(
        (
            arrays["voxel_weights"].ravel().astype(float),
            hears.ravel().astype(np.int32),
            np.arange(0, hears.size + 1, hears.shape[1]),
        ),
        shape=(len(hears), len(nodes)),
    )
    columns = [f"{kind}_{axis}" for kind in ("trans", "rot") for axis in "xyz"]
    return Truth(
        subject=subject,
        shape=tuple(int(n) for n in arrays["shape"]),
        affine=arrays["affine"],
        nodes=nodes,
        node_covariance=arrays["node_covariance"].astype(float),
        node_series=arrays["node_series"],
        motion=pd.DataFrame(arrays["motion"], columns=columns),
        default_loading=float(arrays["default_loading"]),
        _voxels=arrays["voxels"],
        _weights=weights,
        _baseline=arrays["voxel_baseline"],
        _artefact_share=arrays["artefact_share"],
    )
