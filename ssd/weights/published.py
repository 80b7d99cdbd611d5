"""Published detectors by name: downloaded once, checked, and kept in the user's cache."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pooch
import requests
from rich import get_console

from ssd.console import say
from ssd.errors import UserError, first_line

_SECONDS = 10  # that a server may be silent


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


def cache_folder() -> Path:
    """Where downloads are kept: `ssd-experiments` in the user's cache folder (Linux: ~/.cache)."""
    return Path(pooch.os_cache("ssd-experiments"))


def fetch(project: str, name: str) -> Path:
    """The file of a published detector, from the cache or downloaded into it.

    Raises:
        UserError: it cannot be downloaded, or what came is another file.
    """
    published = PUBLISHED[project][name]
    file = cache_folder() / published.file_name
    by_hand = f"download {published.address} where there is a network and give weights={project}:FILE"
    if not file.is_file():
        say(f"downloading {published.address} into {file.parent}")
        bar = get_console().is_terminal
        try:
            pooch.retrieve(
                published.address,
                known_hash=None,  # its beginning is known, and checked below
                fname=file.name,
                path=file.parent,
                downloader=pooch.HTTPDownloader(progressbar=bar, timeout=_SECONDS),
            )
        except requests.ConnectionError as error:  # what it says is for programmers
            raise UserError(f"weights={project}:{name}: there is no connection; {by_hand}") from error
        except (requests.RequestException, OSError, ValueError) as error:
            raise UserError(
                f"weights={project}:{name} cannot be downloaded ({first_line(error)}); {by_hand}"
            ) from error
    found = pooch.file_hash(str(file))
    if not found.startswith(published.sha256):
        file.unlink()
        raise UserError(
            f"{published.address} gave a file with another checksum (SHA-256 {found[:8]}…, not {published.sha256}…), "
            f"which is removed; try again, or {by_hand}"
        )
    return file
