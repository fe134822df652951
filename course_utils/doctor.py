"""Look whether this machine is ready for the course, and say what has to be done.

Run as `python -m course_utils doctor`. It has to work where things are broken, so that this module imports nothing at
its top but Python itself: each check imports what it needs, and a check that cannot be made says so.
"""

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import webbrowser
from functools import partial
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PYTHONS = ((3, 11), (3, 13))  # the oldest and the newest that pyproject.toml admits
DATA_GB = 1.5  # disk that the simulated study takes
SPARE_GB = 0.5  # disk for what notebooks write
KERNEL_SECONDS = 120  # the first import after an installation compiles, on a slow disk for a minute
INSTALL = "`make setup`, or `python -m pip install --require-hashes -r requirements.lock`, in the course's folder"
INSTALL_COURSE = "`python -m pip install --no-deps --no-build-isolation -e .` in the course's folder"
# prints one line of JSON; what it imports is what the notebooks import
PROBE = """
import json, sys
import bids, matplotlib, nibabel, nilearn.maskers, pandas, scipy, seaborn, sklearn, statsmodels
import course_utils.exercises
print(json.dumps({"prefix": sys.prefix, "course": course_utils.__file__}))
"""


class Finding(NamedTuple):
    """What one check found.

    Attributes
    ----------
    check : str
        Its name, one word.
    state : {"ok", "warning", "failure"}
        A warning does not keep anybody from working.
    found : str
        What is there.
    fix : str
        What to do; empty if nothing.
    """

    check: str
    state: str
    found: str
    fix: str = ""


def check_python():
    """See whether the course runs on this Python.

    Returns
    -------
    Finding
    """
    version = ".".join(map(str, sys.version_info[:3]))
    names = " to ".join(".".join(map(str, limit)) for limit in PYTHONS)
    if PYTHONS[0] <= tuple(sys.version_info[:2]) <= PYTHONS[1]:
        return Finding("python", "ok", f"Python {version} in {sys.prefix}")
    fix = f"install a Python from {names}, then `make setup PYTHON=/path/to/it` in the course's folder"
    return Finding("python", "failure", f"Python {version}; the course needs {names}", fix)


def check_packages():
    """Compare the installed packages with the lock.

    Returns
    -------
    Finding
        A failure if one is missing or has another version than the one that the course was tested with.
    """
    lock = ROOT / "requirements.lock"
    if not lock.is_file():
        fix = "run this command in the course's folder, with the course installed from there: " + INSTALL_COURSE
        return Finding("packages", "warning", f"there is no requirements.lock in {ROOT} to compare with", fix)
    try:
        from packaging.requirements import Requirement
    except ModuleNotFoundError:
        return Finding("packages", "failure", "the package packaging is missing, and most likely all others", INSTALL)
    lines = re.findall(r"^[a-zA-Z].*?==.*?(?= *\\?$)", lock.read_text(encoding="utf-8"), flags=re.M)
    wanted = [r for r in map(Requirement, lines) if r.marker is None or r.marker.evaluate()]
    missing, other = [], []
    for requirement in wanted:
        try:
            version = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            missing.append(requirement.name)
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            other.append(f"{requirement.name} {version} (expected {str(requirement.specifier).lstrip('=')})")
    if not missing and not other:
        return Finding("packages", "ok", f"all {len(wanted)} packages have the versions of requirements.lock")
    wrong = {"missing": missing, "other": other}
    parts = [f"{len(names)} {what}: {_some(names)}" for what, names in wrong.items() if names]
    return Finding("packages", "failure", f"of {len(wanted)} packages, " + "; ".join(parts), INSTALL)


def check_data(deep=False):
    """See whether the simulated study is here and whole.

    Parameters
    ----------
    deep : bool
        Read every byte and compare hashes, not only sizes.

    Returns
    -------
    Finding
    """
    try:
        from course_utils.dataset import StudyNotFoundError, open_study
    except ImportError as error:
        return Finding("data", "failure", f"cannot be looked at: {error}", INSTALL)
    from course_utils.manifest import ManifestError, check_manifest, read_manifest

    try:
        study = open_study("simulated")
        manifest = read_manifest(study.root)
        problems = check_manifest(study.root, deep=deep)
    except StudyNotFoundError as error:
        found, _, fix = str(error).rpartition(": ")
        return Finding("data", "failure", found, fix.removesuffix("."))
    except ManifestError as error:
        found, _, fix = str(error).rpartition(": ")
        return Finding("data", "failure", found or str(error), fix.removesuffix("."))
    if problems:
        found = f"{len(problems)} of {len(manifest['files'])} files in {study.root} are not as they should be: "
        fix = "delete those that are damaged, then `python -m data_scripts simulate` makes what is missing"
        return Finding("data", "failure", found + _some(map(str, problems)), fix)
    request = manifest.get("request", {})
    here = f"{len(manifest['files'])} files, {'byte for byte' if deep else 'with the right sizes'}, in {study.root}"
    if request.get("profile") != "course" or request.get("parameters"):
        named = f"made with the profile {request.get('profile')} and own parameters {request.get('parameters') or '{}'}"
        fix = "if that is not meant: unset COURSE_DATA, or move the folder away and run `make data`"
        return Finding("data", "warning", f"{here}, but {named}: figures will differ from the pages'", fix)
    return Finding("data", "ok", f"the study is whole: {here}")


def check_disk():
    """See whether there is room for what the notebooks write, and for the study if it is not here yet.

    Returns
    -------
    Finding
    """
    folder, needed, variable = Path(os.environ.get("COURSE_DATA") or ROOT / "data").expanduser(), DATA_GB, "COURSE_DATA"
    if (folder / "simulated" / "manifest.json").is_file():  # it may lie on a shared disk that nobody writes to
        folder, needed, variable = Path(tempfile.gettempdir()), 0, "TMPDIR"
    needed += SPARE_GB
    place = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(place).free / 1e9
    found = f"{free:.1f} GB free at {place}, {needed:.1f} GB needed"
    if free < needed:
        fix = f"free some room, or set {variable} to a folder on a larger disk"
        return Finding("disk", "failure", found, fix)
    return Finding("disk", "ok", found)


def check_memory():
    """See whether the notebook that takes most memory will fit.

    Returns
    -------
    Finding
        A failure if this machine, or the container it is, has less than that in all; a warning if other programs hold
        it now.
    """
    try:
        import psutil
    except ModuleNotFoundError:
        return Finding("memory", "failure", "cannot be looked at: the package psutil is missing", INSTALL)
    needed = most_memory()
    if needed is None:
        fix = "run this command in the course's folder, with the course installed from there: " + INSTALL_COURSE
        return Finding("memory", "warning", f"there are no notebooks in {ROOT / 'book'} that say what they need", fix)
    memory = psutil.virtual_memory()
    total, free = memory.total / 1e9, memory.available / 1e9
    limit = _container_limit()
    if limit is not None and limit < total:
        total, free = limit, min(limit, free)
    found = f"{total:.1f} GB, of which {free:.1f} free; the largest notebook takes {needed:.1f}"
    if total < needed:
        return Finding("memory", "failure", found, "take a machine (or ask for a container) with more memory")
    if free < needed:
        return Finding("memory", "warning", found, "close other programs and the kernels of other notebooks")
    return Finding("memory", "ok", found)


def most_memory():
    """Read from the notebooks' boxes how much memory the largest takes.

    Returns
    -------
    float or None
        In GB, as it was measured; None if there are no notebooks.
    """
    texts = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "book").glob("*.ipynb"))]
    costs = [re.search(r"\*\*Cost\*\*: .*? and ([\d.]+) GB of memory", text) for text in texts]
    return max((float(cost[1]) for cost in costs if cost), default=None)


def check_kernel():
    """Start the kernel that the notebooks name, as JupyterLab does, and import in it what they import.

    Returns
    -------
    Finding
    """
    try:
        from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
    except ModuleNotFoundError:
        return Finding("kernel", "failure", "the package jupyter_client is missing", INSTALL)
    try:
        spec = KernelSpecManager().get_kernel_spec("python3")
    except NoSuchKernel:
        return Finding("kernel", "failure", "there is no kernel named python3", INSTALL)
    program = spec.argv[0] if Path(spec.argv[0]).is_absolute() else sys.executable  # as jupyter_client does
    try:
        done = _run_probe(spec)
    except subprocess.TimeoutExpired:
        fix = "try again; if it stays so, the disk or the network folder with the packages is too slow"
        return Finding("kernel", "failure", f"{program} needs more than {KERNEL_SECONDS} s to start", fix)
    except OSError as error:
        fix = f"remove the folder {spec.resource_dir}, then {INSTALL}"
        return Finding("kernel", "failure", f"the kernel python3 cannot start {program}: {error.strerror}", fix)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        fix = INSTALL_COURSE if "course_utils" in last or "data_scripts" in last else INSTALL
        return Finding("kernel", "failure", f"a notebook cannot import what it needs: {last}", fix)
    return _judge_probe(json.loads(done.stdout.strip().splitlines()[-1]), spec)


def _run_probe(spec):
    """Run the probe with the kernel's own Python and settings, but in a foreign folder."""
    program = spec.argv[0] if Path(spec.argv[0]).is_absolute() else sys.executable
    with tempfile.TemporaryDirectory() as elsewhere:  # not the course's folder, which Python would look into
        return subprocess.run(
            [program, "-W", "ignore", "-c", PROBE],
            cwd=elsewhere,
            env={**os.environ, **spec.env},
            capture_output=True,
            text=True,
            check=False,
            timeout=KERNEL_SECONDS,
        )


def _judge_probe(probe, spec):
    """Say whether the kernel runs in this environment and uses this copy of the course."""
    if Path(probe["prefix"]).resolve() != Path(sys.prefix).resolve():
        found = f"the kernel python3 runs in {probe['prefix']}, this command in {sys.prefix}"
        fix = f"remove the folder {spec.resource_dir}, or start JupyterLab from {sys.prefix}"
        return Finding("kernel", "failure", found, fix)
    used = Path(probe["course"]).resolve().parents[1]
    if used != ROOT and _code(used) != _code(ROOT):  # on a hub one copy is installed, and each learner has another
        found = f"notebooks use the copy of the course in {used}, and its code is not that of {ROOT}"
        fix = f"{INSTALL_COURSE}; on a hub ask those who run it to bring their copy up to date"
        return Finding("kernel", "failure", found, fix)
    return Finding("kernel", "ok", "the kernel python3 starts and imports what the notebooks import")


def _code(root):
    """Read the modules that notebooks import from a copy of the course."""
    folder = root / "course_utils"
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.py")}


def check_browser():
    """See whether JupyterLab will find a browser to open itself in.

    Returns
    -------
    Finding
    """
    try:
        browser = webbrowser.get()
    except webbrowser.Error:
        fix = "none is needed on a hub; elsewhere copy the address that `jupyter lab` prints into a browser"
        return Finding("browser", "warning", "no browser was found on this machine", fix)
    return Finding("browser", "ok", f"found ({getattr(browser, 'name', None) or type(browser).__name__})")


def examine(*, deep=False):
    """Make all checks, one after the other; none of them ends the others.

    Parameters
    ----------
    deep : bool
        Read every byte of the data.

    Yields
    ------
    Finding
    """

    checks = {"python": check_python, "packages": check_packages, "data": partial(check_data, deep), "disk": check_disk}
    checks |= {"memory": check_memory, "kernel": check_kernel, "browser": check_browser}
    for name, check in checks.items():
        try:
            yield check()
        except Exception as error:  # whatever is broken here, the other checks must be made
            yield Finding(name, "failure", f"the check itself ended with {type(error).__name__}: {error}", INSTALL)


def _some(names, n=3):
    """Name the first few of many."""
    names = list(names)
    return ", ".join(names[:n]) + (f" and {len(names) - n} more" if len(names) > n else "")


def _container_limit():
    """Memory that a container (a hub's, Binder's) may use, in GB; None if nothing limits it."""
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            return int(Path(path).read_text()) / 1e9
        except (OSError, ValueError):  # no such file, or "max"
            continue
    return None
