"""Keep the screenshots of the last test run in `docs/screenshots`, compressed.

pytest tests/e2e/pages/screenshots/test_screenshots.py && python -m tests.e2e.pages.screenshots.keep
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from PIL import Image

from tests.e2e.pages.screenshots.scenery import PICTURES

KEPT: Final = Path(__file__).parents[4] / "docs" / "screenshots"
QUALITY: Final = 45


def main() -> None:
    """Write each picture as WebP."""
    KEPT.mkdir(exist_ok=True)
    for picture in sorted(PICTURES.glob("*.png")):
        with Image.open(picture) as image:
            image.save(KEPT / f"{picture.stem}.webp", quality=QUALITY, method=6)


if __name__ == "__main__":
    main()
