"""Benchmark networks, properties and images: found on this machine, or fetched and checked.

Files keep one layout everywhere (``acasxu/onnx/...``, ``mnist/mnist_test.npz``): in the folder that
MARAPATCH_DATA names, in the user's cache, and where ``marapatch fetch --to`` puts them. Nothing is
used unless its sha256 is the published one.
"""

from __future__ import annotations

import functools
import hashlib
import io
import os
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from marapatch.data.catalogue import FOLDERS
from marapatch.errors import InputError
from marapatch.files.atomic_write import write_whole
from marapatch.files.memory import afford
from marapatch.files.reading import GZIP, one_line, unpacked

VARIABLE = "MARAPATCH_DATA"

Arrays = Mapping[str, NDArray[np.uint8]]


@dataclass(frozen=True)
class Part:
    """Something published: ``addresses``, tried in order, and ``member``, the file wanted inside
    a tar archive. ``sha256`` is that of the file wanted, decompressed: mirrors pack differently."""

    addresses: tuple[str, ...]
    sha256: str
    member: str | None = None


@dataclass(frozen=True)
class Plain:
    """A file kept as it is published."""

    path: str
    address: str
    sha256: str


@dataclass(frozen=True)
class Assembled:
    """An .npz file of ``images`` and ``labels`` (uint8) made of published ``parts``.

    ``sha256``: of the bytes of the images followed by those of the labels.
    """

    path: str
    parts: tuple[Part, ...]
    build: Callable[[list[bytes]], Arrays]
    sha256: str


DataFile = Plain | Assembled


def _idx_pair(parts: list[bytes]) -> Arrays:
    """MNIST: an idx file of images (n, 28, 28), 16 bytes of header, and one of labels, 8 bytes."""
    images, labels = (np.frombuffer(part, np.uint8) for part in parts)
    return {"images": images[16:].reshape(-1, 28, 28), "labels": labels[8:]}


def _cifar(count: int) -> Callable[[list[bytes]], Arrays]:
    """CIFAR-10: records of 1 label and 3 x 32 x 32 pixels; the first ``count``, channels last."""

    def build(parts: list[bytes]) -> Arrays:
        records = np.frombuffer(parts[0], np.uint8).reshape(-1, 3073)[:count]
        pixels = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        return {"images": np.ascontiguousarray(pixels), "labels": records[:, 0].copy()}

    return build


_MNIST = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
_CIFAR = ("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",)


def _mnist(name: str, sha256: str) -> Part:
    return Part(tuple(f"{mirror}{name}.gz" for mirror in _MNIST), sha256)


ASSEMBLED = (
    Assembled(
        "mnist/mnist_test.npz",
        (
            _mnist(
                "t10k-images-idx3-ubyte",
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            ),
            _mnist(
                "t10k-labels-idx1-ubyte",
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            ),
        ),
        _idx_pair,
        "c3f9adf9c66efb572b1f9326c3a511b45910c7173b97be66ceceeeeaef6b802b",
    ),
    Assembled(
        "mnist/mnist_train.npz",
        (
            _mnist(
                "train-images-idx3-ubyte",
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            ),
            _mnist(
                "train-labels-idx1-ubyte",
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            ),
        ),
        _idx_pair,
        "edc0d1098aa497be14ace79ddd5171e5a3dcf9c4d196c015389203eb3ba1f59b",
    ),
    Assembled(
        "cifar10/cifar10_test_first1000.npz",
        (
            Part(
                _CIFAR,
                "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
                "cifar-10-batches-bin/test_batch.bin",
            ),
        ),
        _cifar(1000),
        "3bbdff8a1946fbed0a833aaf37c6ffbb3d391356d3e79d47a8030d5ee93186db",
    ),
    Assembled(
        "cifar10/cifar10_train_first500.npz",
        (
            Part(
                _CIFAR,
                "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
                "cifar-10-batches-bin/data_batch_1.bin",
            ),
        ),
        _cifar(500),
        "19922fa6804d8a5886d08ab2d572c98e1fdc1518839e1d49d6b83e5fe3be3322",
    ),
)

FILES: tuple[DataFile, ...] = (
    *(
        Plain(path, address, digest)
        for folder in FOLDERS
        for path, address, digest in folder.files()
    ),
    *ASSEMBLED,
)


def data_sets(files: tuple[DataFile, ...] = FILES) -> dict[str, tuple[DataFile, ...]]:
    """The files by set, which is the first part of their path."""
    names = sorted({file.path.split("/")[0] for file in files})
    return {
        name: tuple(file for file in files if file.path.split("/")[0] == name) for name in names
    }


def local_copy() -> Path | None:
    """The folder that MARAPATCH_DATA names; InputError where it is none."""
    value = os.environ.get(VARIABLE)
    if not value:
        return None
    if not Path(value).is_dir():
        raise InputError(f"{VARIABLE}={value}: no such folder")
    return Path(value)


def cache() -> Path:
    """Where fetched files are kept: ``data`` in the user's cache of marapatch."""
    import pooch  # noqa: PLC0415  # brings the network libraries: only where data are wanted

    return Path(pooch.os_cache("marapatch")) / "data"


def locate(path: str) -> Path:
    """The file at ``path`` of the common layout: under MARAPATCH_DATA, else in the user's cache.

    Raises InputError, saying what to run, where neither has it.
    """
    local = local_copy()
    for folder in (local, cache()) if local is not None else (cache(),):
        if (folder / path).is_file():
            return folder / path
    name = path.partition("/")[0]
    how = f"run: marapatch fetch {name}" if name in data_sets() else f"set {VARIABLE} to a copy"
    raise InputError(f"{path}: not on this machine; {how}")


def fetch(file: DataFile, to: Path | None = None) -> tuple[Path, str]:
    """Make sure that ``file`` is on this machine; return where, and how in a word or two.

    With ``to``: put it below that folder; else a good copy under MARAPATCH_DATA is enough, and
    downloads go to the user's cache. Raises InputError where it cannot be had or is not the file
    that was published; nothing half-written is left then.
    """
    folder = cache() if to is None else to
    wanted = folder / file.path
    if is_good(file, wanted):
        return wanted, "is there"
    local = local_copy()
    if local is not None and is_good(file, local / file.path):
        if to is None:
            return local / file.path, f"is under {VARIABLE}"
        _write(wanted, (local / file.path).read_bytes())
        return wanted, f"copied from {VARIABLE}"
    match file:
        case Plain():
            content = _download((file.address,), file.sha256, None)
        case Assembled():
            arrays = file.build([_download(p.addresses, p.sha256, p.member) for p in file.parts])
            if _digest(arrays) != file.sha256:
                raise InputError(f"{file.path}: was put together wrongly; please report this")
            packed = io.BytesIO()
            np.savez_compressed(packed, images=arrays["images"], labels=arrays["labels"])
            content = packed.getvalue()
    _write(wanted, content)
    return wanted, "downloaded"


def is_good(file: DataFile, path: Path) -> bool:
    """Whether ``path`` exists and is the published file (by its sha256)."""
    if not path.is_file():
        return False
    if isinstance(file, Plain):
        return hashlib.sha256(path.read_bytes()).hexdigest() == file.sha256
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return _digest(arrays) == file.sha256
    except (ValueError, OSError, EOFError, KeyError, zlib.error):
        return False


def _digest(arrays: Arrays) -> str:
    return hashlib.sha256(arrays["images"].tobytes() + arrays["labels"].tobytes()).hexdigest()


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path.parent}: cannot be made: {error.strerror}") from error
    write_whole(path, content)


def _download(addresses: tuple[str, ...], sha256: str, member: str | None) -> bytes:
    """What is published at the first address that answers, decompressed and checked."""
    problems = []
    for address in addresses:
        try:
            packed = _get(address)
        except OSError as error:  # requests' errors are OSErrors; so is a full disc
            problems.append(f"{address}: {_reason(error)}")
            continue
        try:
            content = _unpack(packed, address, member)
        except (EOFError, OSError, KeyError, zlib.error, tarfile.TarError) as error:
            raise InputError(f"{address}: is damaged: {one_line(error)}; try again") from error
        found = hashlib.sha256(content).hexdigest()
        if found != sha256:
            raise InputError(
                f"{address}: its sha256 is {found}, not the published {sha256}; it was not kept"
            )
        return content
    raise InputError(
        f"cannot download {problems[0]}; when offline, set {VARIABLE} to a folder with the data"
    )


@functools.lru_cache(maxsize=1)  # two files are cut from the one large archive of CIFAR-10
def _get(address: str) -> bytes:
    import pooch  # noqa: PLC0415  # as in cache()

    pooch.get_logger().setLevel("WARNING")
    with tempfile.TemporaryDirectory(prefix="marapatch-") as folder:
        name = pooch.retrieve(
            address,
            known_hash=None,  # checked by us after decompression
            fname="download",
            path=folder,
            downloader=pooch.HTTPDownloader(timeout=30),
        )
        return Path(name).read_bytes()


def _reason(error: OSError) -> str:
    """Why a download failed, in a few words: what requests says fills a screen."""
    response = getattr(error, "response", None)
    if response is not None:
        return f"the server answered {response.status_code}"
    return error.strerror or f"no connection ({type(error).__name__})"


def _unpack(packed: bytes, address: str, member: str | None) -> bytes:
    if member is not None:
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            file = archive.extractfile(member)
            if file is None:
                raise KeyError(f"{member} is no file")
            afford(f"{address}, its {member},", archive.getmember(member).size)
            return file.read()
    if address.endswith(".gz"):
        if not packed.startswith(GZIP):
            raise OSError("Not a gzipped file")
        return unpacked(address, packed)
    return packed
