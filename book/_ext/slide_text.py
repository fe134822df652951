"""What a slide shows of a text, and the book's Markdown as plain Markdown."""

import re

from formulas import write_mathml

FENCE = re.compile(r"`{3,}|~{3,}|:{3,}")
HEADING = re.compile(r"#+ (.*)")
SHOWN_WHOLE = (
    "Exercise",
    "Key points",
)  # sections of which every word is on the slide
PREDICT = "**Predict.**"
# a prediction, a list, a table, a formula, a drawing in letters
CATCHY = re.compile(r"\*\*Predict\.\*\*|- |1\. |\||\$\$|```text")
# code, which holds no formulas; a formula on lines of its own; one in a line
FORMULA = re.compile(
    r"(?P<code>^`{3,}.*?^`{3,}|`[^`\n]+`)"
    r"|\$\$(?P<block>.+?)\$\$|(?<![\\$\w])\$(?P<inline>[^$\n]+)\$",
    re.M | re.S,
)
BOX_ITEMS = re.compile(
    r"^- \*\*(?:Questions|Objectives)\*\*.*?(?=^- |^:::)", re.M | re.S
)


def blocks(text):
    """Split Markdown at blank lines; what is fenced stays in one piece."""
    found, fence = [[]], ""
    for line in text.splitlines():
        mark = FENCE.match(line)
        if mark and not fence:
            fence = mark[0]
        elif fence and line.strip() == fence:
            fence = ""
        if line.strip() or fence:
            found[-1].append(line)
        elif found[-1]:
            found.append([])
    return ["\n".join(lines) for lines in found if lines]


def divide(text):
    """Divide a text that is on a slide.

    Parameters
    ----------
    text : str
        Markdown of one cell.

    Returns
    -------
    before, shown, after : str
        What is said before the slide comes up, what it shows, what is said
        to it.
    """
    before, shown, after = [], [], []
    for number, section in enumerate(sections(text)):
        chosen = choose(section, follows=number == 0)
        shown += chosen
        said = [block for block in section if block not in chosen]
        (after if number else before).extend(said)
    return tuple("\n\n".join(part) for part in (before, shown, after))


def sections(text):
    """Blocks of a text, those below a heading together with it."""
    found = [[]]
    for block in blocks(text):
        if HEADING.match(block):
            found.append([])
        found[-1].append(block)
    return found


def choose(section, *, follows):
    """What a slide shows of a section, or of one that an earlier cell began."""
    heading = HEADING.match(section[0]) if section else None
    if heading and heading[1].startswith("Where to go"):
        return []
    if heading and heading[1].startswith(SHOWN_WHOLE):
        return section
    box = [block for block in section if "{admonition} In this" in block]
    if box:
        return [section[0], "".join(BOX_ITEMS.findall(box[0]))]
    if follows or not heading:
        return [block for block in section if block.startswith(PREDICT)]
    catchy = [block for block in section[1:] if CATCHY.match(block)]
    return [section[0], *(catchy or section[1:2])]


def name_authors(key, bibliography):
    """Name a publication in a sentence: "Power et al. (2012)"."""
    entry = bibliography.entries[key]
    names = [
        " ".join(person.last_names) for person in entry.persons["author"]
    ]
    names = " and ".join(names) if len(names) < 3 else f"{names[0]} et al."
    return (
        f"{names.replace('{', '').replace('}', '')} ({entry.fields['year']})"
    )


def draw_formula(found):
    """A formula as MathML; code as it is."""
    if found["code"]:
        return found["code"]
    display = "block" if found["block"] else "inline"
    latex = found["block"] or found["inline"]
    return write_mathml(" ".join(latex.split()), display=display)


def plain(text, bibliography):
    """The book's Markdown without roles, directives and links to pages."""
    text = re.sub(r"^:{3,}\{\w+\} *(.*)$", r"**\1**\n", text, flags=re.M)
    text = re.sub(r"^(:{3,}|:\w+: .*|\([\w-]+\)=)$\n?", "", text, flags=re.M)
    text = re.sub(
        r"\{cite:t\}`(\w+)`",
        lambda role: name_authors(role[1], bibliography),
        text,
    )
    text = re.sub(r"\s*\{cite\}`[^`]*`", "", text)
    text = re.sub(r"\{\w+\}`([^`<]*?)\s*(?:<[^`]*>)?`", r"\1", text)
    text = re.sub(r"(?<!!)\[([^\]]*)\]\((?!https?:)[^)]*\)", r"\1", text)
    return FORMULA.sub(draw_formula, text)
