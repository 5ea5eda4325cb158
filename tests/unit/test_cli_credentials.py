"""What a command shows of itself: where its token comes from, and what it says of files that can't be used."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from processor.cli.credentials import headers_of, token_of, trust_of
from processor.cli.options import Process

SECRET = "ots_" + "s" * 43


def test_a_token_comes_from_a_file_before_anything_else(tmp_path: Path) -> None:
    """Without the line break that editors and shells put there; without a token there is no header."""
    file = tmp_path / "token"
    file.write_text(f"  {SECRET}\n")
    assert headers_of(Process()) == {}
    assert headers_of(Process(token="other")) == {"Authorization": "Bearer other"}
    assert headers_of(Process(token="other", token_file=file)) == {"Authorization": f"Bearer {SECRET}"}
    assert SECRET not in repr(Process(token=SECRET))


@pytest.mark.parametrize(
    "content", [b"", b"\n", f"{SECRET} {SECRET}".encode(), f"{SECRET}\n{SECRET}".encode(), b"\xff"]
)
def test_a_file_that_holds_no_token_is_named_and_not_quoted(tmp_path: Path, content: bytes) -> None:
    """Nor is what was given on the command line."""
    file = tmp_path / "token"
    file.write_bytes(content)
    with pytest.raises(typer.BadParameter, match="holds no token") as error:
        token_of(Process(token_file=file))
    assert "ots_" not in str(error.value)
    with pytest.raises(typer.BadParameter, match="holds no token") as error:
        token_of(Process(token=f"{SECRET} x"))
    assert "ots_" not in str(error.value)


def test_files_that_are_not_there_are_named(tmp_path: Path) -> None:
    """Each with its option."""
    nowhere = tmp_path / "nowhere"
    with pytest.raises(typer.BadParameter, match="nowhere"):
        token_of(Process(token_file=nowhere))
    for options in ({"ca_file": nowhere}, {"cert_file": nowhere}, {"cert_file": nowhere, "key_file": nowhere}):
        with pytest.raises(typer.BadParameter, match="nowhere"):
            trust_of(Process(**options))  # type: ignore[arg-type]
    with pytest.raises(typer.BadParameter, match="--cert-file"):
        trust_of(Process(key_file=nowhere))
    assert trust_of(Process()) is True
