from __future__ import annotations

from pathlib import Path

from cachemw_codecs.container.sources import of_bytes, of_file

DATA = bytes(range(200))


def test_memory_and_files_give_the_same_ranges(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(DATA)
    with path.open("rb") as file:
        file.seek(17)
        for read in (of_bytes(DATA), of_bytes(memoryview(DATA)), of_file(file)):
            assert read(0, 3) == b"\x00\x01\x02"
            assert read(190, 5) == DATA[190:195]
            assert read(190, 50) == DATA[190:]
            assert read(200, 1) == read(500, 1) == read(3, 0) == b""
        assert file.tell() == 17
