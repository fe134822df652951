"""Which exercises this learner has solved, in one small file on this machine."""

import datetime
import json
import os
import re
from pathlib import Path

import platformdirs
from filelock import FileLock, Timeout

LOCK_SECONDS = 5  # how long to wait for another notebook that is writing
# RuntimeError: filelock on network folders that cannot lock (NotImplementedError), pathlib where no home is known
CANNOT_WRITE = (OSError, Timeout, RuntimeError)


def progress_path():
    """Find the file that holds the record.

    Returns
    -------
    Path
        `$COURSE_PROGRESS` if it is set, otherwise a file in the user's data folder.
    """
    chosen = os.environ.get("COURSE_PROGRESS")
    return Path(chosen).expanduser() if chosen else Path(platformdirs.user_data_path("course_utils"), "progress.json")


def record(exercise_id, outcome):
    """Write down how a check of one exercise ended. What was solved once stays solved.

    Parameters
    ----------
    exercise_id : str
        Such as "ep05.fifth_volume".
    outcome : {"correct", "not yet"}
        How the check ended.

    Returns
    -------
    str or None
        None if it was written down as usual, otherwise a sentence for the learner: the record could not be written, or
        an old one was damaged. Nothing is raised: a check must not fail for its book-keeping.

    Raises
    ------
    ValueError
        If the outcome is another word.
    """
    if outcome not in ("correct", "not yet"):
        raise ValueError(f"outcome is {outcome!r}; expected 'correct' or 'not yet'.")
    try:
        path = progress_path()
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_name(path.name + ".lock"), timeout=LOCK_SECONDS):
            entries, note = _read(path, rescue=True)
            entry = entries.setdefault(exercise_id, {"attempts": 0, "solved": None})
            if entry["solved"] is None:
                entry["attempts"] += 1
                entry["solved"] = datetime.date.today().isoformat() if outcome == "correct" else None
                _write(path, entries)
    except CANNOT_WRITE as error:
        return (
            f"Your progress was not written down ({type(error).__name__}: {error}). The check itself is not affected."
        )
    return note


def solved():
    """List the exercises that this learner has solved.

    Returns
    -------
    list of str
        Their ids, sorted. Empty if there is no record, or none that can be read.
    """
    return sorted(name for name, entry in _read(progress_path())[0].items() if entry["solved"])


def show(exercise_ids=()):
    """Print a table of what was solved and what was tried, one line an episode.

    Parameters
    ----------
    exercise_ids : iterable of str
        All exercises of the course, to see the open ones too; `course_utils.exercises.show_progress` passes them.
        Without it only the exercises that were tried at least once are known.
    """
    path = progress_path()
    entries, note = _read(path)
    episodes = {}
    for name in sorted({*exercise_ids, *entries}):
        episode, _, exercise = name.rpartition(".")
        state = "open" if name not in entries else "solved" if entries[name]["solved"] else "tried"
        episodes.setdefault(episode, {"solved": [], "tried": [], "open": []})[state].append(exercise)
    if note:
        print(note)
    if not episodes:
        print("No exercise has been tried yet.")
    for episode, states in episodes.items():
        n_exercises = sum(len(names) for names in states.values())
        details = "; ".join(f"{state}: {', '.join(names)}" for state, names in states.items() if names)
        number = re.fullmatch(r"ep(\d+)", episode)
        title = f"Episode {number[1]}" if number else episode
        print(f"{title}: {len(states['solved'])} of {n_exercises} solved ({details})")
    print(f"The record is in {path}")


def reset():
    """Forget everything that was solved or tried.

    Raises
    ------
    OSError
        If the file is there and cannot be removed.
    """
    path = progress_path()
    if path.exists():
        with FileLock(path.with_name(path.name + ".lock"), timeout=LOCK_SECONDS):
            path.unlink(missing_ok=True)
    print("The record is empty.")


def _read(path, rescue=False):
    """Read the record: entries by id, and a sentence if the file is damaged. `rescue` moves a damaged file aside."""
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))["exercises"]
        if not all(_is_entry(entry) for entry in entries.values()):
            raise ValueError
    except FileNotFoundError:
        return {}, None
    except OSError as error:
        if rescue:
            raise
        return {}, f"The record of your progress at {path} cannot be read ({type(error).__name__})."
    except (ValueError, KeyError, TypeError, AttributeError):
        if not rescue:
            return {}, f"The record of your progress at {path} is damaged and cannot be read."
        taken = len(list(path.parent.glob(f"{path.stem}.damaged-*{path.suffix}")))
        aside = path.with_name(f"{path.stem}.damaged-{taken + 1}{path.suffix}")
        path.replace(aside)
        return {}, f"The record of your progress was damaged. A new one was begun; the old file is kept as {aside}."
    return entries, None


def _is_entry(entry):
    """Tell whether one entry of the record has the form in which we write it."""
    return isinstance(entry["attempts"], int) and (entry["solved"] is None or isinstance(entry["solved"], str))


def _write(path, entries):
    """Write the record whole or not at all: into a new file, which then takes the place of the old one."""
    new = path.with_name(path.name + ".new")
    with new.open("w", encoding="utf-8") as file:
        json.dump({"version": 1, "exercises": entries}, file, indent=1, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, path)
