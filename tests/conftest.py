"""What several test modules need: a simulated study, made once a run, and a cache folder that is not the user's."""

import os
import shutil
from pathlib import Path

import pytest
from filelock import FileLock
from small_study import make

from course_utils.dataset import open_study
from data_scripts.study import simulate_study


def pytest_collection_modifyitems(config, items):
    """Leave benchmarks out unless they are asked for: they take minutes, and other work disturbs them."""
    if "benchmark" not in config.option.markexpr:
        for item in items:
            if item.get_closest_marker("benchmark"):
                item.add_marker(pytest.mark.skip(reason="benchmarks run with -m benchmark"))


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory):
    """Folder of this test run, the same for all workers of pytest-xdist."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base


@pytest.fixture(scope="session", autouse=True)
def private_cache(shared_folder):
    """Keep caches, such as pybids' index, out of the user's home."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(shared_folder / "cache"))
        yield


@pytest.fixture(scope="session")
def quick_study(shared_folder, private_cache):
    """Simulate the quick profile, once a run; `$COURSE_DATA` points to it as long as the tests run.

    Yields
    ------
    Study
        Do not write into its folder: other tests use it too.
    """
    data = shared_folder / "course_data"
    with FileLock(shared_folder / "course_data.lock"):
        simulate_study(data / "simulated", profile="quick", jobs=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_DATA", str(data))
        yield open_study("simulated")


@pytest.fixture
def own_progress(tmp_path, monkeypatch):
    """Keep the record of whoever runs the tests as it is."""
    monkeypatch.setenv("COURSE_PROGRESS", str(tmp_path / "progress.json"))


@pytest.fixture
def reply(capsys, own_progress):
    """Check an answer on the example and give back what is printed, on one line."""

    def _reply(exercise, answer):
        exercise.check(answer, **exercise.example_inputs())
        return " ".join(capsys.readouterr().out.split())

    return _reply


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
    """A small stand-in for a study, made without interruption; nobody writes to it."""
    out = tmp_path_factory.mktemp("whole") / "simulated"
    make(out)
    return out


@pytest.fixture(scope="session")
def browser():
    """Start a headless Chromium, for what is looked at as a person would.

    Yields
    ------
    playwright.sync_api.Browser
        Without Chromium the test is skipped, or fails if `$COURSE_BROWSER` is "required".
    """
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        reason = "Chromium was not found: install it (on Debian and Ubuntu: apt install chromium) to run these tests."
        if os.environ.get("COURSE_BROWSER") == "required":
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-background-networking"]
        chromium = playwright.chromium.launch(executable_path=path, args=options)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def site():
    """The built site, in `$COURSE_SITE` or where `make book` puts it."""
    folder = Path(os.environ.get("COURSE_SITE", Path(__file__).resolve().parents[1] / "_build/html")).resolve()
    if not (folder / "index.html").is_file():
        pytest.fail(f"There is no built site in {folder}: run `make site`.")
    return folder


@pytest.fixture(scope="session")
def address(site):
    """Where the built site is served, without a slash at its end."""
    from site_browser import serve

    with serve(site) as address:
        yield address
