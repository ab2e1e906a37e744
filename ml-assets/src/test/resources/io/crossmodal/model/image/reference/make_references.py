"""python3 make_references.py FOLDER makes pictures and bands, and beside each what Pillow (NAME.png)
or GDAL (NAME.f8, doubles, big-endian, band by band) reads of it. Needs pillow, numpy and rasterio;
made with Pillow 13.0 and GDAL 3.10. EXIF is obeyed, ICC is converted by littlecms, transparency is
laid over white; JPEG in TIFF is as Pillow reads it, whose chroma is smoother than GDAL's."""
import io, os, struct, sys, warnings, zlib
import numpy as np
from PIL import Image, ImageCms, ImageOps, PngImagePlugin
out = sys.argv[1]; os.makedirs(out, exist_ok=True)
W, H = 32, 20
y, x = np.mgrid[0:H, 0:W]
rgb = np.stack([30 + 6 * x, 220 - 9 * y, 40 + 2 * x + 4 * y], -1).astype('u1')
rgb[2:9, 4:16] = (220, 40, 30)
rgb[12:17, 20:29] = (20, 60, 200)
ref = Image.fromarray(rgb)
grey = ref.convert('L')
made = []
warnings.simplefilter('ignore')
def put(name, data, expected):
    open(os.path.join(out, name), 'wb').write(data)
    expected.convert('RGB').save(os.path.join(out, name + '.png'), optimize=True, icc_profile=None)
    made.append(name)
def save(im, fmt, **k):
    b = io.BytesIO(); im.save(b, fmt, **k); return b.getvalue()
def over_white(im):
    im = im.convert('RGBA'); w = Image.new('RGBA', im.size, 'white'); return Image.alpha_composite(w, im).convert('RGB')
def exif(n):
    e = Image.Exif(); e[274] = n; return e
# orientation: big.
for n in range(1, 9):
    b = save(ref, 'JPEG', quality=95, subsampling=0, exif=exif(n)); im = Image.open(io.BytesIO(b)); put(f'orientation-{n}.jpg', b, ImageOps.exif_transpose(im))
    b = save(ref, 'TIFF', compression='tiff_lzw', tiffinfo={274: n}); im = Image.open(io.BytesIO(b)); put(f'orientation-{n}.tif', b, ImageOps.exif_transpose(Image.open(io.BytesIO(b))))
b = save(ref, 'PNG', exif=exif(6)); put('orientation-6.png', b, ImageOps.exif_transpose(Image.open(io.BytesIO(b))))
# CMYK
r, g, bl = [rgb[..., i].astype(float) for i in range(3)]
k = 255 - np.maximum(np.maximum(r, g), bl); d = np.maximum(255 - k, 1)
cmyk = np.stack([255 * (1 - k/255 - r/255) / (d/255), 255 * (1 - k/255 - g/255) / (d/255), 255 * (1 - k/255 - bl/255) / (d/255), k], -1).round().clip(0, 255).astype('u1')
im = Image.frombytes('CMYK', (W, H), cmyk.tobytes())
adobe = save(im, 'JPEG', quality=95, subsampling=0); put('cmyk-adobe.jpg', adobe, Image.open(io.BytesIO(adobe)))
inv = 255 - cmyk.astype(int); ycc = np.asarray(Image.fromarray((255 - inv[..., :3]).astype('u1')).convert('YCbCr'))
yk = np.concatenate([255 - ycc.astype(int), 255 - inv[..., 3:]], -1).astype('u1')
b = bytearray(save(Image.frombytes('CMYK', (W, H), yk.tobytes()), 'JPEG', quality=95, subsampling=0)); i = b.index(b'Adobe'); b[i+11] = 2
put('ycck-adobe.jpg', bytes(b), Image.open(io.BytesIO(bytes(b))))
put('cmyk.tif', save(im, 'TIFF', compression='tiff_lzw'), im)
# RGB in a JPEG without transform
b = save(ref, 'JPEG', quality=95, keep_rgb=True); put('rgb-components.jpg', b, Image.open(io.BytesIO(b)))
b = save(ref, 'JPEG', quality=90, progressive=True); put('progressive.jpg', b, Image.open(io.BytesIO(b)))
b = save(grey, 'JPEG', quality=95); put('grey.jpg', b, Image.open(io.BytesIO(b)))
b = save(ref, 'JPEG', quality=90, subsampling=2); put('subsampled.jpg', b, Image.open(io.BytesIO(b)))
# ICC: a matrix profile with Adobe RGB's primaries and gamma 1.8
def s15(v): return struct.pack('>i', round(v * 65536))
def xyz(*v): return b'XYZ \0\0\0\0' + b''.join(s15(i) for i in v)
def curve(g): return b'curv\0\0\0\0' + struct.pack('>IH', 1, round(g * 256)) + b'\0\0'
def profile(space, tags):
    table = b''; data = b''; start = 128 + 4 + 12 * len(tags)
    for name, v in tags:
        table += name + struct.pack('>II', start + len(data), len(v)); data += v + b'\0' * (-len(v) % 4)
    head = struct.pack('>I4sI4s4s4s', 128 + 4 + len(table) + len(data), b'\0\0\0\0', 0x02100000, b'mntr', space, b'XYZ ')
    head += struct.pack('>6H', 2026, 1, 1, 0, 0, 0) + b'acsp' + b'\0' * 28 + s15(0.9642) + s15(1) + s15(0.8249)
    head += b'\0' * (128 - len(head)); return head + struct.pack('>I', len(tags)) + table + data
txt = b'desc\0\0\0\0' + struct.pack('>I', 5) + b'wide\0' + b'\0' * 78
wide = profile(b'RGB ', [(b'desc', txt), (b'wtpt', xyz(0.9505, 1, 1.0891)), (b'cprt', b'text\0\0\0\0none\0'),
  (b'rXYZ', xyz(0.60974, 0.31111, 0.01947)), (b'gXYZ', xyz(0.20528, 0.62567, 0.06087)), (b'bXYZ', xyz(0.14919, 0.06322, 0.74457)),
  (b'rTRC', curve(1.8)), (b'gTRC', curve(1.8)), (b'bTRC', curve(1.8))])
dim = profile(b'GRAY', [(b'desc', txt), (b'wtpt', xyz(0.9642, 1, 0.8249)), (b'cprt', b'text\0\0\0\0none\0'), (b'kTRC', curve(1.0))])
# CMYK to Lab by a table of 2^4 corners: white, less the light that each ink takes.
def corner(i):
    ink = [(i >> 3) & 1, (i >> 2) & 1, (i >> 1) & 1, i & 1]
    light = 1 - ink[3] * .6
    return bytes([round(255 * light * (1 - .25 * sum(ink[:3]))), 128 + round(light * (20 * ink[1] - 15 * ink[0])), 128 + round(light * (20 * ink[2] - 15 * ink[0]))])
lut = b'mft1\0\0\0\0' + bytes([4, 3, 2, 0]) + b''.join(s15(v) for v in (1, 0, 0, 0, 1, 0, 0, 0, 1))
lut += bytes(range(256)) * 4 + b''.join(corner(i) for i in range(16)) + bytes(range(256)) * 3
inks = profile(b'CMYK', [(b'desc', txt), (b'wtpt', xyz(0.9642, 1, 0.8249)), (b'cprt', b'text\0\0\0\0none\0'), (b'A2B0', lut)])
inks = inks[:12] + b'prtr' + inks[16:20] + b'Lab ' + inks[24:]
srgb = ImageCms.createProfile('sRGB')
# Relative colorimetric: perceptual would lift black, as littlecms does where one profile is of version 4.
def to_srgb(im, p): return ImageCms.profileToProfile(im, ImageCms.ImageCmsProfile(io.BytesIO(p)), srgb, renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC, outputMode='RGB')
b = save(ref, 'JPEG', quality=95, subsampling=0, icc_profile=wide); put('icc.jpg', b, to_srgb(Image.open(io.BytesIO(b)), wide))
put('icc.png', save(ref, 'PNG', icc_profile=wide), to_srgb(ref, wide))
put('icc.tif', save(ref, 'TIFF', compression='tiff_adobe_deflate', icc_profile=wide), to_srgb(ref, wide))
put('icc-grey.png', save(grey, 'PNG', icc_profile=dim), to_srgb(grey, dim))
b = save(im, 'JPEG', quality=95, subsampling=0, icc_profile=inks); put('icc-cmyk.jpg', b, to_srgb(Image.open(io.BytesIO(b)), inks))
put('icc-palette.png', save(ref.quantize(16), 'PNG', icc_profile=wide), to_srgb(ref.quantize(16).convert('RGB'), wide))
# palettes, depths, opacity
pal = ref.quantize(16)
put('palette.png', save(pal, 'PNG'), pal); put('palette.tif', save(pal, 'TIFF', compression='packbits'), pal)
b = save(pal, 'PNG', transparency=bytes([0, 128, 255, 30])); put('palette-transparent.png', b, over_white(Image.open(io.BytesIO(b))))
bit = grey.point(lambda v: 255 * (v > 110)).convert('1'); put('one-bit.png', save(bit, 'PNG'), bit); put('one-bit.tif', save(bit, 'TIFF', compression='packbits'), bit)
put('grey.png', save(grey, 'PNG'), grey); put('grey.tif', save(grey, 'TIFF'), grey)
alpha = Image.fromarray(((x * 255) // (W - 1)).astype('u1'))
la = grey.copy(); la.putalpha(alpha); put('grey-alpha.png', save(la, 'PNG'), over_white(la)); put('grey-alpha.tif', save(la, 'TIFF'), over_white(la))
ra = ref.copy(); ra.putalpha(alpha); put('rgba.png', save(ra, 'PNG'), over_white(ra)); put('rgba.tif', save(ra, 'TIFF', compression='tiff_lzw'), over_white(ra))
b = save(ref, 'PNG', transparency=(220, 40, 30)); put('rgb-transparent.png', b, over_white(Image.open(io.BytesIO(b))))
g16 = Image.fromarray((np.asarray(grey).astype('u2') * 257)); put('grey-16bit.png', save(g16, 'PNG'), grey); put('grey-16bit.tif', save(g16, 'TIFF'), grey)
put('ycc.tif', save(ref.convert('YCbCr'), 'TIFF'), ref.convert('YCbCr'))
put('white-is-zero.tif', save(grey, 'TIFF', tiffinfo={262: 0}), Image.open(io.BytesIO(save(grey, 'TIFF', tiffinfo={262: 0}))))
b = save(ref, 'TIFF', compression='jpeg', quality=90); put('jpeg-ycc.tif', b, Image.open(io.BytesIO(b)))
put('big.tif', save(ref, 'TIFF', big_tiff=True), ref)
put('lzw-predictor.tif', save(ref, 'TIFF', compression='tiff_lzw', tiffinfo={317: 2}), ref)
# interlaced PNG is not written by Pillow
def chunk(t, d): return struct.pack('>I', len(d)) + t + d + struct.pack('>I', zlib.crc32(t + d))
b = save(ref, 'PNG'); put('linear-gamma.png', b[:33] + chunk(b'gAMA', struct.pack('>I', 100000)) + b[33:],
  Image.fromarray(np.where(rgb/255 <= .0031308, 12.92*rgb/255, 1.055*(rgb/255)**(1/2.4)-.055).__mul__(255).round().astype('u1')))
raw = b''
for x0, y0, dx, dy in [(0,0,8,8),(4,0,8,8),(0,4,4,8),(2,0,4,4),(0,2,2,4),(1,0,2,2),(0,1,1,2)]:
    for r in rgb[y0::dy, x0::dx]: raw += b'\0' + r.tobytes()
put('interlaced.png', b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', W, H, 8, 2, 0, 0, 1)) + chunk(b'IDAT', zlib.compress(raw)) + chunk(b'IEND', b''), ref)

import rasterio
def gdal(name, arr, expected, **o):
    p = os.path.join(out, name)
    with rasterio.open(p, 'w', driver='GTiff', width=W, height=H, count=arr.shape[0], dtype=arr.dtype, **o) as f: f.write(arr)
    (expected or Image.open(p)).convert('RGB').save(p + '.png', optimize=True); made.append(name)
planes = np.moveaxis(rgb, -1, 0)
gdal('gdal-jpeg-tiles.tif', planes, None, compress='JPEG', jpeg_quality=95, photometric='YCBCR', tiled=True, blockxsize=16, blockysize=16)
gdal('gdal-band-tiles.tif', planes, ref, compress='DEFLATE', predictor=2, photometric='RGB', tiled=True, blockxsize=16, blockysize=16, interleave='band')
gdal('gdal-strips.tif', planes, ref, compress='LZW', predictor=2, photometric='RGB', blockysize=5)
gdal('gdal-16bit.tif', planes.astype('u2') * 257, ref, compress='LZW', predictor=2, photometric='RGB', ENDIANNESS='BIG')
# Bands, beside them as big-endian doubles what GDAL reads.
W, H = 19, 17
rng = np.random.default_rng(7)
def bands(name, arr, part=False, **o):
    p = os.path.join(out, 'bands-' + name + '.tif')
    with rasterio.open(p, 'w', driver='GTiff', width=W, height=H, count=arr.shape[0], dtype=arr.dtype, **o) as f:
        if part: f.write(arr[:, :16, :16], window=((0, 16), (0, 16)))
        else: f.write(arr)
    with rasterio.open(p) as f:
        v = f.read().astype('f8')
        if f.nodata is not None: v[v == f.nodata] = np.nan
        v.astype('>f8').tofile(p + '.f8')
    made.append(name)
for n in (1, 3, 9, 12, 15, 19, 24, 28, 31):
    bands(f'{n}-bits', rng.integers(0, 2 ** n, (2, H, W)).astype('u1' if n < 8 else 'u2' if n < 16 else 'u4'), nbits=n, compress='DEFLATE', interleave='pixel' if n % 2 else 'band')
bands('24-bits-big-endian', rng.integers(0, 2 ** 24, (1, H, W)).astype('u4'), nbits=24, ENDIANNESS='BIG')
real = rng.normal(0, 100, (2, H, W))
for t in ('i1', 'i2', 'i4', 'u2', 'u4', 'f4', 'f8'):
    arr = real.astype(t) if t[0] != 'u' else rng.integers(0, 2 ** (8 * int(t[1])), (2, H, W)).astype(t)
    for e in ('LITTLE', 'BIG'):
        bands(f'{t}-{e.lower()}-endian', arr, compress='LZW' if e == 'BIG' else 'DEFLATE', predictor=3 if t[0] == 'f' else 2, ENDIANNESS=e, tiled=e == 'BIG', blockxsize=16, blockysize=16, interleave='pixel' if t > 'i2' else 'band')
bands('f2', real.astype('f4'), nbits=16)
bands('f2-predictor', real.astype('f4'), nbits=16, compress='DEFLATE', predictor=3)
bands('big', real.astype('i2'), BIGTIFF='YES')
bands('packbits', real.astype('i2'), compress='PACKBITS')
bands('sparse', rng.integers(1, 9999, (1, H, W)).astype('u2'), part=True, tiled=True, blockxsize=16, blockysize=16, SPARSE_OK=True, nodata=0)
print(len(made), 'files')
