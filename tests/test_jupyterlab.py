"""A learner in JupyterLab: run everything, give a wrong answer, give the right one, read the replies (make site)."""

import json
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest

pytestmark = pytest.mark.site
ROOT = Path(__file__).resolve().parents[1]
TOKEN = "course-test"


def ask(address, what):
    """Get an answer of the server's REST interface."""
    with urllib.request.urlopen(f"{address}/api/{what}?token={TOKEN}", timeout=10) as answer:
        return json.load(answer)


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """JupyterLab on a copy of the episodes, with settings, workspaces and progress of its own."""
    home = tmp_path_factory.mktemp("lab")
    shutil.copytree(ROOT / "book", home / "book", ignore=shutil.ignore_patterns("_*"))
    settings = home / "settings/@jupyterlab/notebook-extension/tracker.jupyterlab-settings"
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps({"windowingMode": "none"}))  # keep every cell in the page, so that it can be read
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {
        "COURSE_DATA": os.environ.get("COURSE_DATA", str(ROOT / "data")),
        "COURSE_PROGRESS": str(home / "progress.json"),
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
    }
    options = [f"--port={port}", f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={home / 'book'}"]
    quiet = [
        "--no-browser",
        "--allow-root",
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    log = (home / "log.txt").open("w")
    server = subprocess.Popen(["jupyter", "lab", *quiet, *options], env=environment, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    for _ in range(240):
        try:
            ask(address, "status")
            break
        except OSError:
            time.sleep(0.5)
    else:
        server.kill()
        pytest.fail(f"JupyterLab did not start:\n{(home / 'log.txt').read_text()[-2000:]}")
    yield address
    server.terminate()
    server.wait(timeout=30)
    log.close()


def wait_until_idle(page, address):
    """Wait until every kernel has had nothing to do for two seconds."""
    idle = 0
    for _ in range(600):
        kernels = ask(address, "kernels")
        resting = kernels and all(kernel["execution_state"] == "idle" for kernel in kernels)
        idle = idle + 1 if resting else 0
        if idle >= 4:
            return
        page.wait_for_timeout(500)
    pytest.fail("The kernel did not come to rest in five minutes.")


def answer(page, address, cell, text):
    """Write a new text into an exercise's cell, run it, and return the cell's output."""
    cell.locator(".cm-content").first.click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(text)
    page.keyboard.press("Control+Enter")
    page.wait_for_timeout(500)
    wait_until_idle(page, address)
    return cell.locator(".jp-OutputArea-output").last.inner_text().strip()


@pytest.mark.parametrize(
    ("notebook", "exercise"),
    [
        ("02_exploring_bids", "repetition_time"),
        ("04_image_maths", "head_without_brain"),
        ("08_functional_connectivity", "mean_edge"),
    ],
)
def test_learner_reads_each_outcome(browser, lab, notebook, exercise):
    """Run all: no cell fails. Then one exercise: not attempted, wrong, nonsense, right."""
    page = browser.new_context(viewport={"width": 1400, "height": 1000}).new_page()
    page.goto(f"{lab}/lab/tree/{notebook}.ipynb?reset&token={TOKEN}")
    page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=90_000)
    page.wait_for_function("/Idle/.test(document.querySelector('#jp-main-statusbar')?.innerText || '')", timeout=60_000)
    page.wait_for_timeout(1500)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    page.wait_for_timeout(1500)
    wait_until_idle(page, lab)
    assert page.locator(".jp-Notebook [data-mime-type='application/vnd.jupyter.error']").count() == 0
    assert page.locator(".jp-Notebook [data-mime-type='application/vnd.jupyter.stderr']").count() == 0

    cell = page.locator(".jp-CodeCell", has=page.locator(".cm-content", has_text=f"ex.{exercise}.check(")).first
    stub = cell.locator(".cm-content").first.inner_text()
    assert cell.locator(".jp-OutputArea-output").last.inner_text().strip().startswith("Not attempted yet")
    name = re.search(r"^(\w+) = \.\.\.", stub, flags=re.M)[1]
    call = re.search(rf"ex\.{exercise}\.check\(\w+(?:, )?(.*)\)", stub)[1]
    for wrong in ("2000", "'two'", "lambda: 1 / 0"):
        said = answer(page, lab, cell, re.sub(r"= \.\.\.", f"= {wrong}", stub))
        assert said.startswith("Not yet"), said
        assert "Traceback" not in said
    right = f"{name} = ex.{exercise}.solve({call})\n" + re.sub(r"^\w+ = \.\.\.\n", "", stub, flags=re.M)
    assert answer(page, lab, cell, right).startswith("Correct")
    page.context.close()
