"""Real pictures, drawn and not downloaded: JPEG, PNG and WebP in several sizes, the same ones in every run."""

import random
from dataclasses import dataclass, field
from io import BytesIO

from PIL import Image, ImageDraw, ImageOps

SIZES = ((320, 240), (480, 640), (800, 600), (1024, 1024), (1280, 720), (600, 900), (1600, 1200))
FORMATS = (("JPEG", "image/jpeg", ".jpg"), ("PNG", "image/png", ".png"), ("WEBP", "image/webp", ".webp"))
SHAPES = 24


@dataclass(frozen=True, slots=True)
class Picture:
    """One file on somebody's disk, as a browser would see it."""

    filename: str
    content_type: str
    body: bytes = field(repr=False)

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.body)


def draw(number: int) -> Picture:
    """Return picture number so-and-so. Size, format and colours follow from the number, so no two are alike."""
    width, height = SIZES[number % len(SIZES)]
    name, content_type, extension = FORMATS[number % len(FORMATS)]
    file = BytesIO()
    _paint(random.Random(number), width, height).save(file, name)
    return Picture(f"holiday-{number:02}{extension}", content_type, file.getvalue())


def disguised_text() -> Picture:
    """Return a text file that claims to be a JPEG."""
    return Picture("holiday.jpg", "image/jpeg", b"This is a text file, whatever its name and its Content-Type say.\n")


def _paint(chance: random.Random, width: int, height: int) -> Image.Image:
    dusk, dawn = _colour(chance), _colour(chance)
    picture = ImageOps.colorize(Image.linear_gradient("L").resize((width, height)), dusk, dawn)
    pen = ImageDraw.Draw(picture)
    for _ in range(SHAPES):
        left, top = chance.randrange(width), chance.randrange(height)
        radius = chance.randrange(8, width // 4)
        pen.ellipse((left - radius, top - radius, left + radius, top + radius), fill=_colour(chance))
    return picture


def _colour(chance: random.Random) -> tuple[int, int, int]:
    return chance.randrange(256), chance.randrange(256), chance.randrange(256)
