"""What is promised about building the book again: `make benchmarks`, after `make site`."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.benchmark
ROOT = Path(__file__).resolve().parents[2]
BUILD = (Path(sys.executable).with_name("jupyter-book"), "build", ".", "-W", "-n", "--path-output", "_build/clean")


def build_seconds():
    """Build the book where `make site` builds it, with its environment."""
    warnings = "error::DeprecationWarning:__main__,error::FutureWarning:__main__"
    start = time.perf_counter()
    subprocess.run(BUILD, cwd=ROOT, env=os.environ | {"PYTHONWARNINGS": warnings}, check=True, capture_output=True)
    return time.perf_counter() - start


def test_build_of_an_unchanged_book_takes_seconds():
    """When nothing changed, the whole book is built again in less than 15 seconds."""
    first, second = build_seconds(), build_seconds()  # the first may have to run notebooks
    print(f"\nbuilding the book: {first:.0f} s, and again with nothing changed: {second:.1f} s")
    assert second < 15
