"""docs/configuration.md names every option there is, as the program has it. UPDATE_GOLDEN=1 writes the page anew."""

from __future__ import annotations

import os
from pathlib import Path

from tests.architecture.configuration_doc import configuration_doc

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_the_page_says_what_the_dataclasses_say() -> None:
    """Type, default, range and help of every option."""
    if os.environ.get("UPDATE_GOLDEN"):
        PAGE.write_text(configuration_doc())
    assert PAGE.read_text() == configuration_doc()
