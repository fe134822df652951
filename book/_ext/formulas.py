"""Writes formulas as MathML, which browsers read without any script.

The site brings a font for them, since some systems have none whose brackets
and roots grow.
"""

import importlib.util
import re
from pathlib import Path

from docutils import nodes
from fontTools import subset
from latex2mathml.converter import convert

FONT = "fonts/STIXTwoMath-Regular.ttf"  # of the package ziamath; SIL OFL 1.1
LETTERS = [
    *range(0x20, 0x7F),
    *range(0x391, 0x3CA),  # Greek
    *range(0x1D434, 0x1D468),  # italic Latin, which browsers make of x
    0x210E,  # italic h
    *range(0x1D6E2, 0x1D71C),  # italic Greek
    0x1D5B3,  # T of a transposed matrix
    *map(
        ord, "\u00a0\u2009\u2211\u2212\u221a\u2248\u00b7\u00d7\u2264\u2265"
    ),
]
THIN = '<mspace width="0.167em"/>'
NAME = re.compile(
    r"(</m(?:i|n|sqrt|sup|sub)>|<m(?:sub|sup|subsup)>)?"
    r"<m[io]>([a-z]{2,})</m[io]>"
    r'(?=(</m|<mo stretchy="false">&#x00028;)?)'
)
CAPITAL = re.compile(r"<mi>(&#x003[9A]\w;)</mi>")
TIGHT = re.compile(r"<mo(?: stretchy=\"false\")?>(&#x000(?:7C|2F);)</mo>")


def space_name(found):
    """Set the name of a function apart from what stands beside it."""
    before, name, after = found.groups()
    before, has_index = before or "", (before or "").startswith("<m")
    start = before if has_index or not before else before + THIN
    return f"{start}<mi>{name}</mi>{'' if has_index or after else THIN}"


def write_mathml(latex, *, display):
    """Write a formula for a browser.

    Parameters
    ----------
    latex : str
        The formula.
    display : str
        "inline" in a line of text, "block" on lines of its own.

    Returns
    -------
    str
        MathML, with the spaces and upright capitals that LaTeX would set.
    """
    text = NAME.sub(space_name, convert(latex, display=display))
    text = CAPITAL.sub(r'<mi mathvariant="normal">\1</mi>', text)
    return TIGHT.sub(
        r'<mo stretchy="false" lspace="0" rspace="0">\1</mo>', text
    )


def visit_inline(translator, node):
    """Write a formula in a line."""
    text = write_mathml(node.astext(), display="inline")
    translator.body.append(f'<span class="math">{text}</span>')
    raise nodes.SkipNode


def visit_block(translator, node):
    """Write a formula on lines of its own."""
    text = write_mathml(node.astext(), display="block")
    translator.body.append(f'<div class="math">{text}</div>\n')
    raise nodes.SkipNode


def write_font(path):
    """Write a font that has those letters that formulas use.

    Parameters
    ----------
    path : Path
        The file, of the form WOFF.
    """
    options = subset.Options(flavor="woff")
    (package,) = importlib.util.find_spec(
        "ziamath"
    ).submodule_search_locations
    font = subset.load_font(Path(package, FONT), options)
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=LETTERS)
    subsetter.subset(font)
    subset.save_font(font, path, options)


def bring_font(app, exception):
    """Put the font into the site."""
    if exception is None:
        write_font(Path(app.outdir, "_static/formulas.woff"))


def setup(app):
    """Register the renderer and have its font written."""
    app.add_html_math_renderer(
        "mathml", (visit_inline, None), (visit_block, None)
    )
    app.connect("build-finished", bring_font)
    return {
        "version": "1",
        "parallel_read_safe": True,
        "parallel_write_safe": True,
    }
