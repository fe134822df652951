"""The doctor sees each kind of trouble, says how to mend it, and works where things are broken."""

import json
import shutil
import subprocess
import sys
import tempfile
import tomllib
import webbrowser
from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager, NoSuchKernel
from packaging.specifiers import SpecifierSet

from course_utils import __main__, doctor

ROOT = Path(__file__).resolve().parents[1]
GB = 10**9


def assert_says(finding, state, *words):
    """A finding of this state names these things; whatever is not ok comes with what to do."""
    assert finding.state == state, finding
    for word in words:
        assert word in f"{finding.found} -> {finding.fix}"
    assert bool(finding.fix) is (state != "ok")
    assert not f"{finding.found}{finding.fix}".endswith("."), "the command ends the sentences"


def test_python_range_is_that_of_the_project():
    wanted = SpecifierSet(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"])
    versions = [(3, minor) for minor in range(9, 20) if wanted.contains(f"3.{minor}.5")]
    assert (versions[0], versions[-1]) == doctor.PYTHONS
    assert_says(doctor.check_python(), "ok")


@pytest.mark.parametrize("version", [(3, 10, 9), (3, 14, 0)])
def test_other_python(monkeypatch, version):
    monkeypatch.setattr(sys, "version_info", version)
    assert_says(doctor.check_python(), "failure", ".".join(map(str, version)), "3.11 to 3.13", "make setup PYTHON=")


def lock(folder, *lines):
    text = "".join(f"{line} \\\n    --hash=sha256:{'0' * 64}\n    # via something\n" for line in lines)
    (folder / "requirements.lock").write_text(text)


def test_packages_against_the_lock(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "ROOT", tmp_path)
    assert_says(doctor.check_packages(), "warning", "no requirements.lock")
    here = f"psutil=={psutil.__version__}"
    lock(tmp_path, here, "no-such-package==1.0 ; python_version < '3'")
    assert_says(doctor.check_packages(), "ok", "all 1 packages")
    lock(tmp_path, here, "no-such-package==1.0 ; python_version >= '3'")
    assert_says(doctor.check_packages(), "failure", "of 2 packages, 1 missing: no-such-package", "--require-hashes")
    lock(tmp_path, "psutil==0.1", "no-such-package==1.0", "none-such[extra]==2")
    found = f"2 missing: no-such-package, none-such; 1 other: psutil {psutil.__version__} (expected 0.1)"
    assert_says(doctor.check_packages(), "failure", found)
    monkeypatch.setitem(sys.modules, "packaging.requirements", None)
    assert_says(doctor.check_packages(), "failure", "packaging is missing", "make setup")


def test_every_line_of_the_lock_is_read(monkeypatch):
    """Without a single package, all that the lock wants on this machine is missing."""
    monkeypatch.setattr(doctor.importlib.metadata, "version", lambda name: "0.0.dev0")
    n_locked = (ROOT / "requirements.lock").read_text().count("==")
    n_other = int(doctor.check_packages().found.split()[1])
    assert 0.8 * n_locked < n_other <= n_locked


@pytest.fixture
def study(whole, tmp_path, monkeypatch):
    """A copy of a whole small study, which may be broken; `$COURSE_DATA` points to it."""
    root = tmp_path / "data" / "simulated"
    shutil.copytree(whole, root)
    monkeypatch.setenv("COURSE_DATA", str(root.parent))
    return root


def write_request(root, **request):
    manifest = json.loads((root / "manifest.json").read_text())
    (root / "manifest.json").write_text(json.dumps({**manifest, "request": request}))


def test_whole_study(study):
    assert_says(doctor.check_data(), "warning", "profile quick", "unset COURSE_DATA")
    write_request(study, profile="course", parameters={})
    assert_says(doctor.check_data(), "ok", str(study), "right sizes")
    assert_says(doctor.check_data(deep=True), "ok", "byte for byte")
    write_request(study, profile="course", parameters={"motion": {"fd_sd": 1}})
    assert_says(doctor.check_data(), "warning", "fd_sd")


def test_half_a_study(study):
    """Files that are missing, cut off or changed are named, the last only by reading every byte."""
    table, image = (sorted(study.rglob(pattern)) for pattern in ("*_timeseries.tsv", "*_bold.nii.gz"))
    write_request(study, profile="course")
    content = bytearray(image[0].read_bytes())
    content[-1] ^= 1
    image[0].write_bytes(content)
    assert_says(doctor.check_data(), "ok")
    assert_says(doctor.check_data(deep=True), "failure", image[0].name, "SHA-256", "data_scripts simulate")
    table[0].unlink()
    image[1].write_bytes(b"cut")
    assert_says(doctor.check_data(), "failure", "2 of ", f"{table[0].name}: missing", "has 3 bytes")


def test_no_study_and_foreign_folders(study, tmp_path, monkeypatch):
    (study / "manifest.json").write_text("{}")
    assert_says(doctor.check_data(), "failure", "manifest.json is damaged", "make the study again")
    (study / "manifest.json").unlink()
    assert_says(doctor.check_data(), "failure", "manifest.json is not there", "make data")
    foreign = tmp_path / "foreign"
    (foreign / "simulated").mkdir(parents=True)
    (foreign / "simulated" / "holiday.jpg").write_text("x")
    for folder, word in ((foreign, "dataset_description.json is not there"), (tmp_path / "nowhere", "no such folder")):
        monkeypatch.setenv("COURSE_DATA", str(folder))
        assert_says(doctor.check_data(), "failure", folder.name, word, "python -m data_scripts simulate")


def test_disk(study, monkeypatch, tmp_path):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: usage(9 * GB, 8 * GB, GB))
    assert_says(doctor.check_disk(), "ok", f"1.0 GB free at {tempfile.gettempdir()},", "0.5 GB needed")
    monkeypatch.setattr(doctor, "SPARE_GB", 1.1)  # where the data lie does not matter once they are there
    assert_says(doctor.check_disk(), "failure", f"free at {tempfile.gettempdir()},", "1.1 GB needed", "TMPDIR")
    monkeypatch.setattr(doctor, "SPARE_GB", 0.5)
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "nowhere" / "yet"))
    assert_says(doctor.check_disk(), "failure", f"free at {tmp_path},", "2.0 GB needed", "COURSE_DATA")


def test_memory(monkeypatch, tmp_path):
    needed = doctor.most_memory()
    assert needed > 0.5, "read from the boxes of the notebooks"

    def machine(total, free, limit=None):
        memory = SimpleNamespace(total=total * GB, available=free * GB)
        monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
        monkeypatch.setattr(doctor, "_container_limit", lambda: limit)
        return doctor.check_memory()

    assert_says(machine(16, 8), "ok", "16.0 GB, of which 8.0 free", f"takes {needed:.1f}")
    assert_says(machine(16, needed / 2), "warning", "close other programs")
    assert_says(machine(needed / 2, needed / 2), "failure", "more memory")
    assert_says(machine(16, 8, limit=needed / 2), "failure", f"{needed / 2:.1f} GB, of which")
    assert_says(machine(16, 8, limit=9e9), "ok", "16.0 GB"), "no limit is written as a very large one"
    monkeypatch.setattr(doctor, "ROOT", tmp_path)
    assert_says(doctor.check_memory(), "warning", "no notebooks")
    monkeypatch.setitem(sys.modules, "psutil", None)
    assert_says(doctor.check_memory(), "failure", "psutil is missing")


@pytest.fixture
def kernel(monkeypatch):
    """Replace the kernel's specification, and what is run in it."""

    def replace(argv, probe):
        spec = KernelSpec(argv=argv, resource_dir="the/folder")
        monkeypatch.setattr(KernelSpecManager, "get_kernel_spec", lambda self, name: spec)
        monkeypatch.setattr(doctor, "PROBE", probe)
        return doctor.check_kernel()

    return replace


SAYS = "import json; print('noise'); print(json.dumps({'prefix': %r, 'course': %r}))"


def test_kernel_that_works():
    """The true probe in the true kernel: what the notebooks import, in a folder that is not the course's."""
    assert_says(doctor.check_kernel(), "ok")


def test_kernel_that_does_not(kernel, monkeypatch, tmp_path):
    program, course = sys.executable, str(ROOT / "course_utils/__init__.py")
    assert_says(kernel([program], SAYS % (sys.prefix, course)), "ok")
    assert_says(kernel([program], SAYS % ("/other", course)), "failure", "runs in /other", "remove the folder the/f")
    other = str(tmp_path / "course_utils/__init__.py")
    assert_says(kernel(["python"], SAYS % (sys.prefix, other)), "failure", f"the course in {tmp_path}", "install")
    shutil.copytree(ROOT / "course_utils", tmp_path / "course_utils")  # another copy, the same code: as on a hub
    assert_says(kernel([program], SAYS % (sys.prefix, other)), "ok")
    assert_says(kernel([program], "import no_such_package"), "failure", "no_such_package", "make setup")
    broken = "raise ModuleNotFoundError(\"No module named 'course_utils'\")"
    assert_says(kernel([program], broken), "failure", "course_utils", "install --no-deps")
    gone = str(tmp_path / "gone/python")
    assert_says(kernel([gone], ""), "failure", f"cannot start {gone}", "remove the folder")
    monkeypatch.setattr(doctor, "KERNEL_SECONDS", 0.2)
    assert_says(kernel([program], "import time; time.sleep(9)"), "failure", "more than 0.2 s")

    def none(self, name):
        raise NoSuchKernel(name)

    monkeypatch.setattr(KernelSpecManager, "get_kernel_spec", none)
    assert_says(doctor.check_kernel(), "failure", "no kernel named python3")
    monkeypatch.setitem(sys.modules, "jupyter_client.kernelspec", None)
    assert_says(doctor.check_kernel(), "failure", "jupyter_client is missing")


def test_browser(monkeypatch):
    monkeypatch.setattr(webbrowser, "get", lambda: SimpleNamespace(name="lynx"))
    assert_says(doctor.check_browser(), "ok", "lynx")

    def none():
        raise webbrowser.Error

    monkeypatch.setattr(webbrowser, "get", none)
    assert_says(doctor.check_browser(), "warning", "copy the address")


def test_check_that_breaks_does_not_end_the_others(monkeypatch, capsys):
    """Exit code 1, a sentence for the check that broke, and all others made."""
    fine = doctor.Finding("any", "ok", "fine")
    for name in ("python", "packages", "disk", "memory", "kernel", "browser"):
        monkeypatch.setattr(doctor, f"check_{name}", lambda: fine)

    def broken(deep):
        raise ZeroDivisionError("planted")

    monkeypatch.setattr(doctor, "check_data", broken)
    assert __main__.main(["doctor"]) == 1
    said = capsys.readouterr().out
    assert "failure   data      the check itself ended with ZeroDivisionError: planted.\n" in said
    assert said.count("ok ") == 6
    assert said.endswith("1 of 7 checks failed.\n")
    monkeypatch.setattr(doctor, "check_data", lambda deep: doctor.Finding("data", "warning", "x", f"deep is {deep}"))
    assert __main__.main(["doctor", "--deep"]) == 0, "a warning keeps nobody from working"
    assert "What to do: deep is True.\n" in (said := capsys.readouterr().out)
    assert said.endswith("Ready.\n")


def test_doctor_works_without_any_package():
    """As after a set-up that failed: bare Python, in the course's folder."""
    command = [sys.executable, "-S", "-E", "-m", "course_utils", "doctor", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (1, "")
    states = {finding["check"]: finding for finding in json.loads(done.stdout)}
    assert list(states) == ["python", "packages", "data", "disk", "memory", "kernel", "browser"]
    for name in ("packages", "data", "memory", "kernel"):
        assert states[name]["state"] == "failure"
        assert "make setup" in states[name]["fix"]
