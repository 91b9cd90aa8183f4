"""The browser that these tests drive: the system's Chromium, with the network closed."""

import functools
import http.server
import os
import threading

import pytest
from project import BROWSERS, find_browser

# No name is resolved and no other machine is reached, whatever a page asks for.
CLOSED = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"


@pytest.fixture(scope="session")
def chromium():
    """The path of the browser; without one the tests are skipped, but not in CI."""
    found = find_browser()
    if found is None and not os.environ.get("CI"):
        pytest.skip(f"no Chromium here: none of {', '.join(BROWSERS)} is installed")
    assert found is not None, "CI is set, and there is no Chromium"
    return found


@pytest.fixture(scope="session")
def browser(chromium):
    """One browser for all tests."""
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    with playwright.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=chromium, args=["--no-sandbox", CLOSED])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def serve():
    """A function that serves a folder at http://127.0.0.1 and returns the address."""
    servers = []

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    def start(folder):
        handler = functools.partial(Quiet, directory=str(folder))
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()
