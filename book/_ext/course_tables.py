"""Directives that write parts of pages from tables and from the exercises.

So these pages cannot drift from what the tests check.
"""

import importlib
import inspect
import re
import tomllib
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList
from schedule import episode_path, read_days, read_plan, timed

from course_utils.exercises import all_exercises

BOOK = Path(__file__).resolve().parents[1]


def episode_page(number):
    """Name the notebook of an episode: "05" -> "05_functional_data"."""
    (path,) = BOOK.glob(f"{number}_*.ipynb")
    return path.stem


def write_errors(section):
    """Write one section of errors.toml: what is seen, what it means, what to do."""
    for row in tomllib.loads(
        (BOOK / "_tables/errors.toml").read_text(encoding="utf-8")
    )[section]:
        seen = (
            f"{row['raises']}: {row['says']}"
            if "raises" in row
            else "no error, but a wrong result"
        )
        yield f"`` {seen.replace('...', '…')} ``"
        yield f": {row['means']}"
        yield ""
        yield f"  **What to do.** {row['fix']}"
        yield ""
        result = f" gives `{row['gives']}`" if "gives" in row else ""
        yield f"  *For example* `` {row['code']} ``{result}"
        yield ""


def write_changes(section):
    """Write one section of changes.toml: today's call, the old one, its end."""
    for row in tomllib.loads(
        (BOOK / "_tables/changes.toml").read_text(encoding="utf-8")
    )[section]:
        yield f"`` {row['new']} ``"
        yield f": before: `` {row['old']} `` (today `{row['fails']}`)"
        yield ""
        if row["note"]:
            yield f"  {row['note']}"
            yield ""


def write_exercises(section):
    """Write a list of all exercises, an episode a line."""
    for number, exercises in by_episode().items():
        yield f"[Episode {number}]({episode_page(number)}.ipynb)"
        yield f": {'; '.join(exercise.title for exercise in exercises)}"
        yield ""


def write_wrong_answers(section):
    """Write the known mistakes of one episode: what the learner reads."""
    for exercise in by_episode()[section]:
        yield exercise.title
        for wrong in exercise.wrong.values():
            yield f": {wrong.message}"  # written with the marks of Markdown
            yield ""


def write_schedule(section):
    """Write one day of schedule.toml with its clock times."""
    for start, end, part in timed(read_days()[section]):
        clock = f"{start:%H:%M} to {end:%H:%M}"
        if "pause" in part:
            yield f"{clock}: {part['pause']}"
            yield f": {part['minutes']} minutes"
            yield ""
            continue
        path = episode_path(part["episode"])
        title = f"{part['episode']} {read_plan(path).title}"
        yield f"{clock}: [{title}](../{path.name})"
        for label, key in (("Left out", "skip"), ("If late", "late")):
            names = "; ".join(f"*{name}*" for name in part.get(key, ()))
            yield f": {label}: {names or 'nothing'}"
            yield ""


def public_names(module):
    """The functions and classes that a module defines for others.

    Parameters
    ----------
    module : module
        Of `course_utils`.

    Yields
    ------
    str, function or class
        Its name and itself, in alphabetical order.
    """
    for name, value in inspect.getmembers(module):
        is_ours = getattr(value, "__module__", "") == module.__name__
        is_code = inspect.isroutine(value) or inspect.isclass(value)
        if is_ours and is_code and not name.startswith("_"):
            yield name, value


def write_api(section):
    """Write a list of all public names, a module at a time."""
    for path in sorted(BOOK.glob("api_*.md")):
        for name in re.findall(r"automodule:: (\S+)", path.read_text()):
            yield f"`{name.removeprefix('course_utils.')}`"
            found = public_names(importlib.import_module(name))
            links = [f"{{py:obj}}`{key} <{name}.{key}>`" for key, _ in found]
            yield f": {', '.join(links)}"
            yield ""


def by_episode():
    """Sort the exercises: number of the episode, such as "05" -> its exercises."""
    found = {}
    for exercise in all_exercises():
        found.setdefault(exercise.id[2:4], []).append(exercise)
    return found


class Written(Directive):
    """What one of the functions above writes, read as Markdown."""

    optional_arguments = 1
    writers = {  # noqa: RUF012 (docutils reads class attributes)
        "course-errors": write_errors,
        "course-changes": write_changes,
        "course-exercises": write_exercises,
        "course-wrong-answers": write_wrong_answers,
        "course-api": write_api,
        "course-schedule": write_schedule,
    }

    def run(self):
        """Write the lines and have them parsed."""
        sources = sorted(BOOK.glob("_tables/*.toml"))
        if self.name == "course-schedule":
            sources += sorted(BOOK.glob("*.ipynb"))
        for path in sources:
            self.state.document.settings.record_dependencies.add(str(path))
        lines = list(
            self.writers[self.name](
                self.arguments[0] if self.arguments else None
            )
        )
        container = nodes.container()
        self.state.nested_parse(
            StringList(lines, source=self.name),
            self.content_offset,
            container,
        )
        return [container]


def skip_aliases(app, what, name, value, skip, options):
    """Leave out the members of a named tuple: its docstring has them."""
    return skip or str(value.__doc__).startswith("Alias for field") or None


def add_style(app):
    """Let the site have the style sheet beside this file."""
    app.config.html_static_path.append(str(Path(__file__).parent / "static"))


def setup(app):
    """Register the directives and their style."""
    app.connect("builder-inited", add_style)
    app.connect("autodoc-skip-member", skip_aliases)
    app.add_css_file("course_tables.css")
    for name in Written.writers:
        app.add_directive(name, Written)
    return {
        "version": "1",
        "parallel_read_safe": True,
        "parallel_write_safe": True,
    }
