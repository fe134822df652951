"""How strings, lists of names and lists of files are judged; see `_compare.py` for what a comparison is."""

import os
from collections import Counter
from dataclasses import dataclass

import numpy as np
import pandas as pd

from course_utils.exercises._comparison import Comparison
from course_utils.exercises._describe import describe, path_name, quote, shorten


@dataclass(frozen=True, kw_only=True)
class Text(Comparison):
    """Judge one string; spaces around it do not count.

    Attributes
    ----------
    case : bool
        Whether upper and lower case count.
    options : tuple of str
        The strings one may choose from, if they are known to the learner. Then brackets and full stops around one do
        not count either: "d)" is "d".
    path : bool
        Whether it names a file: then a path is accepted too, and its last part is judged.
    """

    case: bool = False
    options: tuple = ()
    path: bool = False

    def _handles(self, value):
        return isinstance(value, str) or (self.path and path_name(value) is not None)

    def _expects(self, expected):
        if self.options:
            return f"one of the strings {', '.join(quote(option) for option in self.options)}"
        return "one file: its path or its name" if self.path else "a string"

    def _normal(self, value):
        """Bring a string into the form in which it is compared."""
        text = (path_name(value) if self.path else value).strip()
        if self.options:
            text = text.strip(" ().,:;")
        return text if self.case else text.casefold()

    def _differs(self, answer, expected):
        if not self.handles(answer):
            return "it is not the path or name of a file." if self.path else "it is not a string."
        found, wanted = self._normal(answer), self._normal(expected)
        if found == wanted:
            return None
        if self.options:
            is_option = found in [self._normal(option) for option in self.options]
            return "it is not the best of the options." if is_option else "it is none of the options."
        if found.casefold() == wanted.casefold():
            return "only upper and lower case differ."
        return "it is another file." if self.path else "it is another string."


@dataclass(frozen=True, kw_only=True)
class Names(Comparison):
    """Judge a list of strings: names of columns, of regions, of subjects.

    Attributes
    ----------
    what : str
        What is named, in the plural.
    ordered : bool
        Whether their order counts.
    """

    what: str = "names"
    ordered: bool = False

    def _name(self, element):
        """Read one name; None if the element is none."""
        return element if isinstance(element, str) else None

    def _handles(self, value):
        known = list | tuple | set | frozenset | pd.Index | pd.Series | type({}.keys()) | type({}.values())
        if not isinstance(value, known) and not (isinstance(value, np.ndarray) and value.ndim == 1):
            return False
        return all(self._name(element) is not None for element in value)

    def _expects(self, expected):
        return f"a list of {self.what} ({'in order' if self.ordered else 'in any order'})"

    def _differs(self, answer, expected):
        if not self.handles(answer):
            return self._why_no_names(answer)
        found, wanted = ([self._name(element) for element in value] for value in (answer, expected))
        if found == wanted or (not self.ordered and Counter(found) == Counter(wanted)):
            return None
        known = set(wanted)
        extra = [name for name in dict.fromkeys(found) if name not in known]
        n_missing = len(known - set(found))
        parts = []
        if extra:
            verb = "does" if len(extra) == 1 else "do"
            parts.append(f"{len(extra)} of the {len(found)} {verb} not belong, such as {quote(extra[0], 100)}")
        if n_missing:
            parts.append(f"{n_missing} {'is' if n_missing == 1 else 'are'} missing")
        if not parts:
            same = Counter(found) == Counter(wanted)
            parts.append(
                "only the order is not right" if same else "each is right, but not as many times as it should be there"
            )
        return "; ".join(parts) + "."

    def _why_no_names(self, answer):
        """Say why something is not a list of names."""
        if isinstance(answer, str | os.PathLike):
            return f"it is a single one, not a list of {self.what}."
        if isinstance(answer, pd.DataFrame):
            return "it is a table: its names are in .columns or in .index."
        if isinstance(answer, list | tuple | set | frozenset | pd.Index | pd.Series):
            stranger = next(element for element in answer if self._name(element) is None)
            return f"among its elements is {shorten(describe(stranger), 80)}."
        return f"it is not a list of {self.what}."


@dataclass(frozen=True, kw_only=True)
class Files(Names):
    """Judge a list of files by their names: strings, paths and pybids' files are all accepted.

    Attributes
    ----------
    what : str
        What is named, in the plural.
    ordered : bool
        Whether their order counts.
    """

    what: str = "files"

    def _name(self, element):
        """Read the name of one file; None if the element is none."""
        return path_name(element)
