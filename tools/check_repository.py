"""Fails unless this workflow runs in the repository that _config.yml names.

The set-up cells of the published pages install the package from that address: pages are published
from there alone, so that no reader ever installs a stranger's package.
"""

import os
import sys

from project import repository_url


def problem(running_in: str, url: str) -> str | None:
    """Why pages may not be published from the repository ``running_in``, or None.

    Args:
        running_in: "owner/name", as GitHub's runner gives it in GITHUB_REPOSITORY.
        url: The address in _config.yml.
    """
    if not running_in:
        return "GITHUB_REPOSITORY is not set: this is for a GitHub workflow"
    if url != f"https://github.com/{running_in}":
        return (
            f"_config.yml says the repository is {url}, this is https://github.com/{running_in}: "
            "write the address there, then make setup-cells"
        )
    return None


if __name__ == "__main__":
    sys.exit(problem(os.environ.get("GITHUB_REPOSITORY", ""), repository_url()))
