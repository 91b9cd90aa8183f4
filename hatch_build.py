"""Puts the recorded results into the wheel, where `gantut.results` looks for them first."""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class RecordedResults(BuildHookInterface):
    """Copies benchmarks/results; an editable install reads them where they are made."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Names the folder to copy."""
        if version != "editable":
            build_data["force_include"]["benchmarks/results"] = "gantut/results"
