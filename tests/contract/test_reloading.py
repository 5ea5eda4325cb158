"""Files that are read again: a change counts, half of one does not, and nothing is the end of looking."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from processor.errors import ConfigError
from processor.reloading import FILE_BYTES_MAX, Reloading


async def until(holds: Callable[[], bool]) -> None:
    """Look until it holds."""
    while not holds():  # noqa: ASYNC110 (another process's files)
        await asyncio.sleep(0.005)


def looking(file: Path, scenario: Callable[[Reloading, list[bytes], list[Any]], Awaitable[None]]) -> None:
    """Run a scenario with a file that may not hold `bad` or `worse`, all that was used of it, and the log."""
    used: list[bytes] = []

    def use(contents: Sequence[bytes]) -> None:
        if contents[0] == b"bad":
            raise ConfigError("it is bad")
        if contents[0] == b"worse":
            raise RecursionError("secret")
        used.append(contents[0])

    async def run() -> None:
        reloading = Reloading([str(file)], use, 0.01, "it")
        with capture_logs() as lines:
            try:
                await scenario(reloading, used, lines)
            finally:
                await reloading.stop()
                await reloading.stop()

    asyncio.run(run())


def test_a_change_counts_and_a_touch_does_not(tmp_path: Path) -> None:
    """By content; also where a symbolic link is turned to another file, as Kubernetes does."""
    first, second, link = tmp_path / "1", tmp_path / "2", tmp_path / "link"
    first.write_bytes(b"one")
    second.write_bytes(b"two")
    link.symlink_to(first)

    async def scenario(reloading: Reloading, used: list[bytes], _: list[Any]) -> None:
        await reloading.start()
        await reloading.start()
        first.touch()
        other = tmp_path / "other"
        other.symlink_to(second)
        other.replace(link)
        await until(lambda: used == [b"one", b"two"])

    looking(link, scenario)


def test_what_can_not_be_used_is_said_once_and_changes_nothing(tmp_path: Path) -> None:
    """A file that is wrong, gone, or makes the reader fail; the next good one counts."""
    file = tmp_path / "file"
    file.write_bytes(b"one")

    async def scenario(reloading: Reloading, used: list[bytes], lines: list[Any]) -> None:
        await reloading.start()

        def said() -> list[str]:
            return [line["error"] for line in lines if line["event"] == "not_reloaded"]

        file.write_bytes(b"bad")
        await until(lambda: said() == ["it is bad"])
        file.unlink()
        await until(lambda: len(said()) == 2)
        file.write_bytes(b"worse")
        await until(lambda: len(said()) >= 3)
        assert said()[-1] == "can't be read: RecursionError"
        file.write_bytes(b"two")
        await until(lambda: used == [b"one", b"two"])

    looking(file, scenario)


@pytest.mark.parametrize("content", [None, b"bad"])
def test_at_the_start_it_is_an_error(tmp_path: Path, content: bytes | None) -> None:
    """Nothing was in use before."""
    file = tmp_path / "file"
    if content is not None:
        file.write_bytes(content)

    async def scenario(reloading: Reloading, _: list[bytes], __: list[Any]) -> None:
        with pytest.raises(ConfigError):
            await reloading.start()

    looking(file, scenario)


def test_a_file_has_a_size_that_it_may_have(tmp_path: Path) -> None:
    """A device that never ends is refused as well."""

    async def scenario(reloading: Reloading, _: list[bytes], __: list[Any]) -> None:
        with pytest.raises(ConfigError, match=f"larger than {FILE_BYTES_MAX}"):
            await reloading.start()

    looking(Path("/dev/zero"), scenario)
