"""What a study costs: room on disk, memory, processes."""

import shutil

from data_scripts.records import StudyError

MEMORY_PER_JOB = 1.3e9  # bytes: what one process holds at its peak, seen with the course profile
# bytes on disk, seen: per voxel and volume of the preprocessed runs (both spaces) and of a raw one, per voxel of the
# anatomical grid (all images), and tables and truth of a person
BYTES_PER_SAMPLE, BYTES_PER_RAW_SAMPLE, BYTES_PER_ANAT_VOXEL, BYTES_OF_TABLES = 1.1, 0.8, 3.3, 1.5e6
RESERVE = 1.1  # ask for a tenth more room than was seen to be needed
TEMPLATE_VOLUME = 193 * 229 * 193  # mm3


def estimate_bytes(profile, people):
    """Estimate the room that people take on disk.

    Parameters
    ----------
    profile : Profile
    people : sequence of Person

    Returns
    -------
    int
        Bytes, a tenth more than was seen.
    """
    x, y, z = profile.bold_shape
    samples = x * y * z * profile.n_volumes
    anatomy = BYTES_PER_ANAT_VOXEL * TEMPLATE_VOLUME / profile.anat_step**3
    everybody = len(people) * (BYTES_PER_SAMPLE * samples + anatomy + BYTES_OF_TABLES)
    raw_runs = sum(person.has_raw_run for person in people) * BYTES_PER_RAW_SAMPLE * samples
    return int(RESERVE * (everybody + raw_runs))


def require_space(out, profile, people):
    """Refuse to begin what will not fit.

    Parameters
    ----------
    out : Path
        An existing folder.
    profile : Profile
    people : sequence of Person
        Who is still to be made.

    Raises
    ------
    StudyError
        If the disk has less room than they are estimated to need; says how much.
    """
    needed, free = estimate_bytes(profile, people), shutil.disk_usage(out).free
    if needed > free:
        raise StudyError(
            f"{len(people)} people need about {needed / 1e9:.2f} GB on disk, and {out} has {free / 1e9:.2f} GB free:"
            " make room or choose another folder with --out."
        )


def choose_jobs(n_people):
    """Choose how many processes run at once: one a processor, fewer where memory is short.

    Parameters
    ----------
    n_people : int

    Returns
    -------
    int
        At least 1.
    """
    import joblib
    import psutil

    room = int(psutil.virtual_memory().available // MEMORY_PER_JOB)
    return max(1, min(joblib.cpu_count(), n_people, room))
