"""The network of a trained detector, wherever it lies. Frameworks are imported by the one that needs them."""

import os
from pathlib import Path

from ssd.errors import UserError
from ssd.inference.exported import load_exported
from ssd.inference.network import Network
from ssd.runs.checkpoint import exported_format

_MLFLOW = ("models:/", "runs:/")
_PROJECTS = ("torchvision:", "amdegroot:")


def load_network(where: str | os.PathLike[str], batch_size: int) -> Network:
    """The network of a run folder, a checkpoint, a model of MLflow or another project's weights.

    Args:
        where: see `Detector.load`.
        batch_size: the number of images that will be passed in one call, mostly.

    Raises:
        UserError: there is no detector there.
    """
    given = os.fspath(where)
    path = Path(given).expanduser()
    if exported_format(path) is not None:
        return load_exported(path, batch_size)
    from ssd.inference.keras_network import KerasNetwork
    from ssd.models.checkpoint import load_detector

    if given.startswith(_MLFLOW):
        from ssd.tracking.store import checkpoint_of

        with checkpoint_of(given) as file:
            return KerasNetwork(load_detector(file), batch_size)
    if given.startswith(_PROJECTS):
        from ssd.experiment.published import load_published

        return KerasNetwork(load_published(given), batch_size)
    if path.is_file() and path.suffix != ".keras":
        raise UserError(
            f"{given} is no detector that can be loaded; give a run folder, a .keras checkpoint, an exported file, "
            "models:/NAME@ALIAS, runs:/ID/model, torchvision:FILE or amdegroot:FILE"
        )
    return KerasNetwork(load_detector(path), batch_size)
