"""The three replies of a check, and how they are printed.

A reply is plain printed text: the one form that a terminal, JupyterLab, the built page and a screen reader all show
alike, in light and dark, and that a test can read in each of them.
"""

import contextlib
import sys
import textwrap

from course_utils.exercises._describe import shorten

NOT_ATTEMPTED = "Not attempted yet"
CORRECT = "Correct"
NOT_YET = "Not yet"
LONGEST_PART = 200  # characters of each part of a reply
WIDTH = 76  # characters of a printed line: what fits beside the navigation of the built page


def wrap(text, indent=""):
    """Break a text where it is longer than the page is wide.

    Parameters
    ----------
    text : str
        One paragraph.
    indent : str
        What all lines but the first begin with.

    Returns
    -------
    str
        Lines of at most 88 characters; a longer word stays whole.
    """
    return textwrap.fill(text, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def not_yet(found, expected, problem, reason, hint):
    """Write the reply to an answer that is not right.

    Parameters
    ----------
    found : str
        What kind of thing the answer is.
    expected : str or None
        What kind of thing is asked for; None if the answer could not be judged.
    problem : str
        What differs.
    reason : str or None
        The message of the known mistake that gives the same answer, if there is one.
    hint : str
        How to ask for a hint; shown if there is no reason.

    Returns
    -------
    str
        One part a line, each of limited length.
    """
    parts = [f"{NOT_YET}. Found: {sentence(found)}"]
    if expected:
        parts.append(f"Expected: {sentence(expected)}")
    parts.append(f"What differs: {sentence(problem)}")
    parts.append(f"Likely reason: {reason}" if reason else f"A hint: {hint}")
    return "\n".join(parts)


def sentence(text):
    """Bring one part of a reply to its form: one line of limited length, with one mark at its end.

    Parameters
    ----------
    text : str
        With or without a mark at its end.

    Returns
    -------
    str
        At most 200 characters and the mark.
    """
    line = shorten(text, LONGEST_PART)
    return line if line.endswith(("?", "!", "...")) else line.rstrip(".") + "."


def say(text):
    """Print paragraphs, each wrapped; characters that the terminal cannot show are written as codes.

    Parameters
    ----------
    text : str
        One paragraph a line.
    """
    text = "\n".join(wrap(line) for line in text.split("\n"))
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    with contextlib.suppress(OSError, ValueError):  # where nothing can be printed any more, there is nothing to say
        print(text.encode(encoding, "backslashreplace").decode(encoding))
