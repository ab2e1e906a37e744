# Copyright the cross-modal project contributors.
# SPDX-License-Identifier: Apache-2.0
"""Makes pillow-cases.txt in this folder: of each case a line of width, height, S, filter, fit and,
in base64, the S x S picture as Pillow makes it, interleaved bytes. Made with Pillow 13.0.0; before
version 13 pictures much higher than wide were resized in another order, to other pixels.

The picture before it is that of picture() below, which PictureResizeTest repeats: red has hard
edges, which bicubic interpolation overshoots, green slopes, blue is noise. Fits: CROP as
torchvision's Resize(S) and CenterCrop(S), PAD as OpenCLIP's "longest".

pip install pillow; python make_resize.py
"""
import base64
import os

from PIL import Image

HERE = os.path.dirname(os.path.abspath(__file__))
FILTERS = {'BICUBIC': Image.Resampling.BICUBIC, 'BILINEAR': Image.Resampling.BILINEAR}
MEAN = tuple(round(255 * m) for m in (0.48145466, 0.4578275, 0.40821073))
SIZES = [  # width, height, S
    (16, 16, 16), (48, 48, 16), (47, 31, 16), (31, 47, 16), (33, 33, 16), (17, 16, 16),
    (16, 19, 16), (19, 16, 16), (5, 7, 16), (7, 5, 17), (3, 2, 15), (2, 2, 9), (100, 64, 15),
    (64, 101, 7), (250, 5, 12), (5, 250, 12), (16, 800, 8), (800, 16, 8), (1, 1, 6), (1, 9, 6),
    (9, 1, 6), (1, 50, 4), (50, 1, 4), (40, 1, 21), (1, 40, 21), (300, 2, 1), (13, 29, 1),
    (640, 211, 12), (12, 13, 24), (321, 200, 20),
    (60, 150, 20), (211, 640, 12), (30, 90, 24), (90, 30, 24)]


def picture(width, height):
    state = 1000 * width + height
    image = Image.new('RGB', (width, height))
    for y in range(height):
        for x in range(width):
            state = (state * 1103515245 + 12345) % 2**31
            red = 255 if (x // 3 + y // 5) % 2 else 0
            image.putpixel((x, y), (red, (3 * x + 5 * y) % 256, state >> 16 & 255))
    return image


def crop(image, side, how):
    short = min(image.size)
    wide, high = (max(side, int(side * length / short)) for length in image.size)
    image = image.resize((wide, high), how)
    left, top = int(round((wide - side) / 2.0)), int(round((high - side) / 2.0))
    return image.crop((left, top, left + side, top + side))


def pad(image, side, how):
    ratio = max(image.size) / side
    size = tuple(max(1, round(length / ratio)) for length in image.size)
    canvas = Image.new('RGB', (side, side), MEAN)
    canvas.paste(image.resize(size, how), ((side - size[0]) // 2, (side - size[1]) // 2))
    return canvas


FITS = {'CROP': crop, 'SQUASH': lambda im, side, how: im.resize((side, side), how), 'PAD': pad}
with open(os.path.join(HERE, 'pillow-cases.txt'), 'w', encoding='ascii') as out:
    for width, height, side in SIZES:
        for filter_name, how in FILTERS.items():
            for fit, make in FITS.items():
                made = make(picture(width, height), side, how)
                assert made.size == (side, side)
                pixels = base64.b64encode(made.tobytes()).decode()
                print(width, height, side, filter_name, fit, pixels, file=out)
