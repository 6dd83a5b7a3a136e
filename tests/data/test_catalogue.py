"""The table of published files: a file once, with a whole sha256, at an address that is fixed."""

from __future__ import annotations

import re
from collections import Counter

from marapatch.data.catalogue import FOLDERS, Folder

FILES = [file for folder in FOLDERS for file in folder.files()]


def test_a_listing_becomes_paths_and_addresses() -> None:
    folder = Folder("set", "https://example.org/raw/", "\nab one.onnx\ncd two.nnet\n", "onnx/")
    assert list(folder.files()) == [
        ("set/onnx/one.onnx", "https://example.org/raw/one.onnx", "ab"),
        ("set/onnx/two.nnet", "https://example.org/raw/two.nnet", "cd"),
    ]


def test_every_file_is_there_once() -> None:
    counts = Counter(path for path, _, _ in FILES)
    assert counts.most_common(1)[0][1] == 1
    assert {path.partition("/")[0] for path, _, _ in FILES} >= {"acasxu", "mnist_nets", "reassure"}


def test_every_file_has_a_sha256_and_an_address_of_one_commit() -> None:
    for path, address, digest in FILES:
        assert re.fullmatch(r"[0-9a-f]{64}", digest), path
        assert re.search(r"/[0-9a-f]{40}/", address), path
        assert path.endswith(address.rsplit("/", 1)[1])
        assert not path.startswith("/")
        assert ".." not in path
