"""The page "Play" in a real browser: the built page, or one put together from its sources."""

import re
import shutil

import numpy as np
import pytest
from markdown_it import MarkdownIt
from project import BOOK, BUILD

import gantut
from gantut import judge, metrics, networks, results, sampling
from gantut.applications import conditional

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
    if (BUILD / "static").is_dir():  # what the widgets load that open later
        shutil.copytree(BUILD / "static", folder / "_static", dirs_exist_ok=True)
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
    for name in ("playground", "sides", "orbits"):
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
    page.locator("button[data-widget=orbits]:not([data-assert])").last.click()
    assert page.locator("#orbits").get_by_label("Method", exact=True).input_value() == "r1"
    assert "converges" in page.locator("#orbits [role=status]").inner_text()


def test_each_solution_shows_what_it_says(open_page, exported):
    """A button of a solution carries what must come true after it was pressed: data-assert."""
    page = open_page()
    page.set_default_timeout(120_000)  # the longest replays 300 steps
    buttons = page.locator("button[data-assert]")
    widgets = buttons.evaluate_all("(all) => all.map((e) => e.dataset.widget)")
    assert {"playground", "orbits", "explorer"} <= set(widgets)
    # A solution is folded away where the page has its theme.
    page.locator(".solution .toggle-button").evaluate_all("(all) => all.forEach((e) => e.click())")
    for i, widget in enumerate(widgets):
        button = buttons.nth(i)
        claim = button.get_attribute("data-assert")
        assert not page.evaluate(f"Boolean(window.gantutPlay.{widget} && ({claim}))"), claim
        button.click()
        page.wait_for_function(f"window.gantutPlay.{widget} && ({claim})")


def test_a_gan_and_a_flow_train_side_by_side(open_page):
    page = open_page()
    page.locator("#sides").get_by_role("button", name="100 steps", exact=True).click()
    page.evaluate("gantutPlay.sides.advance(200)")
    steps = page.locator("#sides").get_by_label("Steps of the flow", exact=True)
    found = {}
    for passes in ("1", "8"):
        steps.select_option(passes)
        assert page.locator("#sides table caption").inner_text() == "After 300 training steps"
        modes = page.locator("#sides tbody tr").nth(1).locator("td").all_inner_texts()
        found[passes] = [int(text.split(" of ")[0]) for text in modes]
    assert found["1"][0] == found["8"][0] >= 7  # the GAN does not depend on the flow's steps
    assert found["1"][1] <= 1
    assert found["8"][1] == 8
    page.locator("#sides").get_by_role("button", name="Link to this state", exact=True).click()
    link = page.locator("#sides").get_by_label("Link", exact=True).input_value()
    again = open_page(fragment="#" + link.split("#")[1])
    again.wait_for_function(
        "!gantutPlay.sides.playing && gantutPlay.sides.trainers.flow.steps === 300"
    )
    weights = "Array.from(gantutPlay.sides.trainers.flow.v.values)"
    assert again.evaluate(weights) == page.evaluate(weights)
    broken = open_page(fragment="#sides?v=1&data=cube&seed=0&passes=8&steps=5")
    said = broken.locator("#sides [role=status]").inner_text()
    assert said == "This link cannot be read."


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
    assert page.locator(".gp [aria-live=polite]").count() == page.locator(".gp").count()


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
    for name in ("film", "explorer"):
        picture = page.locator(f"#{name} img")
        assert len(picture.get_attribute("alt")) > 100
        picture.scroll_into_view_if_needed()
        assert picture.bounding_box()["width"] > 300
        assert page.locator(f"#{name} button").count() == 0
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


# --- One step ------------------------------------------------------------------------------------


def stage(page):
    """The number that the widget says, the marked lines of code, and the pictures that are seen."""
    said = page.locator("#step [role=status]").inner_text()
    lines = page.locator("#step [aria-current=step]").all_inner_texts()
    return int(said[0]), lines, page.locator("#step canvas:visible").count()


def test_the_step_is_walked_forward_and_back(open_page):
    page = open_page()
    top = page.locator("#step pre").bounding_box()["y"]
    pictures = [4, 12, 12, 12, 12, 8, 8, 12]
    seen = []
    button = page.locator("#step .gp-main")
    button.focus()
    for i, count in enumerate(pictures):
        number, lines, visible = stage(page)
        assert (number, visible) == (i, count)
        assert page.locator("#step pre").bounding_box()["y"] == top  # nothing shifts
        seen.append(lines)
        page.keyboard.press("Enter")
    assert stage(page)[0] == 0  # "Again"
    assert [len(lines) for lines in seen] == [1, 1, 3, 2, 2, 2, 1, 2]
    assert seen[4][1].strip() == "d_optimizer.apply(gradients, discriminator.trainable_variables)"
    assert len({line for lines in seen for line in lines}) == 13  # one is there twice
    page.locator("button[data-widget=step]").click()
    back = page.locator("#step").get_by_role("button", name="Back")
    for i in range(7, 0, -1):
        assert stage(page) == (i, seen[i], pictures[i])
        back.click()
    back.focus()
    page.keyboard.press("Enter")  # nothing comes before the first
    assert stage(page) == (0, seen[0], 4)


def test_the_step_shows_the_numbers_of_its_data(open_page):
    page = open_page(fragment="#step?v=1&stage=7")
    assert stage(page)[0] == 7
    data = page.evaluate("gantutPlay.stepData")
    rows = page.locator("#step .gp-four:has(span)").evaluate_all(
        "(all) => all.map((e) => Array.from(e.children, (x) => +x.textContent.replace('−', '-')))"
    )
    d, g = data["discriminator"], data["generator"]
    fake, real, new = (np.array(x) for x in (d["fake_logits"], d["real_logits"], g["fake_logits"]))
    wanted = [fake, np.logaddexp(0, fake), real, np.logaddexp(0, -real), new, np.logaddexp(0, -new),
              -1 / (1 + np.exp(new)) / 4, np.full(4, 0.25)]  # fmt: skip
    np.testing.assert_allclose(rows, wanted, atol=0.00502)
    results = page.locator("#step .gp-result").all_text_contents()
    losses = [half[name] for half in (d, g) for name in ("loss", "loss_after")]
    for text, loss in zip(results, losses, strict=True):
        assert f"loss = {loss:.3f}" in text


# --- Film and explorer ---------------------------------------------------------------------------

EXPLORER = "gantutPlay.explorer"
FILES = ("tfjs/tf-core.es2017.min.js", "tfjs/tf-backend-cpu.es2017.min.js", "play/explorer-data.js")


@pytest.fixture
def exported(site):
    """The folder of static files, with what the explorer loads in it."""
    folder = site.parent.parent / "_static"
    missing = [file for file in FILES if not (folder / file).is_file()]
    if missing and site != BUILT:
        pytest.skip(f"{missing} missing: run tools/vendor.py and tools/export_generator.py")
    assert missing == []
    return folder


@pytest.fixture
def open_widget(open_page, exported):
    """Opens the page, and in it a widget that waits for the reader."""

    def start(name, page=None):
        page = page or open_page()
        page.locator(f"#{name} > button").click()
        page.wait_for_function(f"window.gantutPlay.{name}")
        return page

    return start


def slide(page, name, label, value):
    """Moves a slider as a hand does."""
    page.locator(f"#{name}").get_by_label(label, exact=True).evaluate(
        "(e, value) => { e.value = value; e.dispatchEvent(new Event('input')); }", value
    )


def picture(page, selector):
    return page.locator(selector).evaluate("(canvas) => canvas.toDataURL()")


def shown(page):
    """The explorer's picture as an array (1, 28, 28, 1)."""
    return np.array(page.evaluate(f"Array.from({EXPLORER}.pixels)")).reshape(1, 28, 28, 1)


def place(page):
    """The latent vector of the mark on the map."""
    return np.array(page.evaluate(f"{EXPLORER}.vector({EXPLORER}.here())"))


@pytest.fixture(scope="module")
def generator():
    """What Keras makes of latent vectors and shares of the classes."""
    model = networks.soft_labels(gantut.load("conditional_fast"))
    return lambda z, shares: sampling.render(model, z, np.asarray(shares, np.float32))


def one_hot(*labels):
    return np.eye(10)[list(labels)]


@pytest.mark.parametrize("name", ["film", "explorer"])
def test_a_large_widget_loads_when_it_is_opened_and_says_how_much(open_page, exported, name):
    page = open_page()
    files = [exported / file for file in (FILES if name == "explorer" else ("play/film-data.js",))]
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    before = page.evaluate("performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert not any(url.endswith(file.name) for file in files for url in before)
    assert page.locator(f"#{name} img").count() == 1
    button = page.locator(f"#{name} > button")
    total = sum(file.stat().st_size for file in files)
    assert button.inner_text().endswith(f"(loads {total / 1e6:.1f} MB)")
    button.focus()
    page.keyboard.press("Enter")
    page.wait_for_function(f"window.gantutPlay.{name}")
    scripts = [url.rsplit("/", 1)[1] for url in asked if url.endswith(".js")]
    assert scripts == [file.name for file in files]
    assert page.locator(f"#{name} img").count() == 0
    assert page.evaluate(f"document.activeElement.closest('#{name}') !== null")


def test_both_open_from_a_server(open_widget, open_page, site, serve):
    page = open_page(address=serve(site.parent.parent))
    open_widget("film", page)
    open_widget("explorer", page)
    assert page.locator("#film canvas, #explorer canvas").count() == 7


def test_what_cannot_be_loaded_is_said_and_the_figure_stays(open_page):
    page = open_page()
    page.route("**/film-data.js", lambda route: route.fulfill(status=200, body=""))
    page.locator("#film > button").click()
    page.wait_for_function(
        "document.querySelector('#film [role=status]').textContent.startsWith('This did not work:')"
    )
    assert page.locator("#film img").count() == 1
    assert page.locator("#film > button").is_visible()


def test_the_explorers_pictures_are_those_of_keras(open_widget, generator):
    page = open_widget("explorer")
    rng = np.random.default_rng(11)
    z = rng.standard_normal((60, 32)).astype(np.float32)
    z[50:] *= 2.0
    shares = np.concatenate([one_hot(*(i % 10 for i in range(40))), rng.dirichlet([1] * 10, 20)])
    shares = shares.astype(np.float32)
    found = page.evaluate(
        f"([z, y]) => Array.from({EXPLORER}.generator.pictures(z, y))",
        [z.tolist(), shares.tolist()],
    )
    wanted = generator(z, shares)
    assert np.abs(np.reshape(found, wanted.shape) - wanted).max() <= 1e-5
    assert wanted.std() > 0.3  # these are pictures


def test_the_buttons_choose_the_class(open_widget, generator):
    page = open_widget("explorer")
    z = place(page)
    read = []
    for label in (7, 0, 2, 9):
        page.locator("#explorer").get_by_label(str(label), exact=True).check()
        np.testing.assert_allclose(place(page), z)
        assert np.abs(shown(page) - generator([z], one_hot(label))).max() <= 1e-5
        assert page.locator("#explorer .gp-caption").first.inner_text().endswith(f": {label}")
        read.append(int(judge.probabilities(shown(page).astype(np.float32)).argmax()))
    assert read == [7, 0, 2, 9]
    before = shown(page)
    page.locator("#explorer").get_by_role("button", name="Another draw").click()
    assert np.abs(shown(page) - before).max() > 0.5


def test_the_nearest_training_digit_stands_beside_it(open_widget):
    page = open_widget("explorer")
    digits = gantut.load_mnist()
    found = metrics.nearest_training_images(shown(page), digits.x_train[:4000])
    (distance,), (index,) = found.distances[0], found.indices[0]
    caption = page.locator("#explorer .gp-caption").nth(1).inner_text()
    assert caption == f"training digit no. {index + 1:,}: {digits.y_train[index]}"
    # The page's digits have 16 greys.
    assert abs(float(page.locator("#explorer dd").inner_text()) - distance) < 0.1


def test_the_map_is_walked_by_pointer_keys_and_sliders(open_widget, generator):
    page = open_widget("explorer")
    pad = page.locator("#explorer .gp-drag")
    directions = np.array(page.evaluate(f"{EXPLORER}.data.directions"))
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.75 * box["width"], box["y"] + 0.25 * box["height"])
    page.mouse.up()
    np.testing.assert_allclose(directions[:2] @ place(page), [1.75, 1.75], atol=0.03)
    before = picture(page, "#explorer .gp-pair canvas >> nth=0")
    pad.focus()
    for key in ("ArrowLeft", "ArrowLeft", "Shift+ArrowDown"):
        page.keyboard.press(key)
    np.testing.assert_allclose(directions[:2] @ place(page), [1.25, 0.75], atol=0.03)
    assert picture(page, "#explorer .gp-pair canvas >> nth=0") != before
    slide(page, "explorer", "Down to up: place", -3)
    np.testing.assert_allclose(directions[:2] @ place(page), [1.25, -3], atol=0.03)
    assert np.abs(shown(page) - generator([place(page)], one_hot(4))).max() <= 1e-5
    # Another direction turns the map; two axes never have the same.
    page.locator("#explorer").get_by_label("Left to right", exact=True).select_option("1")
    assert page.evaluate(f"{EXPLORER}.here().directions") == [1, 0]


def test_the_way_leads_from_one_digit_to_the_other(open_widget, generator):
    page = open_widget("explorer")
    first = place(page)
    press_in = page.locator("#explorer").get_by_role("button", name="Map's digit as the first")
    page.locator("#explorer").get_by_label("1", exact=True).check()
    press_in.click()
    page.locator("#explorer").get_by_role("button", name="Another draw").click()
    page.locator("#explorer").get_by_label("8", exact=True).check()
    second = place(page)
    page.locator("#explorer").get_by_role("button", name="Map's digit as the second").click()
    for t in (0, 0.25, 0.5, 1):
        slide(page, "explorer", "Share of the way", t)
        z = conditional.slerp(first, second, [t])
        shares = (1 - t) * one_hot(1) + t * one_hot(8)
        assert np.abs(shown(page) - generator(z, shares)).max() <= 1e-5
    page.locator("#explorer").get_by_label("Share of the way", exact=True).focus()
    page.keyboard.press("ArrowLeft")
    caption = page.locator("#explorer .gp-caption").first.inner_text()
    assert caption == "generated, 99 % of the way from 1 to 8"


def test_a_link_restores_the_explorer(open_widget, open_page):
    page = open_widget("explorer")
    page.locator("#explorer").get_by_label("6", exact=True).check()
    page.locator("#explorer").get_by_label("Down to up", exact=True).select_option("3")
    slide(page, "explorer", "Left to right: place", 1.5)
    slide(page, "explorer", "Share of the way", 0.3)
    page.locator("#explorer").get_by_role("button", name="Link to this state").click()
    again = open_page(fragment="#" + page.url.split("#")[1])
    again.wait_for_function(f"window.{EXPLORER} && {EXPLORER}.walking")
    for state in ("pixels", "here()", "first", "second"):
        read = f"JSON.stringify({EXPLORER}.{state})"
        assert again.evaluate(read) == page.evaluate(read)
    for broken in ("v=2", "v=1&at=4_1_0_0_0_0&first=4_1_0_1_0_0&second=9_1_0_1_0_0",
                   "v=1&at=4_1_0_1_9_0&first=4_1_0_1_0_0&second=9_1_0_1_0_0"):  # fmt: skip
        page = open_page(fragment=f"#explorer?{broken}")
        page.wait_for_function(f"window.{EXPLORER}")
        said = page.locator("#explorer [role=status]").inner_text()
        assert said == "This link cannot be read."


def test_a_button_of_the_text_opens_the_explorer_at_its_place(open_page, exported):
    page = open_page()
    page.locator("button[data-widget=explorer]:not([data-assert])").last.click()
    page.wait_for_function(f"window.{EXPLORER} && {EXPLORER}.walking")
    caption = page.locator("#explorer .gp-caption").first.inner_text()
    assert caption == "generated, 50 % of the way from 1 to 0"


def frame(page):
    return page.evaluate("gantutPlay.film.frame")


def test_the_film_is_scrubbed_and_its_curves_follow(open_widget, open_page):
    page = open_widget("film")
    rows = results.load("film")["rows"]
    frames = results.select(rows, kind="frame")
    losses = results.select(rows, kind="loss")
    curves = ["#film .gp-history >> nth=0", "#film .gp-history >> nth=1"]
    seen = set()
    for i in (0, 12, 32):
        slide(page, "film", "Frame", i)
        row = frames[i]
        figures = page.locator("#film dd").all_inner_texts()
        assert figures[0] == f"{row['step']:,}"
        assert figures[2] == f"{row['read']} of 50"
        assert figures[3] == f"{row['frechet_ratio']:.1f} floors"
        before = [loss for loss in losses if loss["step"] <= row["step"]]
        wanted = f"{before[-1]['g_loss']:.3f}" if before else "none yet"
        assert figures[4] == wanted
        seen.add((picture(page, "#film .gp-picture"), *(picture(page, one) for one in curves)))
    assert [len(set(column)) for column in zip(*seen, strict=True)] == [3, 3, 3]
    page.locator("#film").get_by_label("Frame", exact=True).focus()
    page.keyboard.press("ArrowLeft")
    assert frame(page) == 31
    page.locator("#film").get_by_role("button", name="Link to this state").click()
    again = open_page(fragment="#" + page.url.split("#")[1])
    again.wait_for_function("window.gantutPlay.film && gantutPlay.film.frame === 31")


def test_the_film_plays_and_pauses(open_widget):
    page = open_widget("film")
    button = page.locator("#film > .gp-row button")
    button.focus()
    page.keyboard.press("Enter")
    assert button.inner_text() == "Pause"
    page.wait_for_function("gantutPlay.film.frame >= 2")
    page.keyboard.press("Enter")
    stopped = frame(page)
    page.wait_for_timeout(600)
    assert frame(page) == stopped
    assert button.inner_text() == "Play"
    slide(page, "film", "Frame", 31)
    button.click()
    page.wait_for_function("gantutPlay.film.frame === 32 && gantutPlay.film.timer === null")
    assert button.inner_text() == "Play"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_opened_widgets_fit_a_phone_and_have_names(open_page, open_widget, theme):
    page = open_page(viewport={"width": 360, "height": 740}, device_scale_factor=2)
    page.evaluate("(theme) => { document.documentElement.dataset.theme = theme; }", theme)
    open_widget("film", page)
    open_widget("explorer", page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    inside = page.evaluate(
        """[...document.querySelectorAll(".gp *")].filter((e) => e.offsetParent
          && e.getBoundingClientRect().right > innerWidth + 0.5).map((e) => e.outerHTML)"""
    )
    assert inside == []
    nameless = page.evaluate(
        """[...document.querySelectorAll(".gp input, .gp select, .gp button, .gp canvas")]
          .filter((e) => !(e.labels && e.labels.length) && !e.getAttribute("aria-label")
            && !(e.tagName === "BUTTON" && e.textContent.trim()))
          .map((e) => e.outerHTML)"""
    )
    assert nameless == []
