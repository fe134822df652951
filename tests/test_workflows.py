"""The workflows of the public host: what they run, what they may do, and what they must never be given."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
PATHS = sorted((ROOT / ".github/workflows").glob("*.yml"))
WORKFLOWS = {path.stem: yaml.load(path.read_text(), yaml.BaseLoader) for path in PATHS}  # `on` stays a word
JOBS = {f"{name}/{job}": content for name, flow in WORKFLOWS.items() for job, content in flow["jobs"].items()}
PINNED = re.compile(r"^\s*(?:- )?uses: [\w-]+/[\w-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+$")
# what a job may do beside reading, and why
MAY_WRITE = {
    "publish/deploy": {"pages": "write", "id-token": "write"},  # puts the site on the host, and proves from where
    "weekly/report": {"issues": "write"},  # opens the issue
}
every_job = pytest.mark.parametrize("name", JOBS)


def steps(job, key):
    """All values of one key in a job's steps."""
    return [step[key] for step in job["steps"] if key in step]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_actions_are_pinned(path):
    """Each action is named by the whole hash of a commit, with its version beside it."""
    used = [line for line in path.read_text().splitlines() if "uses:" in line]
    assert used
    assert [line for line in used if not PINNED.match(line)] == []


@pytest.mark.parametrize("name", WORKFLOWS)
def test_workflows_may_only_read(name):
    """A workflow as a whole reads the repository, and nothing else."""
    assert WORKFLOWS[name]["permissions"] == {"contents": "read"}


@every_job
def test_jobs_may_write_only_what_they_must(name):
    assert JOBS[name].get("permissions") == MAY_WRITE.get(name)


@every_job
def test_jobs_end_and_keep_no_credentials(name):
    """Each job has a limit of time, and none leaves the token in the checkout."""
    job = JOBS[name]
    assert int(job["timeout-minutes"]) <= 90
    checkouts = [step for step in job["steps"] if "actions/checkout@" in step.get("uses", "")]
    assert all(step["with"]["persist-credentials"] == "false" for step in checkouts)


def test_no_secret_reaches_a_pull_request():
    """No workflow uses secrets; what a pull request starts has no token either, and runs nothing that it names."""
    for path in PATHS:
        text, events = path.read_text(), WORKFLOWS[path.stem]["on"]
        assert "pull_request_target" not in text
        assert not re.search(r"\bsecrets\b", text)
        if "pull_request" in events:
            assert "github.token" not in text
            assert "GITHUB_TOKEN" not in text
    for job in JOBS.values():
        # text that others write must never become part of a command
        assert not any("${{" in command for command in steps(job, "run"))


def test_every_system_and_python_is_tested():
    """The book on Linux, the package on macOS and Windows too, each with every Python that the course promises."""
    jobs = WORKFLOWS["test"]["jobs"]
    pythons = ["3.11", "3.12", "3.13"]
    assert jobs["book"]["runs-on"] == "ubuntu-latest"
    assert jobs["book"]["strategy"]["matrix"] == {"python": pythons}
    assert "bash .ci/run" in steps(jobs["book"], "run")
    assert jobs["package"]["strategy"]["matrix"] == {"system": ["macos-latest", "windows-latest"], "python": pythons}
    assert any("pytest" in command for command in steps(jobs["package"], "run"))
    assert set(WORKFLOWS["test"]["on"]) == {"push", "pull_request"}
    assert all("paths" not in (event or {}) for event in WORKFLOWS["test"]["on"].values())


def test_only_a_green_build_is_published():
    """The site is built from the commit of main that passed, and only after it was seen that every notebook ran."""
    flow = WORKFLOWS["publish"]
    assert flow["on"] == {"workflow_run": {"workflows": ["Test"], "types": ["completed"], "branches": ["main"]}}
    build = flow["jobs"]["build"]
    assert WORKFLOWS["test"]["name"] == "Test"
    for condition in ("workflow_run.conclusion == 'success'", "workflow_run.event == 'push'"):
        assert condition in build["if"]
    assert build["steps"][0]["with"]["ref"] == "${{ github.event.workflow_run.head_sha }}"
    assert flow["jobs"]["deploy"]["needs"] == "build"
    name = re.search(r"-k (\w+) (tests/\w+\.py)", " ".join(steps(build, "run")))
    assert f"def test_{name[1]}(" in (ROOT / name[2]).read_text()


def test_newest_releases_and_links_are_tried_weekly():
    """Once a week the lock is renewed and links are followed; when something fails, an issue is opened."""
    flow = WORKFLOWS["weekly"]
    assert len(flow["on"]["schedule"]) == 1
    assert flow["on"]["schedule"][0]["cron"].split()[2:4] == ["*", "*"]
    assert flow["on"]["schedule"][0]["cron"].split()[4] in "0123456"
    newest = steps(flow["jobs"]["newest"], "run")
    assert newest.index("make lock") < newest.index("bash .ci/run")
    assert "make links" in steps(flow["jobs"]["links"], "run")
    report = flow["jobs"]["report"]
    assert set(report["needs"]) == set(flow["jobs"]) - {"report"}
    assert report["if"] == "failure()"
    assert "gh issue create" in steps(report, "run")[0]
