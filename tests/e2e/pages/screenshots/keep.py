"""Take a picture of every page, in both colour schemes and three sizes, for `docs/screenshots`.

python -m tests.e2e.pages.screenshots.keep
"""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Literal

from PIL import Image
from playwright.sync_api import Browser

from tests.e2e.pages.screenshots.drawing import pages, sizes
from tests.support.processes.chromium import chromium
from tests.support.processes.server import Server

KEPT: Final = Path(__file__).parents[4] / "docs" / "screenshots"
QUALITY: Final = 45
SCHEMES: Final[Sequence[Literal["light", "dark"]]] = ("light", "dark")


def main() -> None:
    """Write each picture as WebP."""
    KEPT.mkdir(exist_ok=True)
    with TemporaryDirectory() as folder:
        server = Server(Path(folder))
        try:
            server.start()
            with chromium() as browser:
                draw(browser, server)
        finally:
            server.kill()


def draw(browser: Browser, server: Server) -> None:
    """Take and write the pictures."""
    for name, page in pages(browser, server):
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            for size, _ in sizes(page):
                with Image.open(BytesIO(page.screenshot())) as image:
                    file = KEPT / f"{name}-{size}-{scheme}.webp"
                    image.save(file, quality=QUALITY, method=6)
        page.close()


if __name__ == "__main__":
    main()
