"""The page's colours: Okabe and Ito's palette, which colour-blind readers can tell apart, as names for CSS.

A figure is drawn with stand-in colours; `remedis.report.svg` turns them into `var(--name)`, so that one picture
serves light, dark and print, and a thing has the same colour wherever it stands on the page.
"""

from __future__ import annotations

INK, MUTED, RULE, ACCENT, PAPER, OTHER = "#010101", "#020202", "#030303", "#040404", "#050505", "#060606"
_NAMES = {INK: "ink", MUTED: "muted", RULE: "rule", ACCENT: "accent", PAPER: "paper", OTHER: "other"}

# Okabe and Ito, Color Universal Design (2008). Blue is the accent, kept for the logistic probe; on dark paper it
# changes places with the lighter blue. Yellow is too faint on light paper, where the palette's black stands for it.
# After the palette's own come darker or lighter kinds of three of them.
ACCENT_LIGHT, ACCENT_DARK = "#0072B2", "#56B4E9"
SERIES_LIGHT = (
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#000000",
    "#7A3600",
    "#005C43",
    "#7D3C60",
)
SERIES_DARK = (
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#0072B2",
    "#F0E442",
    "#F2A36B",
    "#7ADCBF",
    "#EBC4D8",
)


def series(number: int) -> str:
    """Return the stand-in of a class's, a site's or a part's colour; one grey for all beyond the palette."""
    return f"#07{number:02x}07" if number < len(SERIES_LIGHT) else OTHER


def series_name(number: int) -> str:
    """Return the same colour's CSS variable without its dashes."""
    return f"series-{number}" if number < len(SERIES_LIGHT) else "other"


def variables() -> dict[str, str]:
    """Return every stand-in colour with the CSS expression that replaces it."""
    names = _NAMES | {series(number): series_name(number) for number in range(len(SERIES_LIGHT))}
    return {colour: f"var(--{name})" for colour, name in names.items()}
