"""The definitions that a page shows next to a term's link."""

from term_previews import definitions


def test_each_term_has_its_definition_without_links():
    page = (
        '<dl class="simple glossary"><dt id="term-A">A<a href="#term-A">#</a></dt>'
        '<dt id="term-B">B</dt><dd><p>See <a href="x.html">C</a>.</p></dd>'
        '<dt id="term-C">C</dt><dd><p>Last.</p></dd></dl><dl><dt id="x">X</dt><dd>no</dd></dl>'
    )
    both = "<p>See C.</p>"
    assert definitions(page) == {"term-A": both, "term-B": both, "term-C": "<p>Last.</p>"}
