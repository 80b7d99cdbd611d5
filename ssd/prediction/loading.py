"""The network of a trained detector, wherever it lies. Frameworks are imported by the one that needs them."""

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from ssd.errors import UserError
from ssd.inference.exported import check_runtime, load_exported
from ssd.inference.network import Network
from ssd.inference.runtimes import AUTO, choose_runtime
from ssd.runs.checkpoint import checkpoint_file, exported_format

if TYPE_CHECKING:
    from ssd.models.detector import SSD

log = logging.getLogger(__name__)

_MLFLOW = ("models:/", "runs:/")
_PROJECTS = ("torchvision:", "amdegroot:")


def load_network(
    where: str | os.PathLike[str],
    batch_size: int,
    runtime: str = AUTO,
    precision: str = AUTO,
) -> Network:
    """The network of a run folder, a checkpoint, a model of MLflow or another project's weights.

    Args:
        where: see `Detector.load`.
        batch_size: the number of images that will be passed in one call, mostly.
        runtime: what runs it, a name in `Runtime`.
        precision: "auto" or a dtype policy of Keras.

    Raises:
        UserError: there is no detector there, or it does not run in that runtime.
    """
    given = os.fspath(where)
    path = Path(given).expanduser()
    if exported_format(path) is not None:
        check_runtime(path, runtime)
        network = load_exported(path, batch_size)
        log.info("runtime %s in %s (the file's own)", network.runtime, network.precision)
        return network
    from ssd.export.running import running  # packages that an exported file does not need

    choice = choose_runtime(runtime, precision)
    if given.startswith(_MLFLOW):
        from ssd.tracking.store import checkpoint_of

        with checkpoint_of(given) as file:
            return running(choice, precision, batch_size, lambda: _of_mlflow(given), file)
    if given.startswith(_PROJECTS):
        from ssd.experiment.published import load_published

        return running(choice, precision, batch_size, lambda: load_published(given), None)
    if path.is_file() and path.suffix != ".keras":
        raise UserError(
            f"{given} is no detector that can be loaded; give a run folder, a .keras checkpoint, an exported file, "
            "models:/NAME@ALIAS, runs:/ID/model, torchvision:FILE or amdegroot:FILE"
        )
    file = checkpoint_file(path)
    return running(choice, precision, batch_size, lambda: _load_detector(file), file)


def _load_detector(file: Path) -> "SSD":
    from ssd.models.checkpoint import load_detector

    return load_detector(file)


def _of_mlflow(address: str) -> "SSD":
    from ssd.tracking.store import checkpoint_of

    with checkpoint_of(address) as file:
        return _load_detector(file)
