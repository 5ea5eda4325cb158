"""Files of an export: whole under their name, or not there."""

from __future__ import annotations

import errno
import os
import signal
from pathlib import Path

import pytest
import typer

from processor.cli.export import format_of, whole_file
from processor.cli.options import Format


def test_a_file_appears_whole_and_replaces_the_old_one(tmp_path: Path) -> None:
    """Until then the old one is there; afterwards nothing else is."""
    file = tmp_path / "sessions.csv"
    file.write_text("old")
    file.chmod(0o640)
    with whole_file(file) as out:
        out.write(b"new")
        assert file.read_text() == "old"
    assert file.read_text() == "new"
    assert file.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [file]


def test_a_new_file_may_be_read_by_whom_the_mask_allows(tmp_path: Path) -> None:
    """As if the shell had created it."""
    before = os.umask(0o027)
    try:
        with whole_file(tmp_path / "new.csv") as out:
            out.write(b"")
    finally:
        os.umask(before)
    assert (tmp_path / "new.csv").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, SystemExit])
def test_what_is_interrupted_leaves_the_old_file(tmp_path: Path, error: type[BaseException]) -> None:
    """And no half one, under any name."""
    file = tmp_path / "sessions.csv"
    file.write_text("old")

    def interrupted() -> None:
        with whole_file(file) as out:
            out.write(b"half")
            raise error

    with pytest.raises(error):
        interrupted()
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_end_tidies_up(tmp_path: Path, number: signal.Signals) -> None:
    """The exit code is the shell's for the signal, and its handler is the old one again."""
    before = signal.getsignal(number)

    def told_to_end() -> None:
        with whole_file(tmp_path / "sessions.csv") as out:
            out.write(b"half")
            signal.raise_signal(number)

    with pytest.raises(SystemExit) as caught:
        told_to_end()
    assert caught.value.code == 128 + number
    assert list(tmp_path.iterdir()) == []
    assert signal.getsignal(number) == before


def test_a_link_keeps_pointing(tmp_path: Path) -> None:
    """What it points to is replaced."""
    (tmp_path / "real.csv").write_text("old")
    link = tmp_path / "latest.csv"
    link.symlink_to("real.csv")
    with whole_file(link) as out:
        out.write(b"new")
    assert link.is_symlink()
    assert (tmp_path / "real.csv").read_text() == "new"


def test_a_pipe_is_written_and_not_replaced(tmp_path: Path) -> None:
    """As is a device like /dev/null."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with whole_file(pipe) as out:
            out.write(b"rows")
        assert os.read(reader, 100) == b"rows"
    finally:
        os.close(reader)
    assert pipe.is_fifo()


@pytest.mark.parametrize("folder", ["nowhere", "file"])
def test_a_folder_that_is_none_is_named(tmp_path: Path, folder: str) -> None:
    """The error says which."""
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=folder) as caught, whole_file(tmp_path / folder / "sessions.csv"):
        pytest.fail("there is nothing to write to")
    assert caught.value.filename == str(tmp_path / folder)


def test_a_full_disk_is_told_with_the_file(tmp_path: Path) -> None:
    """An error that knows no file gets its name."""

    def out_of_space() -> None:
        with whole_file(tmp_path / "sessions.csv"):
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left") as caught:
        out_of_space()
    assert caught.value.filename == str(tmp_path / "sessions.csv")
    assert list(tmp_path.iterdir()) == []


def test_the_format_is_what_the_file_ends_in() -> None:
    """Unless one is asked for; stdout is CSV."""
    for name, output in (("a.csv", Format.CSV), ("a.NDJSON", Format.NDJSON), ("a.jsonl", Format.NDJSON)):
        assert format_of(Path(name), None) is output
    assert format_of(Path("a.parquet"), None) is Format.PARQUET
    assert format_of(Path("a.csv"), Format.PARQUET) is Format.PARQUET
    assert format_of(Path("-"), None) is Format.CSV


@pytest.mark.parametrize(("name", "asked"), [("a.json", None), ("a", None), ("a.csv", Format.TABLE)])
def test_a_format_that_is_none_of_an_export_is_a_usage_error(name: str, asked: Format | None) -> None:
    """It names those that are."""
    with pytest.raises(typer.BadParameter, match=r"csv.*ndjson.*parquet"):
        format_of(Path(name), asked)
