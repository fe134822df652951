"""Finds the terms of the glossary in the prose of a page, and which of them are linked where they first occur."""

import re
from pathlib import Path

GLOSSARY = Path(__file__).resolve().parents[1] / "book/glossary.md"
LINK = re.compile(r"\{term\}`([^`<]*?)(?:\s*<([^`>]+)>)?`")
NOT_PROSE = re.compile(
    r"""
    ^[ ]*(?P<mark>```+|~~~+)(?:\{(?:literalinclude|image|figure|math)\}|\w).*?^[ ]*(?P=mark)[ ]*$  # code, all lines
    | ^[ ]*(?:```+|~~~+|:::+)[^\n]*$  # the frame of a box, not what is in it
    | ^[ ]*:[\w-]+:[^\n]*$        # options of a box
    | ^[^\n]*measured[ ]on[ ]\d+[ ]cores[^\n]*$  # what `make costs` writes
    | ^\#+[ ][^\n]*$              # headings
    | ^\([\w-]+\)=$               # labels
    | \{[\w:-]+\}`[^`]*`          # roles, such as citations
    | (?P<ticks>`+)(?!`).+?(?<!`)(?P=ticks)(?!`)
    | \$\$.+?\$\$ | \$[^$\n]+\$
    | !?\[[^\]]*\]\([^)]*\)       # links
    | <[^>\n]+>
    """,
    re.M | re.S | re.X,
)
FORMS = {  # of words whose plural has no s, of verbs, and of names with signs in them
    "Bonferroni correction": "Bonferroni(?: correction)?",
    "cortex": "cort(?:ex|ices)",
    "design matrix": "design matri(?:x|ces)",
    "detrend": "detrend(?:s|ed|ing)?",
    "Fisher's z": r"Fisher's \*?z\*?",
    "gyrus": "gyr(?:us|i)",
    "p value": r"\*p\* values?|p[ -]values?",
    "pial surface": r"\*?pial\*? surfaces?",
    "process": "process(?:es)?",
    "regress out": "regress(?:es|ed|ing)? out",
    "sulcus": "sulc(?:us|i)",
    "vertex": "vert(?:ex|ices)",
    "white surface": r"\*?white\*? surfaces?",
}
# words that mean something else too: what stands before or after them then
ELSEWHERE = {
    "alignment": ("", r" by function"),
    "background": (r"as the ", r" image"),
    "cluster": (r"on a |a real |makes the |Here the |no |need a ", r" of edges"),
    "connectome": (r"Human ", r" Project"),
    "derivatives": (r"nine ", ""),
    "edge": (r"upper |lower |both |its |the |at |along |over |sharp |soft |shares an |several ", r" of the band"),
    "kernel": (r"running ", ""),
    "network": (r"account and a |needs no ", ""),
    "pipeline": ("", r" of the Human"),
    "power": (r"its \*|there |some ", r" above| outside|s? of "),
    "process": (r"Project |to |we |that ", r" the| a | it"),
    "region": ("", r" of 1"),
    "run": (
        r"to |not |we |you |be |and |that |then |can |will ",
        r" (?:a|an|the|it|them|this|your|again|every|to|on) ",
    ),
    "slice": (r"by a ", ""),
    "thread": ("", r" of this course"),
    "volume": (r"their ", r" to the surface"),
}
# a word that counts only on pages that speak of something else, too
ONLY_WITH = {"cluster": "threshold", "fold": "cross-validation"}


def read_terms():
    """List the terms of the glossary as they are written there.

    Returns
    -------
    list of str
        Without their explanations.
    """
    block = GLOSSARY.read_text(encoding="utf-8").partition("```{glossary}")[2].partition("\n```")[0]
    return re.findall(r"^(?![:\s])(.+)$", block, re.M)


def pattern_of(term):
    """Write a term as a regular expression that finds it in prose, in the plural too."""
    body = FORMS.get(term)
    if body is None:
        body = re.sub("y$", "(?:y|ies)", re.sub(r"\\(.)", r"\1", re.escape(term)).replace("+", r"\+"))
        body += "" if term.endswith("s") else "(?:s|es)?"
    body = re.sub(r"\[ -\]|[ -](?!\])", r"[\\s-]+", body)
    has_capitals = sum(map(str.isupper, term)) > 1 or re.search(r"[A-Z]\d", term)
    return body if has_capitals else f"(?i:{body})"


def is_elsewhere(term, before, after):
    """Whether a word does not mean what the glossary says, by the text on both sides of it."""
    wrong_before, wrong_after = ELSEWHERE.get(term, ("", ""))
    before, after = " ".join(f"{before}|".split())[:-1], " ".join(f"|{after}".split())[1:]
    is_name = term == "power" and after.startswith(" {cite")
    return bool(
        is_name
        or (wrong_before and re.search(rf"\b(?:{wrong_before})$", before, re.I))
        or (wrong_after and re.match(wrong_after, after))
    )


def find_uses(text, terms):
    """Find the terms in the prose of a text, the longest where several fit.

    Parameters
    ----------
    text : str
        Markdown.
    terms : list of str
        What to look for.

    Returns
    -------
    list of (str, int, int, bool)
        Term, where its use begins and ends, and whether it is a link to the glossary; in order.
    """
    by_lower = {term.lower(): term for term in terms}
    uses, links = [], list(LINK.finditer(text))
    for link in links:
        target = " ".join((link[2] or link[1]).split()).lower()
        if target in by_lower:
            uses.append((by_lower[target], *link.span(), True))
    prose = NOT_PROSE.sub(lambda found: re.sub(r"[^\n]", "\0", found[0]), text)
    terms = [term for term in terms if ONLY_WITH.get(term, "") in prose]
    names = {f"t{i}": term for i, term in enumerate(sorted(terms, key=len, reverse=True))}
    pattern = "|".join(f"(?P<{name}>{pattern_of(term)})" for name, term in names.items())
    for found in re.finditer(rf"(?<![\w\0-])(?:{pattern})(?![\w\0]|-\w)", prose):
        term, (start, end) = names[found.lastgroup], found.span()
        if not is_elsewhere(term, text[max(0, start - 20) : start], text[end : end + 20]):
            uses.append((term, start, end, False))
    return sorted(uses, key=lambda use: use[1])


def first_uses_without_link(text, terms):
    """Find terms that a page uses before it links to what they mean.

    Parameters
    ----------
    text : str
        All Markdown of a page.
    terms : list of str
        Of the glossary.

    Returns
    -------
    list of (str, int, int)
        Term, where its first use begins and ends.
    """
    first = {}
    for term, start, end, linked in find_uses(text, terms):
        first.setdefault(term, (start, end, linked))
    return [(term, start, end) for term, (start, end, linked) in first.items() if not linked]
