"""gantut.data.images: folders and archives as people have them."""

import numpy as np
import pytest
from PIL import Image

from gantut import data
from gantut.data import images
from gantut.data.arrays import to_float

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
    cyan = load(Image.new("CMYK", (2, 2), (255, 0, 0, 0)), "x.tif")
    assert np.abs(cyan - [-1, 1, 1]).max() == 0
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
    assert load(Image.new("RGB", (4, 2), "red"), "x.jpg", exif=exif).shape == (4, 2, 3)
    with pytest.raises(
        ValueError, match=r"(?s)cannot be read .*x\.tif: .* pixels of 32 bits \(mode F\)"
    ):
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
        Image.new("L", size, 200).save(tmp_path / name)
    with pytest.raises(
        ValueError, match=r"a\.png is 3 x 4, .*c\.png is 3 x 5; give size= to bring all to one"
    ):
        data.load_images(tmp_path)
    assert data.load_images(tmp_path, size=3).shape == (4, 3, 3, 1)


def test_an_empty_folder_is_told_with_what_it_holds(tmp_path):
    with pytest.raises(ValueError, match=r"no images in the folder .*\.webp$"):
        data.load_images(tmp_path)
    for name in ("a.heic", "b.HEIC", "notes"):
        (tmp_path / name).touch()
    with pytest.raises(ValueError, match=r"3 other files passed over \(no ending, \.heic\)"):
        data.load_images(tmp_path)


def test_all_unreadable_images_are_named_at_once(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (50, 50, 3), np.uint8)
    for name in ("good.png", "half.png", "also good.png"):
        Image.fromarray(noise).save(tmp_path / name)
    whole = (tmp_path / "half.png").read_bytes()
    (tmp_path / "half.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "page.jpg").write_text("<html>")
    (tmp_path / "lost.png").symlink_to(tmp_path / "nowhere.png")
    with pytest.raises(ValueError, match="3 of 5 files cannot be read") as caught:
        data.load_images(tmp_path)
    text = str(caught.value)
    for name, why in (("half", "OSError"), ("page", "Unidentified"), ("lost", "FileNotFound")):
        assert any(name in line and why in line for line in text.splitlines())
    assert "good.png" not in text
    for i in range(20):
        (tmp_path / f"{i}.png").touch()
    with pytest.raises(ValueError, match="23 of 25 files") as caught:
        data.load_images(tmp_path, size=8)
    assert str(caught.value).count("\n") == 11


def test_too_little_memory_is_no_broken_image(tmp_path, monkeypatch, pixels):
    Image.fromarray(pixels[0]).save(tmp_path / "a.png")
    with pytest.raises(MemoryError):
        data.load_images(tmp_path, size=2**22)

    def full(*_):
        raise MemoryError

    monkeypatch.setattr(images, "to_float", full)
    with pytest.raises(MemoryError):
        data.load_images(tmp_path)


def test_links_are_followed_but_not_in_circles(tmp_path, pixels):
    elsewhere, folder = tmp_path / "elsewhere", tmp_path / "own"
    elsewhere.mkdir()
    folder.mkdir()
    for name, image in zip("ab", pixels, strict=False):
        Image.fromarray(image).save(elsewhere / f"{name}.png")
    (folder / "class").symlink_to(elsewhere, target_is_directory=True)
    (folder / "single.png").symlink_to(elsewhere / "a.png")
    (elsewhere / "up").symlink_to(folder, target_is_directory=True)
    loaded = data.load_images(folder)
    wanted = pixels[[0, 1, 0]].astype(np.float32) / 127.5 - 1
    assert np.array_equal(loaded, wanted)


def test_what_is_passed_over_is_counted(tmp_path, pixels):
    for name in ("a.jfif", "b.jpe", "c.JPG", "d.heic", "e.HEIC", "f.avif", ".DS_Store"):
        Image.new("L", (6, 4), 200).save(tmp_path / name, format="JPEG")
    found = data.read_images(tmp_path)
    assert found.images.shape == (3, 4, 6, 1)
    assert found.passed_over == {".heic": 2, ".avif": 1}
    assert found.summary() == "3 images of 4 x 6, grey; 3 other files passed over (.avif, .heic)"
    np.savez(tmp_path / "own.npz", images=pixels[:1])
    assert data.read_images(tmp_path / "own.npz").summary() == "1 image of 10 x 12, in colour"


@pytest.mark.parametrize("bits", [1, 8, 10, 12, 13])
@pytest.mark.parametrize("ending", ["png", "tif"])
def test_deep_images_that_do_not_use_their_range_are_refused(tmp_path, bits, ending):
    values = np.random.default_rng(0).integers(0, 2**bits, (2, 9, 9), np.uint16)
    values[0, 0, 0] = 2**bits - 1
    for i, image in enumerate(values):
        Image.fromarray(image).save(tmp_path / f"{i}.{ending}")
    factor = 65535 // (2**bits - 1)
    with pytest.raises(ValueError, match=f"none above {2**bits - 1}, .* multiply them by {factor}"):
        data.load_images(tmp_path)
    Image.fromarray(values[0] * factor).save(
        tmp_path / f"0.{ending}"
    )  # One that is bright is enough.
    assert data.load_images(tmp_path).max() > 0.9


def test_bytes_that_do_not_use_their_range_are_refused(tmp_path):
    Image.fromarray(np.eye(5, dtype=np.uint8)).save(tmp_path / "mask.png")
    with pytest.raises(ValueError, match="multiply them by 255"):
        data.load_images(tmp_path)
    Image.new("RGB", (5, 5)).save(tmp_path / "mask.png")
    with pytest.raises(ValueError, match="black throughout"):
        data.load_images(tmp_path)


def test_deep_grey_has_transparency_and_negatives(tmp_path):
    values = np.array([[0, 10, 40000, 65535]], np.uint16)
    Image.fromarray(values).save(tmp_path / "a.png", transparency=10)
    loaded = data.load_images(tmp_path)[0, 0, :, 0]
    np.testing.assert_allclose(loaded, [-1, 1, 40000 / 32767.5 - 1, 1], atol=1e-6)
    for depth, kind in ((65535, np.uint16), (255, np.uint8)):
        values = np.array([[0, depth // 5, depth]], kind)
        path = tmp_path / f"{depth}" / "a.tif"
        path.parent.mkdir()
        Image.fromarray(values).save(path, tiffinfo={262: 1})
        # Pillow turns bytes round itself when it writes a negative: set the tag in the file.
        raw = path.read_bytes()
        tag = b"\x06\x01\x03\x00\x01\x00\x00\x00"
        assert raw.count(tag + b"\x01") == 1
        path.write_bytes(raw.replace(tag + b"\x01", tag + b"\x00"))
        loaded = data.load_images(path.parent)[0, 0, :, 0]
        np.testing.assert_allclose(loaded, [1, 0.6, -1], atol=1e-6)


def test_a_big_photograph_is_shrunk_as_bytes(tmp_path, monkeypatch):
    Image.new("RGB", (2000, 1500), "orange").save(tmp_path / "big.png")
    seen = []
    monkeypatch.setattr(
        images, "to_float", lambda pixels: seen.append(pixels.size) or to_float(pixels)
    )
    loaded = data.load_images(tmp_path, size=(6, 8))
    np.testing.assert_allclose(loaded[0, 3, 3], np.array([255, 165, 0]) / 127.5 - 1, atol=1e-6)
    assert seen == [6 * 8 * 3]


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
        ({"images": np.append(np.linspace(0, 1, 2047), -0.001).reshape(2, 32, 32)}, "2 \\* x - 1"),
        ({"images": np.append(np.linspace(0, 1, 2047), -1).reshape(2, 32, 32)}, "2 \\* x - 1"),
        ({"images": np.linspace(-0.5, 0.5, 64).reshape(1, 8, 8)}, "half of the range"),
        ({"images": np.linspace(-1, 0, 64).reshape(1, 8, 8)}, "half of the range"),
        ({"images": np.full((1, 8, 8), 65535, np.uint16)}, r"uint16; .* \(255 / 65535\)"),
        ({"images": np.full((1, 8, 8), 1000, np.int16)}, r"int16; .* \(255 / 1023\)"),
        ({"images": np.arange(-32, 32, dtype=np.int16).reshape(1, 8, 8)}, "got int16$"),
        (
            {"images": np.arange(64, dtype=np.int8).reshape(1, 8, 8)},
            r"int8; .*x\.astype\('uint8'\)",
        ),
        ({"images": np.zeros((1, 8, 8), np.uint8)}, "black throughout"),
        ({"images": np.full((1, 8, 8), np.nan)}, "got NaN"),
        ({"images": np.full((1, 8, 8), -np.inf)}, "from -inf to -inf"),
        ({"images": np.ones((1, 8, 8), np.uint8)}, "multiply them by 255"),
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


@pytest.mark.parametrize(
    "array",
    [
        np.linspace(0, 65535, 64).astype(np.uint16),
        np.linspace(0, 4095, 64).astype(np.int32),
        np.linspace(0, 1000, 64),
        np.linspace(0, 255, 64),
        np.linspace(0, 255, 64).astype(np.int64),
        np.linspace(0, 1, 64),
    ],
    ids=lambda x: f"{x.dtype}-{x.max()}",
)
def test_the_hints_lead_to_the_images(tmp_path, array):
    path = tmp_path / "own.npz"
    x = array.reshape(1, 8, 8)
    np.savez(path, x)
    with pytest.raises(ValueError, match="convert with") as caught:
        data.load_images(path)
    np.savez(path, eval(str(caught.value).split("convert with ")[1]))
    wanted = 2 * (x.astype(float) - x.min()) / (float(x.max()) - x.min()) - 1
    np.testing.assert_allclose(data.load_images(path)[..., 0], wanted, atol=0.05)


def test_load_images_refuses_other_paths_and_options(tmp_path, pixels):
    with pytest.raises(FileNotFoundError, match=r"no such folder, npz or npy file: .*nowhere"):
        data.load_images(tmp_path / "nowhere")
    Image.fromarray(pixels[0]).save(tmp_path / "x.png")
    with pytest.raises(
        ValueError, match=r"must name a folder, an npz or an npy file, got the file .*x.png"
    ):
        data.load_images(tmp_path / "x.png")
    with pytest.raises(TypeError, match="int"):
        data.load_images(3)
    (tmp_path / "half.npz").write_bytes(b"PK\x03\x04 half")
    with pytest.raises(ValueError, match=r"half\.npz: wanted .* not an npz archive, or only"):
        data.load_images(tmp_path / "half.npz")
    for size, error in ((0, ValueError), (2.5, TypeError), ((4,), ValueError), ("4", TypeError)):
        with pytest.raises(error, match="size"):
            data.load_images(tmp_path, size=size)
    with pytest.raises(TypeError, match="color must be True, False or None, got 'grey'"):
        data.load_images(tmp_path, color="grey")


# --- Labels --------------------------------------------------------------------------------------


def in_classes(folder, pixels, names):
    for i, (name, image) in enumerate(zip(names, pixels, strict=True)):
        place = folder / name / f"{9 - i}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place)
    return folder


def test_subfolders_are_classes_in_the_order_of_their_names_as_in_keras(tmp_path, pixels):
    # "a b" comes before "a" where whole paths are sorted, since "/" comes after " ".
    folder = in_classes(tmp_path, pixels, ("c", "a b", "a/deeper"))
    (folder / ".hidden").mkdir()
    (folder / "b").mkdir()
    found = data.read_images(folder)
    assert found.classes == ("a", "a b", "b", "c")
    assert found.labels.dtype == np.int64
    wanted = {3: pixels[0], 1: pixels[1], 0: pixels[2]}
    for image, label in zip(found.images, found.labels, strict=True):
        np.testing.assert_array_equal(image, to_float(wanted[label]))
    assert "in 4 classes (0 a: 1, 1 a b: 1, 2 b: 0, 3 c: 1)" in found.summary()
    keras = pytest.importorskip("keras")
    theirs = keras.utils.image_dataset_from_directory(
        folder, image_size=(10, 12), shuffle=False, batch_size=None, verbose=False
    )
    assert tuple(theirs.class_names) == found.classes
    assert sorted(int(y) for _, y in theirs) == sorted(found.labels.tolist())
    x, y = data.load_images(folder, labels=True)
    np.testing.assert_array_equal(x, data.load_images(folder))
    np.testing.assert_array_equal(y, found.labels)


@pytest.mark.parametrize("names", [("a", "a", "a"), ("a", "b", "."), (".", ".", ".")])
def test_folders_without_classes(tmp_path, pixels, names):
    folder = in_classes(tmp_path, pixels, names)
    assert data.read_images(folder).labels is None
    with pytest.raises(ValueError, match="has no labels: wanted two subfolders or more"):
        data.load_images(folder, labels=True)


@pytest.mark.parametrize(
    ("image_name", "label_name"),
    [
        ("images", "labels"),
        ("x_train", "y_train"),
        ("train_images", "train_labels"),
        ("x", "y"),
        ("X", "y"),
        ("arr_0", "arr_1"),
        ("images", "y"),
        ("pictures", "labels"),
    ],
)
def test_an_npz_has_labels_beside_the_images(tmp_path, pixels, image_name, label_name):
    path = tmp_path / "own.npz"
    for labels in ([2, 0, 1], [[2], [0], [1]]):
        np.savez(path, **{image_name: pixels, label_name: np.array(labels, np.uint8)})
        found = data.read_images(path)
        np.testing.assert_array_equal(found.images, to_float(pixels))
        assert (found.labels.tolist(), found.labels.dtype) == ([2, 0, 1], np.int64)
        assert found.summary().endswith("in 3 classes (0: 1, 1: 1, 2: 1)")
    np.savez(path, **{image_name: pixels, label_name: ["owl", "cat", "owl"]})
    found = data.read_images(path)
    assert (found.labels.tolist(), found.classes) == ([1, 0, 1], ("cat", "owl"))


def test_the_labels_are_those_of_the_images_that_are_read(tmp_path, pixels):
    path = tmp_path / "own.npz"
    np.savez(path, x_test=pixels[:2], y_test=[5, 6], x_train=pixels, y_train=[0, 1, 0], y=[9])
    assert data.read_images(path).labels.tolist() == [0, 1, 0]
    for labels in ([0, 1], [0.0, 1.0, 2.0], [-1, 0, 1], np.eye(3, dtype=int)):
        np.savez(path, images=pixels, labels=labels)
        with pytest.raises(ValueError, match=r"own\.npz: labels must be"):
            data.load_images(path)


def test_an_npy_is_read_like_an_npz(tmp_path, pixels):
    path = tmp_path / "own.npy"
    np.save(path, pixels)
    found = data.read_images(path, size=5)
    np.savez(tmp_path / "own.npz", pixels)
    np.testing.assert_array_equal(found.images, data.load_images(tmp_path / "own.npz", size=5))
    assert found.labels is None
    np.save(path, to_float(pixels))
    loaded = data.load_images(path)
    np.testing.assert_array_equal(loaded, to_float(pixels))
    path.unlink()
    loaded *= 2  # the user's own, wherever the file is
    path.write_bytes(b"\x93NUMPY" + bytes(9))
    with pytest.raises(ValueError, match=r"own\.npy: wanted an npy file, got"):
        data.load_images(path)
    np.save(path, np.array([{}]), allow_pickle=True)
    with pytest.raises(ValueError, match=r"own\.npy: wanted an npy file, got"):
        data.load_images(path)
