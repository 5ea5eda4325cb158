"""Everything that fuzzing found worth keeping, once more: inputs that reach code that no other reaches."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"
BYTES_MAX = 2_000_000


@pytest.mark.parametrize("target", TARGETS)
def test_every_kept_input_keeps_every_rule(target: str) -> None:
    """And there are some: a target without inputs would hold by itself."""
    inputs = sorted((CORPUS / target).iterdir())
    assert inputs
    for path in inputs:
        try:
            TARGETS[target](path.read_bytes())
        except Exception as error:
            error.add_note(f"input: {path}")
            raise


def test_the_corpus_stays_small() -> None:
    """A clone should not pay for it."""
    assert sum(path.stat().st_size for path in CORPUS.rglob("*") if path.is_file()) < BYTES_MAX
