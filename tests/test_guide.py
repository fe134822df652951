"""The instructor guide: days that fit, headings and commands that exist, no episode forgotten."""

import json
import re
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "book/_ext"))

from schedule import episode_path, read_days, read_plan, timed  # noqa: E402

GUIDE = (ROOT / "book/instructors/guide.md").read_text(encoding="utf-8")
DAYS = read_days()
LONGEST = 90  # minutes without a break
PAUSES = ("Break", "Lunch")
HOLDS = {
    "one": {"01", "02", "05", "06", "07", "08", "09"},
    "two_first": {"01", "02", "03", "04", "05", "06", "07"},
    "two_second": {"08", "09", "10", "11"},
}


def stretches(day):
    """Minutes between one pause of a day and the next."""
    minutes = [0.0]
    for start, end, part in timed(day):
        if part.get("pause") in PAUSES:
            minutes.append(0.0)
        else:
            minutes[-1] += (end - start).total_seconds() / 60
    return minutes


def test_the_page_shows_every_day_of_the_table():
    assert re.findall(r"\{course-schedule\} (\w+)", GUIDE) == list(DAYS) == list(HOLDS)


@pytest.mark.parametrize("name", DAYS)
def test_a_day_ends_in_time(name):
    *_, (_, end, _) = timed(DAYS[name])
    assert end <= datetime.strptime(DAYS[name]["ends_by"], "%H:%M")


@pytest.mark.parametrize("name", DAYS)
def test_a_day_holds_its_episodes_in_order(name):
    episodes = [part["episode"] for part in DAYS[name]["part"] if "episode" in part]
    assert episodes == sorted(HOLDS[name])


@pytest.mark.parametrize("name", DAYS)
def test_a_day_has_lunch_and_no_long_stretch(name):
    assert [part.get("pause") for part in DAYS[name]["part"]].count("Lunch") == 1
    assert max(stretches(DAYS[name])) <= LONGEST


@pytest.mark.parametrize("name", DAYS)
def test_each_episode_has_a_cut_left_that_saves_time(name):
    for part in DAYS[name]["part"]:
        if "episode" in part:
            plan, skip = read_plan(episode_path(part["episode"])), part.get("skip", [])
            both = [*skip, *part["late"]]
            assert len(set(both)) == len(both), "cut twice"
            assert plan.minutes(both) < plan.minutes(skip)
            assert {*both} <= {*plan.sections, *plan.exercises}
            assert set(plan.exercises) - {*both}, "no exercise would be left"


def test_what_a_section_and_an_exercise_take_with_them(tmp_path):
    notebook = tmp_path / "01.ipynb"
    lines = ["# T", "- **Time**: 30 min teaching, 20 min exercises", "## A", "### Exercise: a", "## B"]
    lines += ["```\n## no heading\n```", "## C", "### Exercise: c", "## Key points"]
    cell = {"cell_type": "markdown", "source": ["\n\n".join(lines)]}
    notebook.write_text(json.dumps({"cells": [cell]}))
    plan = read_plan(notebook)
    assert plan.sections == {"A": ("Exercise: a",), "B": (), "C": ("Exercise: c",)}
    assert plan.minutes() == 50
    assert plan.minutes(["B"]) == 40
    assert plan.minutes(["Exercise: a"]) == 40
    assert plan.minutes(["A"]) == 30  # with its exercise
    assert plan.minutes(["A", "Exercise: a"]) == 30
    with pytest.raises(ValueError, match=r"no heading.*Key points"):
        plan.minutes(["Key points"])


def test_the_guide_speaks_of_every_episode():
    numbers = re.findall(r"^### (\d\d) (.+)$", GUIDE, re.M)
    assert [n for n, _ in numbers] == [path.name[:2] for path in sorted((ROOT / "book").glob("*.ipynb"))]
    assert all(title == read_plan(episode_path(n)).title for n, title in numbers)
    parts = re.split(r"^### \d\d .+$", GUIDE, flags=re.M)[1:]
    for part in parts:
        assert 2 <= len(re.findall(r"\?\n: ", part)) <= 3
        assert part.count("Where learners get stuck\n: ") == 1


def test_every_command_of_the_guide_exists():
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    targets = re.findall(r"`make (\w+)`", GUIDE)
    assert {"solved", "slides"} <= set(targets)
    assert set(targets) <= set(re.findall(r"^make (\w+)", listed, re.M))
    joined = GUIDE.replace("\\\n", " ")
    commands = re.findall(r"python -m (course_utils|data_scripts) (\w+)([^`\n]*)", joined)
    assert {name for _, name, _ in commands} == {"doctor", "verify", "pack", "unpack"}
    for module, name, rest in set(commands):
        run = subprocess.run(
            [sys.executable, "-m", module, name, "--help"], cwd=ROOT, capture_output=True, text=True, check=True
        )
        for option in re.findall(r"--[\w-]+", rest):
            assert option in run.stdout, f"{module} {name} has no {option}"
