"""A term's definition appears next to its link: by pointer, by keyboard; Escape hides it."""

import pytest
import vendor
from project import BUILD

pytestmark = pytest.mark.built

HTML = BUILD / "html"
PAGE = "book/minimax"
LINK = "article a[href$='#term-latent-vector']"
TIP = "#term-tip"
WORDS = "drawn at random"  # of the glossary's definition
AXE = """(link) => axe.run({include: [["#term-tip"], [link]]}, {preload: false,
  resultTypes: ["violations"]}).then((found) => found.violations
  .flatMap((v) => v.nodes.map((n) => `${v.id}: ${n.target} ${n.failureSummary}`)))"""


@pytest.fixture(params=[1280, 390])
def tab(browser, request):
    context = browser.new_context(viewport={"width": request.param, "height": 800})
    tab = context.new_page()
    tab.set_default_timeout(60_000)
    tab.goto(f"{HTML.as_uri()}/{PAGE}.html")
    tab.wait_for_function("() => MathJax.startup.promise.then(() => true)")
    yield tab
    context.close()


def test_the_keyboard_shows_a_definition_and_escape_hides_it(tab):
    link, tip = tab.locator(LINK).first, tab.locator(TIP)
    assert tip.count() == 0
    height = "() => document.scrollingElement.scrollHeight"
    before = tab.evaluate(height), link.bounding_box()["x"]
    tab.keyboard.press("Tab")  # so that the browser takes the focus for the keyboard's
    link.focus()
    tip.wait_for(state="visible")
    tab.wait_for_function(f'() => document.querySelector("{LINK}").ariaDescribedByElements?.length')
    assert WORDS in " ".join(tip.inner_text().split())
    assert (tab.evaluate(height), link.bounding_box()["x"]) == before
    box, width = tip.bounding_box(), tab.viewport_size["width"]
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    assert tab.evaluate("() => document.scrollingElement.scrollWidth") <= width + 1
    tab.evaluate(vendor.AXE.read_text("utf-8"))
    assert tab.evaluate(AXE, LINK) == []
    tab.evaluate("document.documentElement.dataset.theme = 'dark'")
    assert tab.evaluate(AXE, LINK) == []
    tab.keyboard.press("Escape")
    tip.wait_for(state="hidden")
    assert link.evaluate("(e) => e === document.activeElement")
    assert link.get_attribute("aria-describedby") is None


def test_the_pointer_may_rest_on_the_definition(tab):
    link, tip = tab.locator(LINK).first, tab.locator(TIP)
    link.hover()
    tip.wait_for(state="visible")
    tab.wait_for_function("() => document.querySelector('#term-tip').style.top")
    tip.hover()
    tab.wait_for_timeout(1000)
    assert tip.is_visible()
    tab.mouse.move(1, 1)
    tip.wait_for(state="hidden")
    assert link.get_attribute("aria-describedby") is None
