"""The pages as one document, slides and a zip of figures; make take-away prints them."""

import xml.dom.minidom
import zipfile

import pytest
import take_away

PAGES = ["book/a", "book/b"]
A = """<html><head><link rel="stylesheet" href="../_static/x.css"></head><body><article>
<section id="title"><h1>First<a class="headerlink" href="#title">#</a></h1>
<p class="last-run">Last run.</p><ul><li>say <a href="b.html#there">why</a></li></ul>
<section id="part"><h2>A part</h2><p>See <a href="b.html#there">there</a>, <a href="#part">here</a>,
<a href="b.html">b</a>, <a href="../genindex.html">index</a>, <a href="https://x.org/">x</a>.</p>
<div class="math">f</div><figure id="fig"><img src="../_images/f.png?v=1" alt="A"/>
<figcaption>What to see.</figcaption></figure>
<picture><source media="(prefers-reduced-motion: reduce)" srcset="../_images/f.png"><img
src="../_images/moves.webp" alt="Moves"></picture>
<noscript><p>Scripts are off.</p></noscript></section>
<section><h2 id="part">Exercises</h2><div class="math">not shown</div></section>
<section id="recap"><h2>Recap</h2><ul><li>so</li></ul></section></section>
</article></body></html>"""
B = '<html><body><article><section id="there"><h1>Second</h1></section></article></body></html>'


@pytest.fixture
def html(tmp_path):
    """A built book of two pages."""
    (tmp_path / "book").mkdir()
    (tmp_path / "_images").mkdir()
    (tmp_path / "_images/f.png").write_bytes(b"png")
    (tmp_path / "book/a.html").write_text(A)
    (tmp_path / "book/b.html").write_text(B)
    return tmp_path


@pytest.fixture
def parts(html):
    return {page: take_away.article(html, page, PAGES) for page in PAGES}


def test_links_between_pages_are_links_inside_the_document(parts):
    links = [a["href"] for a in parts["book/a"].find_all("a")]
    index = take_away.pages_url() + "genindex.html"
    assert links == ["#b--there", "#b--there", "#a--part", "#b--top", index, "https://x.org/"]
    text = take_away.one_document(parts, "")
    for link in links[:4]:
        assert f'id="{link[1:]}"' in text
    assert "Last run" not in text
    assert text.index(">First<") < text.index(">Second<")


def test_what_moves_is_shown_as_a_still(parts):
    page = parts["book/a"]
    assert page.find("img", alt="Moves")["src"] == "../_images/f.png"
    assert page.find("source") is None
    assert page.find("noscript") is None
    assert "This needs a screen." in page.get_text()


def test_no_two_parts_have_one_id(parts):
    ids = [tag["id"] for part in parts.values() for tag in part.find_all(id=True)]
    assert len(ids) == len(set(ids)) > 0


def test_slides_show_aims_formulas_figures_and_recap(parts):
    text = take_away.slides(parts["book/a"], "")
    shown = text.split("<section>")[1:]
    assert [s.partition("</h")[0].partition(">")[2] for s in shown] == [
        "First",
        "After this chapter you can",
        "A part",
        "A part",
        "Recap",
    ]
    assert "What to see." in shown[3]
    assert "<li>say why</li>" in shown[1]
    assert "not shown" not in text


def test_figures_are_packed_with_their_captions(parts, html, tmp_path):
    assert take_away.zip_figures(tmp_path / "f.zip", parts, html) == 1
    with zipfile.ZipFile(tmp_path / "f.zip") as archive:
        assert archive.read("a/fig.png") == b"png"
        assert "a/fig.png: What to see." in archive.read("captions.txt").decode()


def test_an_epub_is_well_formed_and_lists_what_it_holds(parts, html, tmp_path):
    take_away.write_epub(tmp_path / "b.epub", parts, [str(part) for part in parts.values()], html)
    with zipfile.ZipFile(tmp_path / "b.epub") as archive:
        names = archive.namelist()
        assert names[0] == "mimetype"
        package = xml.dom.minidom.parseString(archive.read("book.opf"))
        listed = {item.getAttribute("href") for item in package.getElementsByTagName("item")}
        assert listed | {"mimetype", "META-INF/container.xml", "book.opf"} == set(names)
        a = archive.read("a.xhtml").decode()
        xml.dom.minidom.parseString(a)
    assert 'src="images/f.png"' in a
    assert 'href="b.xhtml#b--there"' in a
    assert 'href="a.xhtml#a--part"' in a
