"""gantut.data.images: folders and archives as people have them."""

import numpy as np
import pytest
from PIL import Image

from gantut import data

GOOD = np.zeros((2, 28, 28, 1), np.float32)


@pytest.fixture
def pixels():
    return np.random.default_rng(3).integers(0, 256, (3, 10, 12, 3), np.uint8)


def test_load_images_reads_a_folder_in_the_order_of_names(tmp_path, pixels):
    for name, image in zip(("b/one.PNG", "c.png", "a.bmp"), pixels, strict=True):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(image).save(tmp_path / name, format=name[-3:].upper())
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / ".hidden.png").write_text("no image")
    (tmp_path / "__MACOSX").mkdir()
    (tmp_path / "__MACOSX" / "c.png").write_text("no image")
    loaded = data.load_images(tmp_path)
    assert loaded.dtype == np.float32
    assert loaded.shape == (3, 10, 12, 3)
    wanted = pixels[[2, 0, 1]].astype(np.float32) / 127.5 - 1
    assert np.array_equal(loaded, wanted)
    assert np.array_equal(data.load_images(str(tmp_path)), wanted)


def test_grey_stays_grey_and_mixed_becomes_rgb(tmp_path, pixels):
    Image.fromarray(pixels[0, ..., 0]).save(tmp_path / "grey.png")
    assert data.load_images(tmp_path).shape == (1, 10, 12, 1)
    assert data.load_images(tmp_path, color=True).shape == (1, 10, 12, 3)
    Image.fromarray(pixels[1]).save(tmp_path / "red.png")
    both = data.load_images(tmp_path)
    assert both.shape == (2, 10, 12, 3)
    for channel in range(3):
        wanted = pixels[0, ..., 0].astype(np.float32) / 127.5 - 1
        assert np.array_equal(both[0, ..., channel], wanted)
    grey = data.load_images(tmp_path, color=False)
    assert grey.shape == (2, 10, 12, 1)
    luma = np.asarray(Image.fromarray(pixels[1]).convert("L"), np.float32) / 127.5 - 1
    assert np.abs(grey[1, ..., 0] - luma).max() < 0.51 / 127.5 + 1e-6  # Pillow's is rounded.


def test_kinds_of_image_files(tmp_path):
    def load(image, name="x.png", **options):
        for old in tmp_path.iterdir():
            old.unlink()
        image.save(tmp_path / name, **options)
        return data.load_images(tmp_path)[0]

    deep = np.array([[0, 257, 65535]], np.uint16)
    assert np.array_equal(
        load(Image.fromarray(deep))[..., 0], deep.astype(np.float32) / 32767.5 - 1
    )
    assert load(Image.new("1", (2, 2), 1)).tolist() == [[[1.0]] * 2] * 2
    palette = Image.new("RGB", (2, 2), (255, 0, 0)).quantize(2)
    assert palette.mode == "P"
    assert np.abs(load(palette) - [1, -1, -1]).max() == 0
    assert np.abs(load(Image.new("CMYK", (2, 2), (0, 0, 0, 255)), "x.tif") - [-1] * 3).max() == 0
    # Transparent parts lie over white, half-transparent black over white is middle grey.
    clear = Image.new("RGBA", (2, 1), (255, 0, 0, 0))
    clear.putpixel((1, 0), (255, 0, 0, 255))
    assert load(clear).tolist() == [[[1, 1, 1], [1, -1, -1]]]
    half = load(Image.new("LA", (1, 1), (0, 128)))
    assert half.shape == (1, 1, 1)
    assert half[0, 0, 0] == pytest.approx(127 / 127.5 - 1, abs=1e-6)
    # The EXIF note "turned by a quarter" (6) makes a wide photograph upright.
    exif = Image.Exif()
    exif[0x0112] = 6
    assert load(Image.new("RGB", (4, 2)), "x.jpg", exif=exif).shape == (4, 2, 3)
    with pytest.raises(ValueError, match=r"x\.tif cannot be read .* pixels of 32 bits \(mode F\)"):
        load(Image.fromarray(np.ones((2, 2), np.float32)), "x.tif")


def test_resizing_smooths(tmp_path):
    stripes = np.zeros((64, 64), np.uint8)
    stripes[:, ::2] = 255
    Image.fromarray(stripes).save(tmp_path / "stripes.png")
    small = data.load_images(tmp_path, size=16)
    assert small.shape == (1, 16, 16, 1)
    # Taking every fourth pixel would give -1 throughout; the mean of the stripes is 0.
    assert np.abs(small[0, :, 2:-2]).max() < 0.02
    assert data.load_images(tmp_path, size=(8, 12)).shape == (1, 8, 12, 1)
    assert data.load_images(tmp_path, size=[8, 12]).shape == (1, 8, 12, 1)
    same_size = data.load_images(tmp_path, size=64)
    assert np.array_equal(same_size, data.load_images(tmp_path))
    # Lanczos overshoots beside an edge; the range is kept.
    edge = np.zeros((20, 20), np.uint8)
    edge[:, 10:] = 255
    Image.fromarray(edge).save(tmp_path / "stripes.png")
    larger = data.load_images(tmp_path, size=40)
    assert (larger.min(), larger.max()) == (-1, 1)


def test_resizing_agrees_with_pillow(tmp_path, pixels):
    Image.fromarray(pixels[0]).save(tmp_path / "x.png")
    wanted = np.asarray(
        Image.fromarray(pixels[0]).resize((5, 7), Image.Resampling.LANCZOS), np.float32
    )
    found = (data.load_images(tmp_path, size=(7, 5))[0] + 1) * 127.5
    assert np.abs(found - wanted).max() <= 1.0  # Pillow rounds bytes after each of two passes.


def test_mixed_sizes_need_a_size(tmp_path):
    for name, size in (("a.png", (4, 3)), ("b.png", (4, 3)), ("c.png", (5, 3)), ("d.png", (6, 6))):
        Image.new("L", size, 9).save(tmp_path / name)
    with pytest.raises(
        ValueError, match=r"a\.png is 3 x 4, .*c\.png is 3 x 5; give size= to bring all to one"
    ):
        data.load_images(tmp_path)
    assert data.load_images(tmp_path, size=3).shape == (4, 3, 3, 1)


def test_unreadable_images_and_empty_folders_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"no images in the folder .*: wanted files that end in"):
        data.load_images(tmp_path)
    Image.new("RGB", (50, 50), "red").save(tmp_path / "a.png")
    noise = np.random.default_rng(0).integers(0, 256, (50, 50, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "b.png")
    whole = (tmp_path / "b.png").read_bytes()
    (tmp_path / "b.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"b\.png cannot be read as an image: OSError"):
        data.load_images(tmp_path)
    (tmp_path / "b.png").write_text("<html>")
    with pytest.raises(ValueError, match=r"b\.png cannot be read as an image: Unidentified"):
        data.load_images(tmp_path)


@pytest.mark.parametrize("name", ["images", "x_train", "anything"])
def test_load_images_reads_an_npz(tmp_path, pixels, name):
    path = tmp_path / "own.npz"
    np.savez(path, **{name: pixels})
    wanted = pixels.astype(np.float32) / 127.5 - 1
    assert np.array_equal(data.load_images(path), wanted)
    np.savez(path, **{name: wanted.astype(np.float64)})
    loaded = data.load_images(path)
    assert loaded.dtype == np.float32
    assert np.array_equal(loaded, wanted)
    np.savez(path, **{name: pixels[..., 0]})
    assert np.array_equal(data.load_images(path), wanted[..., :1])
    assert data.load_images(path, size=5, color=True).shape == (3, 5, 5, 3)
    np.savez(path, **{name: pixels[..., :1]})
    assert np.array_equal(data.load_images(path), wanted[..., :1])


def test_the_array_named_images_comes_first(tmp_path, pixels):
    path = tmp_path / "own.npz"
    np.savez(path, x_train=pixels[:1], images=pixels[:2], y=np.arange(2))
    assert len(data.load_images(path)) == 2
    np.savez(path, x_train=pixels[:1], x_test=pixels[:2])
    assert len(data.load_images(path)) == 1


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"a": GOOD, "b": GOOD}, r"got ValueError: the arrays \['a', 'b'\]"),
        ({"images": np.full((2, 8, 8), 0.5)}, r"float64 from 0\.5 to 0\.5, which looks like 0 to"),
        ({"images": np.linspace(0, 1, 64).reshape(1, 8, 8)}, r"0 to 1; convert with 2 \* x - 1"),
        ({"images": np.linspace(0, 255, 64).reshape(1, 8, 8)}, r"convert with x.astype\('uint8'\)"),
        ({"images": np.linspace(-2, 2, 64).reshape(1, 8, 8)}, "float64 from -2 to 2$"),
        ({"images": np.linspace(0, 1.5, 64).reshape(1, 8, 8)}, r"float64 from 0 to 1\.5$"),
        ({"images": np.full((1, 8, 8), np.nan)}, "got NaN"),
        ({"images": np.full((1, 8, 8), -np.inf)}, "from -inf to -inf"),
        ({"images": np.ones((1, 8, 8), np.uint8)}, "black and white as 0 and 1"),
        ({"images": np.full((1, 8, 8), 255)}, r"got int64; convert with x\.astype\('uint8'\)"),
        ({"images": np.ones((1, 8, 8), bool)}, "got bool$"),
        ({"images": np.ones((1, 8, 8), complex)}, "got complex128$"),
        ({"images": np.ones((8, 8), np.uint8)}, r"got \(8, 8\)$"),
        ({"images": np.ones((0, 8, 8), np.uint8)}, r"got \(0, 8, 8\)$"),
        ({"images": np.ones((8, 8, 3), np.uint8)}, r"got one image \(8, 8, 3\)"),
        ({"images": np.ones((2, 3, 8, 8), np.uint8)}, r"move the channels last"),
        ({"images": np.ones((2, 8, 8, 4), np.uint8)}, r"got \(2, 8, 8, 4\)$"),
    ],
)
def test_an_npz_that_is_no_images_is_refused(tmp_path, members, message):
    path = tmp_path / "own.npz"
    np.savez(path, **members)
    with pytest.raises(ValueError, match=rf"own\.npz: wanted .*{message}"):
        data.load_images(path)


def test_load_images_refuses_other_paths_and_options(tmp_path, pixels):
    with pytest.raises(FileNotFoundError, match=r"no such folder or npz file: .*nowhere"):
        data.load_images(tmp_path / "nowhere")
    Image.fromarray(pixels[0]).save(tmp_path / "x.png")
    with pytest.raises(
        ValueError, match=r"must name a folder or an npz file, got the file .*x.png"
    ):
        data.load_images(tmp_path / "x.png")
    with pytest.raises(TypeError, match="path must name a folder or an npz file, got 3"):
        data.load_images(3)
    (tmp_path / "half.npz").write_bytes(b"PK\x03\x04 half")
    with pytest.raises(ValueError, match=r"half\.npz: wanted .* not an npz archive, or only"):
        data.load_images(tmp_path / "half.npz")
    for size, error in ((0, ValueError), (2.5, TypeError), ((4,), ValueError), ("4", TypeError)):
        with pytest.raises(error, match="size"):
            data.load_images(tmp_path, size=size)
    with pytest.raises(TypeError, match="color must be True, False or None, got 'grey'"):
        data.load_images(tmp_path, color="grey")
