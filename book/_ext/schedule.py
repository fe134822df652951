"""Adds up the clock of a workshop day from the minutes in the episodes' boxes.

The boxes hold minutes for a whole episode. Its sections share the minutes of
teaching equally, and its exercises those of the exercises.
"""

import json
import math
import re
import tomllib
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

BOOK = Path(__file__).resolve().parents[1]
TIME = re.compile(r"\*\*Time\*\*: (\d+) min teaching, (\d+) min exercises")
HEADING = re.compile(r"^(#{2,3}) (.+?)\s*$", re.M)
FENCE = re.compile(r"^(```+|~~~+).*?^\1", re.M | re.S)
NOT_TAUGHT = ("Key points", "Where to go from here")
ROUND = 5  # minutes


@dataclass(frozen=True)
class Plan:
    """What an episode's notebook says of its time and its sections.

    Attributes
    ----------
    title : str
        Of the episode.
    teaching, exercising : int
        Minutes of the whole episode.
    sections : dict of str to tuple of str
        Heading of level 2 -> its headings of exercises.
    """

    title: str
    teaching: int
    exercising: int
    sections: dict

    @property
    def exercises(self):
        """All headings of exercises, in order."""
        return [name for names in self.sections.values() for name in names]

    def minutes(self, skip=()):
        """Minutes of the episode without some of its sections and exercises.

        Parameters
        ----------
        skip : sequence of str
            Headings; a section takes its exercises with it.

        Returns
        -------
        int
            Rounded up to five minutes.

        Raises
        ------
        ValueError
            A heading is not in the notebook.
        """
        unknown = set(skip) - {*self.sections, *self.exercises}
        if unknown:
            raise ValueError(
                f"Episode {self.title!r} has no heading {sorted(unknown)}: "
                f"correct schedule.toml. It has {list(self.sections)} and "
                f"{self.exercises}."
            )
        kept = {k: v for k, v in self.sections.items() if k not in skip}
        done = [e for names in kept.values() for e in names if e not in skip]
        total = self.teaching * len(kept) / len(self.sections)
        total += self.exercising * len(done) / len(self.exercises)
        return ROUND * math.ceil(round(total / ROUND, 6))


def read_plan(path):
    """Read the minutes and headings of a notebook.

    Parameters
    ----------
    path : path
        The notebook.

    Returns
    -------
    Plan
        Without the closing sections, which are not taught.

    Raises
    ------
    ValueError
        The first box does not tell the minutes.
    """
    cells = json.loads(Path(path).read_text(encoding="utf-8"))["cells"]
    text = "\n\n".join(
        "".join(c["source"]) for c in cells if c["cell_type"] == "markdown"
    )
    time = TIME.search(text)
    if time is None:
        raise ValueError(
            f"{path} has no line '- **Time**: 40 min teaching, 25 min "
            "exercises' in its first box: add it."
        )
    sections, names = {}, None
    for level, name in HEADING.findall(FENCE.sub("", text)):
        if level == "##":
            names = sections.setdefault(name, [])
        elif name.startswith("Exercise: "):
            names.append(name)
    taught = {
        k: tuple(v) for k, v in sections.items() if k not in NOT_TAUGHT
    }
    title = re.search(r"^# (.+)$", text, re.M)[1]
    return Plan(title, int(time[1]), int(time[2]), taught)


def read_days():
    """Read the days of schedule.toml: name -> starts, ends_by, part."""
    path = BOOK / "_tables/schedule.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))


def episode_path(number):
    """Find the notebook of an episode, such as "05"."""
    (path,) = BOOK.glob(f"{number}_*.ipynb")
    return path


def timed(day):
    """Give each part of a day its clock times.

    Parameters
    ----------
    day : dict
        One day of schedule.toml.

    Yields
    ------
    start, end : datetime
        Only their time of day means something.
    part : dict
        As in the table.
    """
    start = datetime.strptime(day["starts"], "%H:%M")
    for part in day["part"]:
        minutes = part.get("minutes")
        if "episode" in part:
            plan = read_plan(episode_path(part["episode"]))
            minutes = plan.minutes(part.get("skip", ()))
        end = start + timedelta(minutes=minutes)
        yield start, end, part
        start = end
