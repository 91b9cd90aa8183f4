"""The browser that these tests drive: the system's Chromium."""

import os
import shutil

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


@pytest.fixture(scope="session")
def chromium():
    """The path of the browser; without one the tests are skipped, but not in CI."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None and not os.environ.get("CI"):
        pytest.skip(f"no Chromium here: none of {', '.join(NAMES)} is installed")
    assert found is not None, "CI is set, and there is no Chromium"
    return found
