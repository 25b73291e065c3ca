"""Writes docs/models/zoo.md from the zoo: `python docs/make_zoo.py`. A test holds the page against it."""

from __future__ import annotations

from pathlib import Path

from remedis.models.zoo import card as zoo_card

PAGE = Path(__file__).parent / "models" / "zoo.md"

if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(zoo_card.page(), encoding="utf-8")
