"""The page "Play" in a real browser: the built page, or one put together from its sources."""

import re
import shutil

import pytest
from markdown_it import MarkdownIt
from project import BOOK, BUILD

pytestmark = pytest.mark.built

BUILT = BUILD / "html/book/play.html"
SKELETON = """<!DOCTYPE html>
<html lang="en" data-theme="light"><head><meta charset="utf-8"><title>Play</title>
<meta name="viewport" content="width=device-width, initial-scale=1"></head>
<body style="font-family: sans-serif; overflow-wrap: anywhere"><article>{}</article></body></html>
"""
# What the theme reports of itself in each page.
THEME = re.compile(r"^\[(PST|togglebutton)\]:")


def assemble(folder):
    """Makes a page without the theme from book/play.md and book/_static."""
    shutil.copytree(BOOK / "_static/play", folder / "_static/play")
    text = (BOOK / "play.md").read_text("utf-8")
    raw = re.sub(r"^:::\{raw\} html\n(.*?)^:::$", r"\1", text, flags=re.MULTILINE | re.DOTALL)
    (folder / "book").mkdir()
    page = folder / "book/play.html"
    page.write_text(SKELETON.format(MarkdownIt("commonmark").render(raw)), "utf-8")
    return page


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The page's file."""
    return BUILT if BUILT.exists() else assemble(tmp_path_factory.mktemp("site"))


@pytest.fixture
def open_page(browser, site):
    """Opens the page with the network closed; fails at the end if the console had an error."""
    contexts, complaints = [], []

    def start(fragment="", address=None, **settings):
        context = browser.new_context(**settings)
        contexts.append(context)
        context.set_default_timeout(20_000)
        page = context.new_page()
        allowed = ("file:", "data:", "blob:") if address is None else (address, "data:", "blob:")

        def gate(route):
            if route.request.url.startswith(allowed):
                route.continue_()
            else:
                complaints.append(f"asked for {route.request.url}")
                route.abort()

        page.route("**/*", gate)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console",
            lambda message: (
                complaints.append(message.text)
                if message.type in ("error", "warning") and not THEME.match(message.text)
                else None
            ),
        )
        page.goto((site.as_uri() if address is None else f"{address}/book/play.html") + fragment)
        return page

    yield start
    for context in contexts:
        context.close()
    assert complaints == []


WIDGET = "gantutPlay.playground"


def weights(page):
    return page.evaluate(f"[Array.from({WIDGET}.trainer.d.values), "
                         f"Array.from({WIDGET}.trainer.g.values)]")  # fmt: skip


def train(page, steps):
    """Takes steps by the page's own loop, without waiting for pictures."""
    page.evaluate(f"for (let i = 0; i < {steps}; i++) {WIDGET}.advance(); {WIDGET}.draw()")


def covered(page):
    text = page.locator("#playground dd").nth(1).inner_text()
    return int(re.fullmatch(r"(\d+) of \d+", text)[1])


def playground(page, name):
    return page.locator("#playground").get_by_label(name, exact=True)


def press(page, name):
    page.locator("#playground").get_by_role("button", name=name, exact=True).click()


def step_number(page):
    return int(page.locator("#playground dd").first.inner_text())


def test_both_widgets_are_there_from_a_file(open_page):
    page = open_page()
    for name in ("playground", "orbits"):
        assert page.locator(f"#{name} canvas").count() == 2
    pictures = page.evaluate(
        """[...document.querySelectorAll(".gp-picture")].map((canvas) => new Set(
          canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data).size)"""
    )
    assert min(pictures) > 20  # something is drawn


def test_the_page_works_from_a_server(open_page, site, serve):
    page = open_page(address=serve(site.parent.parent))
    press(page, "Step")
    assert step_number(page) == 1


def test_a_step_changes_both_networks(open_page):
    page = open_page()
    d, g = weights(page)
    press(page, "Step")
    assert step_number(page) == 1
    moved_d, moved_g = weights(page)
    assert moved_d != d
    assert moved_g != g


@pytest.mark.parametrize(("choice", "moves"), [("only D", 0), ("only G", 1)])
def test_a_player_alone_leaves_the_other_as_it_is(open_page, choice, moves):
    page = open_page()
    playground(page, choice).check()
    before = weights(page)
    press(page, "Step")
    after = weights(page)
    assert after[moves] != before[moves]
    assert after[1 - moves] == before[1 - moves]


def test_play_and_pause(open_page):
    page = open_page()
    press(page, "Play")
    page.wait_for_function(f"{WIDGET}.trainer.steps >= 3")
    press(page, "Pause")
    steps = step_number(page)
    page.wait_for_timeout(150)
    assert step_number(page) == steps
    assert re.match(
        rf"Paused: step {steps}, ", page.locator("#playground [role=status]").inner_text()
    )


def test_the_default_loss_collapses_and_the_other_covers_the_ring(open_page):
    page = open_page()
    train(page, 300)
    # Other seeds do the same: benchmarks/results/playground.json.
    assert covered(page) <= 4
    playground(page, "Loss").select_option("relativistic")
    assert playground(page, "Penalty on D").input_value() == "r1_r2"
    press(page, "Restart")
    assert step_number(page) == 0
    train(page, 400)
    assert covered(page) == 8
    assert float(page.locator("#playground dd").nth(2).inner_text()) < 0.3


def test_a_link_restores_the_run_bit_for_bit(open_page):
    page = open_page()
    playground(page, "Data").select_option("grid")
    train(page, 7)
    playground(page, "Loss").select_option("wasserstein")
    train(page, 5)
    playground(page, "only D").check()
    train(page, 4)
    playground(page, "Penalty on D").select_option("r1")
    press(page, "Link to this state")
    link = page.locator("#playground").get_by_label("Link", exact=True).input_value()
    assert link == page.url
    again = open_page(fragment="#" + link.split("#")[1])
    again.wait_for_function(f"!{WIDGET}.playing && {WIDGET}.trainer.steps === 16")
    assert weights(again) == weights(page)
    assert playground(again, "Data").input_value() == "grid"
    assert playground(again, "Penalty on D").input_value() == "r1"
    assert playground(again, "only D").is_checked()
    # And both go on alike.
    for one in (page, again):
        train(one, 2)
    assert weights(again) == weights(page)


def test_a_broken_link_is_said_to_be_one(open_page):
    for fragment in ("v=1&data=cube&seed=0&run=n_0_0.3_0.001_0.002_b_5", "v=1&data=ring&seed=0",
                     "v=1&data=ring&seed=0&run=n_0_0.3_0.001_0.002_b_999999"):  # fmt: skip
        page = open_page(fragment=f"#playground?{fragment}")
        said = page.locator("#playground [role=status]").inner_text()
        assert said.startswith("This link cannot be read")
        assert step_number(page) == 0


def test_a_run_that_leaves_the_numbers_is_stopped(open_page):
    page = open_page(fragment="#playground?v=1&data=ring&seed=0&run=w_0_0_1_1_b_3000")
    page.wait_for_function(f"{WIDGET}.trainer.steps > 1")
    page.evaluate(f"{WIDGET}.trainer.d.values.fill(1e200)")
    page.wait_for_function(f"!{WIDGET}.playing")
    said = page.locator("#playground [role=status]").inner_text()
    assert said.startswith("The weights have left all bounds")
    assert 0 < step_number(page) < 3000


def test_the_text_loads_its_experiments(open_page):
    page = open_page()
    page.locator("button[data-widget=playground]").nth(1).click()
    page.wait_for_function(f"{WIDGET}.trainer.steps >= 5")
    press(page, "Pause")  # a replay can be stopped where one likes
    assert step_number(page) < 800
    assert playground(page, "Loss").input_value() == "relativistic"
    assert playground(page, "Penalty on D").input_value() == "r1_r2"
    page.locator("button[data-widget=orbits]").last.click()
    assert page.locator("#orbits").get_by_label("Method", exact=True).input_value() == "r1"
    assert "converges" in page.locator("#orbits [role=status]").inner_text()


def test_the_reader_draws_points_with_the_pointer_and_by_keyboard(open_page):
    page = open_page()
    playground(page, "Data").select_option("drawn")
    canvas = page.locator("#playground .gp-picture")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    points = f"{WIDGET}.trainer.mixture.centres"
    assert page.evaluate(f"{points}.length") == 3
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 0.75 * box["height"])
    x, y = page.evaluate(f"{points}[3]")
    assert abs(x) < 0.02
    assert abs(y + 0.8) < 0.02
    canvas.focus()
    for key in ("ArrowUp", "ArrowRight", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    assert page.evaluate(f"{points}[4]") == [0.2, 0.1]
    page.keyboard.press("Backspace")
    assert page.evaluate(f"{points}.length") == 4
    press(page, "Step")
    assert re.fullmatch(r"\d of 4", page.locator("#playground dd").nth(1).inner_text())


def test_the_keyboard_alone_is_enough(open_page):
    page = open_page()

    def go_to(name):
        """Tabs until the element with this text or label has the focus, which must be seen."""
        for _ in range(60):
            page.keyboard.press("Tab")
            found, outline = page.evaluate(
                """() => { const e = document.activeElement;
                const label = e.labels && e.labels.length ? e.labels[0].textContent : e.textContent;
                return [label.trim(), getComputedStyle(e).outlineStyle]; }"""
            )
            if found == name:
                assert outline == "solid"
                return
        raise AssertionError(f"no way to {name!r} by the Tab key")

    page.locator("#playground .gp-picture").evaluate(
        "e => { e.tabIndex = -1; e.focus(); e.removeAttribute('tabindex'); }"
    )
    go_to("Play")
    page.keyboard.press("Enter")
    page.wait_for_function(f"{WIDGET}.trainer.steps >= 2")
    page.keyboard.press("Enter")
    assert not page.evaluate(f"{WIDGET}.playing")
    steps = step_number(page)
    go_to("Step")
    page.keyboard.press("Enter")
    assert step_number(page) == steps + 1
    go_to("both")
    page.keyboard.press("ArrowDown")
    assert page.evaluate(f"{WIDGET}.rules.train") == "d"
    go_to("Loss")
    page.keyboard.press("r")  # the first letter chooses
    assert page.evaluate(f"{WIDGET}.rules.loss") == "relativistic"


def test_every_control_has_a_name_and_figures_are_read_out(open_page):
    page = open_page()
    nameless = page.evaluate(
        """[...document.querySelectorAll(".gp input, .gp select, .gp button, .gp canvas")]
          .filter((e) => !(e.labels && e.labels.length) && !e.getAttribute("aria-label")
            && !(e.tagName === "BUTTON" && e.textContent.trim()))
          .map((e) => e.outerHTML)"""
    )
    assert nameless == []
    assert page.locator(".gp [aria-live=polite]").count() == 2


@pytest.mark.parametrize("width", [360, 768])
def test_a_phone_needs_no_scrolling_sideways(open_page, width):
    page = open_page(viewport={"width": width, "height": 740}, device_scale_factor=2)
    playground(page, "Data").select_option("drawn")
    press(page, "Link to this state")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    inside = page.evaluate(
        """[...document.querySelectorAll(".gp *")].filter((e) => e.offsetParent
          && e.getBoundingClientRect().right > innerWidth + 0.5).map((e) => e.outerHTML)"""
    )
    assert inside == []


def test_a_figure_stands_in_where_scripts_are_off(open_page):
    page = open_page(java_script_enabled=False)
    for name in ("playground", "orbits"):
        picture = page.locator(f"#{name} noscript img")
        assert picture.count() == 1
        assert len(picture.get_attribute("alt")) > 100
        assert picture.bounding_box()["width"] > 300
    assert page.locator("button.gp-load:visible").count() == 0


def test_the_orbit_follows_the_controls(open_page):
    page = open_page()
    orbits = page.locator("#orbits")
    said = orbits.locator("dd").first
    assert said.inner_text() == "spirals outwards"
    orbits.get_by_label("Updates", exact=True).select_option("alternating")
    assert said.inner_text().startswith("circles")
    orbits.get_by_label("Method", exact=True).select_option("r1")
    assert said.inner_text().startswith("converges")
    assert orbits.get_by_label("Gamma", exact=True).input_value() == "0.3"
    slider = orbits.get_by_label("Step size", exact=True)
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("gantutPlay.orbits.path[1]") != [1, 1]
    assert slider.input_value() == "0.21"
    orbits.get_by_role("button", name="Link to this state").click()
    again = open_page(fragment="#" + page.url.split("#")[1])
    same = "JSON.stringify(gantutPlay.orbits.path)"
    assert again.evaluate(same) == page.evaluate(same)
