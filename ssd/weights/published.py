"""Published detectors by name: downloaded once, checked, and kept in the user's cache."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

import pooch
import requests

from ssd.console import say, waiting
from ssd.errors import UserError, first_line

_SECONDS = 10  # that a server may be silent, and that a slow one has to become faster
_SLOWEST = 20_000  # bytes a second; slower ones would take a quarter of an hour and more


@dataclass(frozen=True)
class Published:
    """A weights file on its authors' server.

    Attributes:
        address: of the file.
        sha256: what its SHA-256 begins with. PyTorch's files have eight digits of it in their names, and
            `torch.hub.load_state_dict_from_url` checks just these.
    """

    address: str
    sha256: str

    @property
    def file_name(self) -> str:
        """The address' last part."""
        return self.address.rpartition("/")[2]


_TORCHVISION = "https://download.pytorch.org/models"

# project → name → file. torchvision/models/detection/{ssd,ssdlite}.py, class ..._Weights.COCO_V1.
PUBLISHED: Mapping[str, Mapping[str, Published]] = {
    "torchvision": {
        "ssd300_vgg16": Published(f"{_TORCHVISION}/ssd300_vgg16_coco-b556d3b4.pth", "b556d3b4"),
        "ssdlite320_mobilenet_v3_large": Published(
            f"{_TORCHVISION}/ssdlite320_mobilenet_v3_large_coco-a79551df.pth", "a79551df"
        ),
    }
}


class DownloadError(UserError):
    """A published detector that is not in the cache cannot be had.

    Attributes:
        reason: why, in a few words.
        by_hand: how to have it all the same.
    """

    def __init__(self, project: str, name: str, reason: str) -> None:
        self.reason = reason
        address = PUBLISHED[project][name].address
        self.by_hand = f"download {address} where there is a network and give weights={project}:FILE"
        super().__init__(f"weights={project}:{name} cannot be downloaded: {reason}; {self.by_hand}")


class _TooSlowError(Exception):
    """A server that sends, but would take too long."""


def cache_folder() -> Path:
    """Where downloads are kept: `ssd-experiments` in the user's cache folder (Linux: ~/.cache)."""
    return Path(pooch.os_cache("ssd-experiments"))


def fetch(project: str, name: str) -> Path:
    """The file of a published detector, from the cache or downloaded into it.

    It takes its place there once it is whole, so that several processes may do this at a time.

    Raises:
        DownloadError: it cannot be downloaded, or what came is another file.
    """
    published = PUBLISHED[project][name]
    file = cache_folder() / published.file_name
    try:
        if not (file.is_file() and _is_it(file, published)):
            _download(published, file)
    except requests.HTTPError as error:
        raise DownloadError(
            project, name, f"the server answers {first_line(error).partition(' for url')[0]}"
        ) from error
    except requests.Timeout as error:
        raise DownloadError(project, name, f"the server was silent for {_SECONDS} seconds") from error
    except _TooSlowError as error:
        raise DownloadError(project, name, str(error)) from error
    except requests.exceptions.ChunkedEncodingError as error:
        raise DownloadError(project, name, "the connection broke off") from error
    except requests.ConnectionError as error:  # what it says is for programmers
        silent = "timed out" in str(error)  # between two parts of a file, which requests does not call a Timeout
        reason = f"the server was silent for {_SECONDS} seconds" if silent else "there is no connection"
        raise DownloadError(project, name, reason) from error
    except (requests.RequestException, ValueError) as error:
        raise DownloadError(project, name, first_line(error)) from error
    except OSError as error:
        raise DownloadError(project, name, f"{file.parent} cannot be used ({error.strerror})") from error
    return file


def _is_it(file: Path, published: Published) -> bool:
    return bool(pooch.file_hash(str(file)).startswith(published.sha256))


def _download(published: Published, file: Path) -> None:
    say(f"downloading {published.address} into {file.parent}")
    file.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=file.parent, prefix="download-") as folder:
        part = Path(folder, file.name)
        with waiting(f"downloading {file.name}") as tell:
            download = pooch.HTTPDownloader(progressbar=_Meter(file.name, tell), timeout=_SECONDS)
            download(published.address, str(part), None)
        if not _is_it(part, published):
            found = pooch.file_hash(str(part))[:8]
            raise ValueError(f"what came has another checksum (SHA-256 {found}…, not {published.sha256}…)")
        part.replace(file)


class _Meter:
    """What pooch tells its progress to: it shows how much is there, and gives up on a server that is too slow."""

    def __init__(self, name: str, tell: Callable[[str], None]) -> None:
        self.total = 0  # bytes, set by pooch; 0 where the server does not say
        self._name, self._tell, self._done, self._start = name, tell, 0, monotonic()

    def update(self, size: int) -> None:
        """So many bytes more are there.

        Raises:
            _TooSlowError: it goes on too slowly.
        """
        self._done += size
        seconds = monotonic() - self._start
        of = f" of {self.total / 1e6:.1f}" if self.total else ""
        self._tell(f"downloading {self._name}: {self._done / 1e6:.1f}{of} MB")
        if seconds > _SECONDS and self._done < seconds * _SLOWEST:
            raise _TooSlowError(f"the server sends {self._done / seconds / 1000:.1f} kB a second")

    def reset(self) -> None:
        """At the end pooch fills the bar anew."""
        self._done, self._start = 0, monotonic()

    def close(self) -> None:
        """Nothing to do."""
