"""What a study costs: room on disk, memory, processes."""

import os
import shutil
from pathlib import Path

from data_scripts.partial import PARTIAL
from data_scripts.records import StudyError

# bytes on disk, seen: per voxel and volume of the preprocessed runs (both spaces) and of a raw one, per voxel of the
# anatomical grid (all images), and tables and truth of a person
BYTES_PER_SAMPLE, BYTES_PER_RAW_SAMPLE, BYTES_PER_ANAT_VOXEL, BYTES_OF_TABLES = 1.0, 0.74, 2.6, 2.2e6
RESERVE = 1.1  # ask for a tenth more room than was seen to be needed
TEMPLATE_VOLUME = 193 * 229 * 193  # mm3
# bytes of memory, seen: of a process that has done its imports; of what all people share, and to make it; of the runs
# of one person, per voxel and volume; of the native anatomical images, per voxel; to make the atlas
MEMORY_OF_IMPORTS, MEMORY_OF_SHARED, MEMORY_TO_LOAD, MEMORY_TO_LOAD_FINE = 0.16e9, 0.12e9, 0.47e9, 0.20e9
MEMORY_PER_SAMPLE, MEMORY_OF_RUN, MEMORY_PER_ANAT_VOXEL, MEMORY_OF_ATLAS = 6.7, 0.05e9, 36.0, 0.5e9
NATIVE_VOLUME = 182 * 240 * 232  # mm3
UNUSED_ADDRESSES = 0.3e9  # bytes that libraries reserve and never fill
CGROUPS, OWN_GROUPS = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")  # Linux's limits of containers


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
    samples = _count_samples(profile)
    anatomy = BYTES_PER_ANAT_VOXEL * TEMPLATE_VOLUME / profile.anat_step**3
    everybody = len(people) * (BYTES_PER_SAMPLE * samples + anatomy + BYTES_OF_TABLES)
    raw_runs = sum(person.has_raw_run for person in people) * BYTES_PER_RAW_SAMPLE * samples
    return int(RESERVE * (everybody + raw_runs))


def _count_samples(profile):
    x, y, z = profile.bold_shape
    return x * y * z * profile.n_volumes


def require_space(out, profile, people):
    """Refuse to begin what will not fit.

    Parameters
    ----------
    out : Path
        A folder that may not exist yet. What an earlier run has begun for these people counts as room.
    profile : Profile
    people : sequence of Person
        Who is still to be made.

    Raises
    ------
    StudyError
        If nothing can be written there, or the disk has less room than they are estimated to need; says how much.
    """
    needed, free = estimate_bytes(profile, people), free_space(out) + _count_begun(out, people)
    if needed > free:
        raise StudyError(
            f"{len(people)} people need about {needed / 1e9:.2f} GB on disk, and {out} has {free / 1e9:.2f} GB free:"
            " make room or choose another folder with --out."
        )


def _count_begun(out, people):
    """Bytes of files that will be written anew, or deleted because they are half written."""
    begun, total = {f"sub-{person.subject}" for person in people}, 0
    for path in out.rglob("*"):
        label, underscore, _ = path.name.partition("_")  # a file; the folder of a person is the label alone
        if PARTIAL.fullmatch(path.name) or (underscore and label in begun):
            try:
                total += path.stat().st_size
            except FileNotFoundError:
                continue  # another run has finished it just now
    return total


def free_space(folder):
    """Measure the room on a disk.

    Parameters
    ----------
    folder : Path
        Of its parents, the nearest that exists is asked.

    Returns
    -------
    int
        Bytes.

    Raises
    ------
    StudyError
        If the folder is read-only.
    """
    existing = next(path for path in (folder, *folder.absolute().parents) if path.is_dir())
    usage = shutil.disk_usage(existing)
    if usage.total == 0 or not os.access(existing, os.W_OK):  # no disk, such as /proc; or read-only
        raise StudyError(
            f"Cannot write to {folder} ({existing} is read-only, or belongs to somebody else): choose another folder"
            " with --out."
        )
    return usage.free


def estimate_memory(profile):
    """Estimate what one worker process holds at its peak.

    Parameters
    ----------
    profile : Profile

    Returns
    -------
    int
        Bytes, about a tenth more than was seen.
    """
    run = MEMORY_OF_RUN + MEMORY_PER_SAMPLE * _count_samples(profile)
    anatomy = MEMORY_PER_ANAT_VOXEL * NATIVE_VOLUME / profile.anat_step**3
    person = MEMORY_OF_IMPORTS + MEMORY_OF_SHARED / profile.anat_step**3 + max(run, anatomy)
    return int(max(person, MEMORY_OF_ATLAS))


def estimate_memory_to_load(profile):
    """Estimate what a process holds while it prepares what all people share.

    Parameters
    ----------
    profile : Profile

    Returns
    -------
    int
        Bytes.
    """
    return int(MEMORY_TO_LOAD + MEMORY_TO_LOAD_FINE / profile.anat_step**3)


def require_memory(profile):
    """Refuse to begin what the machine has no memory for.

    Parameters
    ----------
    profile : Profile

    Raises
    ------
    StudyError
        If there is less than one process needs; says how much.
    """
    needed, free = max(estimate_memory(profile), estimate_memory_to_load(profile)), available_memory()
    if needed > free:
        raise StudyError(
            f"Simulating one person at a time needs about {needed / 1e9:.2f} GB of memory, and {free / 1e9:.2f} GB are"
            " free: close other programs (each open notebook holds some), or use a machine with more."
        )


def choose_jobs(profile, n_people):
    """Choose how many processes run at once: one a processor, fewer where memory is short.

    Parameters
    ----------
    profile : Profile
    n_people : int

    Returns
    -------
    int
        At least 1.
    """
    import joblib

    rest = MEMORY_OF_IMPORTS  # of the main process, which waits
    room = int((available_memory() - rest) // estimate_memory(profile))
    return max(1, min(joblib.cpu_count(), n_people, room))


def available_memory():
    """Measure how much memory programs can still take.

    Returns
    -------
    int
        Bytes. In a container, such as those of hubs, what its limit leaves if that is less than the machine has; the
        same for the limit that `ulimit -v` and some batch systems set.
    """
    import psutil

    return min(psutil.virtual_memory().available, _left_of_addresses(), *_left_in_containers())


def _left_of_addresses():
    """What a limit on addresses leaves. Where it leaves too little, OpenBLAS waits without end while it is imported."""
    try:
        import resource
    except ImportError:
        return 2**63  # Windows
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    return 2**63 if limit == resource.RLIM_INFINITY else limit - UNUSED_ADDRESSES


def _left_in_containers():
    """What the limits of Linux control groups leave, of this process's group and those above it. At least one value."""
    left = [2**63]
    try:
        groups = [line.split(":", 2)[1:] for line in OWN_GROUPS.read_text().splitlines()]
    except OSError:
        return left  # not Linux
    for controllers, group in groups:
        if controllers == "":  # version 2
            left += [_left_in(path, "memory.max", "memory.current") for path in _with_parents(CGROUPS, group)]
        elif "memory" in controllers.split(","):  # version 1
            folders = _with_parents(CGROUPS / "memory", group)
            left += [_left_in(path, "memory.limit_in_bytes", "memory.usage_in_bytes") for path in folders]
    return [room for room in left if room is not None]


def _left_in(folder, limit, used):
    """What one control group leaves; None without a limit."""
    try:
        allowed, taken = int((folder / limit).read_text()), int((folder / used).read_text())
        stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):
        return None  # the file is missing, or says "max"
    files = int(stat.get("total_inactive_file", stat.get("inactive_file", 0)))  # they make room when it is asked for
    return allowed - taken + files


def _with_parents(base, group):
    """The folder of a control group and those above it, up to the base."""
    here = base / group.lstrip("/")
    return [here, *(path for path in here.parents if path.is_relative_to(base))]
