"""Makes the picture at the top of README.md from the built book: digits, the playground, a page.

Run it after ``make book`` when those have changed.
"""

import base64
import io
import sys

from PIL import Image
from playwright.sync_api import sync_playwright
from project import BROWSERS, BUILD, ROOT, find_browser

TARGET = ROOT / ".github/book.webp"
DIGITS = "#welcome-digits img"
CURED = "button[data-widget=playground][data-settings*='run=r_2_0.3_0.001_0.002_b_800']"
# On any ground: outside the cards it shows through.
CARDS = """<style>body {{margin: 0; width: 1240px; height: 680px; display: flex; gap: 16px}}
div {{display: flex; flex-direction: column; gap: 16px; width: 560px}}
span {{border: 1px solid #888; border-radius: 8px; background: white; overflow: hidden}}
span {{flex: 1; display: block}} span.digits {{flex: none; padding: 4px}}
img {{width: 100%; display: block}}</style>
<div><span class="digits"><img src="{}"></span><span><img src="{}"></span></div>
<span><img src="{}"></span>"""


def source(png: bytes) -> str:
    """A picture as an address."""
    return "data:image/png;base64," + base64.b64encode(png).decode()


def main() -> None:
    """Opens three pages and puts what they show into one picture."""
    book = (BUILD / "html/book").as_uri()
    browser = find_browser()
    if browser is None or not (BUILD / "html/index.html").is_file():
        sys.exit(f"needed: make book, and one of {', '.join(BROWSERS)}")
    with sync_playwright() as p:
        chromium = p.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        tab = chromium.new_page(device_scale_factor=2, viewport={"width": 1240, "height": 800})
        tab.set_default_timeout(120_000)
        tab.goto(f"{book}/welcome.html")
        digits = tab.locator(DIGITS).screenshot()
        tab.goto(f"{book}/play.html")
        tab.locator(CURED).first.click()
        tab.wait_for_function("() => gantutPlay.playground?.trainer.steps === 800")
        playground = tab.locator("#playground").screenshot()
        tab.set_viewport_size({"width": 860, "height": 900})
        tab.goto(f"{book}/background.html")
        tab.wait_for_function("() => MathJax.startup.promise.then(() => true)")
        tab.locator(".bd-header-article").evaluate("(e) => { e.style.visibility = 'hidden'; }")
        page = tab.screenshot()
        tab.set_viewport_size({"width": 1240, "height": 680})
        tab.set_content(CARDS.format(*map(source, (digits, playground, page))))
        picture = Image.open(io.BytesIO(tab.screenshot(omit_background=True)))
        chromium.close()
    picture.save(TARGET, quality=80, method=6)
    print(f"{TARGET.relative_to(ROOT)}: {TARGET.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
