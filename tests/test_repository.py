"""The files around the code agree with each other, and `make` tells what it lacks."""

import itertools
import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

import course_utils

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCK = (ROOT / "requirements.lock").read_text()
ENVIRONMENT = yaml.safe_load((ROOT / "environment.yml").read_text())


def locked():
    """Name -> versions in the lock (several where they differ by Python version)."""
    found = {}
    for name, version in re.findall(r"^([\w.\-]+)(?:\[[\w,\-]+\])?==([^ ;\\]+)", LOCK, flags=re.M):
        found.setdefault(canonicalize_name(name), []).append(version)
    return found


def test_lock_satisfies_every_requirement():
    """Each package that pyproject.toml asks for is locked, at versions that it admits."""
    wanted = [*PROJECT["dependencies"], *itertools.chain(*PROJECT["optional-dependencies"].values())]
    versions = locked()
    for requirement in map(Requirement, wanted):
        found = versions.get(canonicalize_name(requirement.name), [])
        assert found, f"{requirement.name} is not in requirements.lock: run `make lock`"
        assert all(requirement.specifier.contains(v, prereleases=True) for v in found), (
            f"{requirement}: locked at {found}"
        )


def test_lock_is_hashed_and_names_no_host():
    """Every locked package has hashes, and no address stands in the lock."""
    entries = re.split(r"\n(?=\S)", LOCK.strip())
    entries = [e for e in entries if not e.startswith("#")]
    assert len(entries) > 100
    assert [e.splitlines()[0] for e in entries if "--hash=sha256:" not in e] == []
    assert "://" not in LOCK


def test_lock_serves_every_python():
    """Packages whose versions fork by Python version cover the whole range that the course promises."""
    wanted = SpecifierSet(PROJECT["requires-python"])
    assert [v for v in ("3.10", "3.11", "3.12", "3.13", "3.14") if wanted.contains(v)] == ["3.11", "3.12", "3.13"]
    for line in re.findall(r"^numpy==.*", LOCK, flags=re.M):
        marker = Requirement(line.rstrip(" \\")).marker
        assert marker is not None
    markers = [Requirement(line.rstrip(" \\")).marker for line in re.findall(r"^numpy==.*", LOCK, flags=re.M)]
    for version in ("3.11", "3.12", "3.13"):
        environment = {"python_version": version, "python_full_version": f"{version}.0"}
        assert sum(m.evaluate(environment) for m in markers) == 1, f"numpy is locked not exactly once for {version}"


def test_environment_file_agrees():
    """conda's file has the Python range of pyproject.toml and takes its packages from the lock."""
    python = next(d for d in ENVIRONMENT["dependencies"] if isinstance(d, str) and d.startswith("python"))
    assert SpecifierSet(python.removeprefix("python")) == SpecifierSet(PROJECT["requires-python"])
    pip = next(d["pip"] for d in ENVIRONMENT["dependencies"] if isinstance(d, dict))
    assert pip == ["--require-hashes", "-r requirements.lock"]
    assert ENVIRONMENT["name"] == PROJECT["name"]


def test_versions_agree():
    """One version number everywhere."""
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == PROJECT["version"] == course_utils.__version__
    assert f"## {PROJECT['version']}" in (ROOT / "CHANGELOG.md").read_text()


def test_commands_of_the_pages_exist():
    """Each `make` command that the README and the pages name is one that the Makefile has."""
    texts = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("book/*.md")]
    named = set(re.findall(r"(?:`|^)make ([a-z]+)", "\n".join(t.read_text() for t in texts), flags=re.M))
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {"book", "test", "lab", "data", "clean", "help"} <= named
    assert named <= set(re.findall(r"^make (\w+)", listed, flags=re.M))


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        (None, "install Python 3.11, 3.12 or 3.13"),
        (
            'case "$*" in *version_info*) exit 1;; --version) echo Python 3.9.1;; esac',
            "needs Python 3.11, 3.12 or 3.13",
        ),
        ('case "$*" in *ensurepip*) exit 1;; esac', "apt install python3-venv"),
    ],
    ids=["no Python", "old Python", "no venv"],
)
def test_missing_prerequisite_gets_one_sentence(tmp_path, script, sentence):
    """Without Python, with one that is too old, or without venv, `make` says what to install and stops."""
    python = tmp_path / "python-of-this-test"
    if script is not None:
        python.write_text(f"#!/bin/sh\n{script}\n")
        python.chmod(0o755)
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    alone = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}  # as if typed by hand
    command = ["make", f"PYTHON={python}", "book"]
    done = subprocess.run(command, cwd=tmp_path, env=alone, capture_output=True, text=True, check=False)
    said = done.stdout.strip().splitlines()
    assert done.returncode != 0
    assert len(said) == 1
    assert sentence in said[0]
    assert not (tmp_path / ".venv").exists()


def test_repository_is_small_and_names_no_machine():
    """Tracked files stay under 20 MB together, and hold no path of one machine and no registry's host."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    files = [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]
    assert sum(path.stat().st_size for path in files) < 20e6
    hosts = "|".join(["pypi" + r"\.org", "pythonhosted" + r"\.org", "registry" + r"\.npmjs", r"deb\." + "debian"])
    homes = "|".join(["/" + name + "/" for name in ("root", "work")])
    for path in files:
        text = path.read_text(errors="replace")
        assert not re.search(hosts, text, flags=re.I), f"{path.relative_to(ROOT)} names a package registry"
        assert not re.search(rf"(?<![\w.}}/$])(?:{homes})", text), f"{path.relative_to(ROOT)} names a machine's path"
