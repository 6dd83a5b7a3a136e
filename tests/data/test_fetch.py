"""Benchmark data: found where they are, fetched where they are not, and never used unchecked."""

from __future__ import annotations

import gzip
import hashlib
import io
import struct
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from marapatch.data import fetch as data
from marapatch.data.fetch import (
    ASSEMBLED,
    FILES,
    Assembled,
    Part,
    Plain,
    data_sets,
    fetch,
    is_good,
    locate,
)
from marapatch.errors import InputError


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder, and the address at which it is published."""
    folder = tmp_path / "site"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("MARAPATCH_DATA", raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    data._get.cache_clear()
    return data.cache()


def published(site: tuple[Path, str], content: bytes = b"a network") -> Plain:
    folder, address = site
    (folder / "net.onnx").write_bytes(content)
    return Plain("nets/net.onnx", f"{address}net.onnx", hashlib.sha256(content).hexdigest())


def files_below(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_a_file_is_fetched_once_into_the_cache(site: tuple[Path, str], own_cache: Path) -> None:
    file = published(site)
    assert fetch(file) == (own_cache / "nets/net.onnx", "downloaded")
    (site[0] / "net.onnx").unlink()
    assert fetch(file) == (own_cache / "nets/net.onnx", "is there")
    assert (own_cache / "nets/net.onnx").read_bytes() == b"a network"
    assert files_below(own_cache) == ["nets/net.onnx"]
    assert locate("nets/net.onnx") == own_cache / "nets/net.onnx"


def test_a_file_is_fetched_below_another_folder(site: tuple[Path, str], tmp_path: Path) -> None:
    path, how = fetch(published(site), tmp_path / "here")
    assert (path, how) == (tmp_path / "here/nets/net.onnx", "downloaded")
    assert path.read_bytes() == b"a network"


def test_a_wrong_sha256_is_an_error_and_nothing_is_kept(
    site: tuple[Path, str], own_cache: Path
) -> None:
    file = replace(published(site), sha256="0" * 64)
    with pytest.raises(InputError, match="not the published 0000"):
        fetch(file)
    assert files_below(own_cache) == []


def test_a_damaged_copy_is_replaced(site: tuple[Path, str], own_cache: Path) -> None:
    file = published(site)
    path, _ = fetch(file)
    path.write_bytes(b"a netw")
    assert fetch(file) == (path, "downloaded")
    assert path.read_bytes() == b"a network"


def test_a_missing_file_and_no_network_are_one_line_errors(
    site: tuple[Path, str], own_cache: Path
) -> None:
    file = published(site)
    for address in (f"{site[1]}gone.onnx", "http://127.0.0.1:9/net.onnx"):
        with pytest.raises(InputError) as caught:
            fetch(replace(file, address=address))
        assert str(caught.value).startswith(f"cannot download {address}: ")
        assert "when offline, set MARAPATCH_DATA" in str(caught.value)
        assert "\n" not in str(caught.value)
    assert files_below(own_cache) == []


def test_a_local_copy_is_used_first(
    site: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_cache: Path
) -> None:
    file = replace(published(site), address="http://127.0.0.1:9/net.onnx")
    local = tmp_path / "local"
    (local / "nets").mkdir(parents=True)
    (local / "nets/net.onnx").write_bytes(b"a network")
    monkeypatch.setenv("MARAPATCH_DATA", str(local))
    assert fetch(file) == (local / "nets/net.onnx", "is under MARAPATCH_DATA")
    assert locate("nets/net.onnx") == local / "nets/net.onnx"
    path, how = fetch(file, tmp_path / "here")
    assert how == "copied from MARAPATCH_DATA"
    assert path.read_bytes() == b"a network"
    assert files_below(own_cache) == []


def test_a_local_copy_that_is_not_the_published_file_is_not_used(
    site: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_cache: Path
) -> None:
    (tmp_path / "local/nets").mkdir(parents=True)
    (tmp_path / "local/nets/net.onnx").write_bytes(b"another")
    monkeypatch.setenv("MARAPATCH_DATA", str(tmp_path / "local"))
    assert fetch(published(site)) == (own_cache / "nets/net.onnx", "downloaded")


def test_a_file_that_is_nowhere_says_what_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="run: marapatch fetch acasxu"):
        locate("acasxu/onnx/none.onnx")
    monkeypatch.setenv("MARAPATCH_DATA", "/nowhere")
    with pytest.raises(InputError, match="MARAPATCH_DATA=/nowhere: no such folder"):
        locate("acasxu/onnx/none.onnx")


def test_a_folder_that_cannot_be_made_is_an_error(site: tuple[Path, str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be made"):
        fetch(published(site), tmp_path / "file")


# Files put together from published parts

IMAGES = np.arange(2 * 28 * 28).reshape(2, 28, 28).astype(np.uint8)
LABELS = np.array([7, 3], dtype=np.uint8)
DIGEST = hashlib.sha256(IMAGES.tobytes() + LABELS.tobytes()).hexdigest()


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def mnist(site: tuple[Path, str], mirror: str = "") -> Assembled:
    parts = []
    for name, array in (("images", IMAGES), ("labels", LABELS)):
        (site[0] / f"{name}.gz").write_bytes(gzip.compress(idx(array)))
        addresses = tuple(f"{base}{name}.gz" for base in (mirror, site[1]) if base)
        parts.append(Part(addresses, hashlib.sha256(idx(array)).hexdigest()))
    return Assembled("mnist/two.npz", tuple(parts), ASSEMBLED[0].build, DIGEST)


@pytest.mark.parametrize("mirror", ["", "http://127.0.0.1:9/"])
def test_mnist_is_put_together_from_idx_files(site: tuple[Path, str], mirror: str) -> None:
    file = mnist(site, mirror)
    path, how = fetch(file)
    assert how == "downloaded"
    with np.load(path) as arrays:
        np.testing.assert_array_equal(arrays["images"], IMAGES)
        np.testing.assert_array_equal(arrays["labels"], LABELS)
    assert is_good(file, path)
    assert fetch(file) == (path, "is there")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (gzip.compress(b"other"), "not the published"),
        (gzip.compress(idx(LABELS))[:-4], "truncated or damaged: Compressed file ended"),
        (b"<html>", "is damaged: Not a gzipped file"),
    ],
)
def test_a_bad_part_is_an_error_and_nothing_is_kept(
    site: tuple[Path, str], own_cache: Path, content: bytes, message: str
) -> None:
    file = mnist(site)
    (site[0] / "labels.gz").write_bytes(content)
    with pytest.raises(InputError, match=message):
        fetch(file)
    assert files_below(own_cache) == []


def test_cifar_is_cut_from_its_archive(site: tuple[Path, str]) -> None:
    planes = np.arange(3 * 3072).reshape(3, 3072).astype(np.uint8)
    records = np.concatenate([np.array([[4], [5], [6]], np.uint8), planes], axis=1).tobytes()
    with tarfile.open(site[0] / "cifar.tar.gz", "w:gz") as archive:
        entry = tarfile.TarInfo("batches/test.bin")
        entry.size = len(records)
        archive.addfile(entry, io.BytesIO(records))
    images = planes.reshape(3, 3, 32, 32).transpose(0, 2, 3, 1)
    labels = np.array([4, 5, 6], np.uint8)
    part = Part(
        (f"{site[1]}cifar.tar.gz",), hashlib.sha256(records).hexdigest(), "batches/test.bin"
    )
    digest = hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest()
    file = Assembled("cifar10/three.npz", (part,), ASSEMBLED[2].build, digest)
    with np.load(fetch(file)[0]) as arrays:
        np.testing.assert_array_equal(arrays["images"], images)
        np.testing.assert_array_equal(arrays["labels"], labels)
    missing = replace(file, path="cifar10/x.npz", parts=(replace(part, member="none.bin"),))
    with pytest.raises(InputError, match="is damaged"):
        fetch(missing)


# The table of what is published


def test_the_table_is_well_formed() -> None:
    assert len({file.path for file in FILES}) == len(FILES)
    for file in FILES:
        digests = [file.sha256, *(p.sha256 for p in getattr(file, "parts", ()))]
        assert all(len(d) == 64 and set(d) <= set("0123456789abcdef") for d in digests), file.path
        assert not Path(file.path).is_absolute()
    assert set(data_sets()) == {"acasxu", "cifar10", "mnist", "mnist_fc", "mnist_nets", "reassure"}
    assert len([f for f in FILES if f.path.startswith("acasxu/onnx/")]) == 45


def test_the_table_agrees_with_the_real_files(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARAPATCH_DATA", str(data_dir))
    for file in FILES:
        assert is_good(file, data_dir / file.path), file.path
    assert fetch(FILES[0]) == (data_dir / FILES[0].path, "is under MARAPATCH_DATA")
