"""The network of a detector in the runtime that was chosen for it."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ssd.errors import UserError, reason
from ssd.export.converted import converted
from ssd.export.matrix import Variant
from ssd.inference.exported import RUNTIMES, ExportedNetwork, load_exported, not_installed
from ssd.inference.runtimes import KERAS, Choice, in_keras

if TYPE_CHECKING:
    from ssd.inference.keras_network import KerasNetwork
    from ssd.models.detector import SSD

log = logging.getLogger(__name__)


def running(
    choice: Choice, policy: str, batch_size: int, load: "Callable[[], SSD]", checkpoint: Path | None
) -> "KerasNetwork | ExportedNetwork":
    """The network, ready to run; one log line says what runs it and why.

    A converted one gives nothing below the detector's own threshold: where auto has chosen it, Keras takes over as soon
    as lower scores are asked for.

    Args:
        choice: of `choose_runtime`.
        policy: the dtype policy that was asked for, or "auto".
        batch_size: the number of images that will be passed in one call, mostly.
        load: gives the detector; not called where an earlier start has converted the checkpoint.
        checkpoint: whose content the detector is; None: it is of no file.

    Raises:
        UserError: the detector cannot be converted, and the runtime was not auto.
    """
    if choice.runtime == KERAS:
        return _in_keras(choice, batch_size, load)
    try:
        network = _converted(choice, batch_size, load, checkpoint)
    except _UnfitError as unfit:
        if not choice.is_auto:
            raise UserError(f"runtime={choice.runtime}: {unfit}; take runtime=keras") from unfit
        return _in_keras(in_keras(policy, f"auto: {unfit}"), batch_size, load)
    if choice.is_auto:
        instead = in_keras(policy, f"auto: for scores below {network.score_threshold:g}")
        network.original = lambda: _in_keras(instead, batch_size, load)
    return network


class _UnfitError(Exception):
    """Why a runtime does not do for a detector, in a phrase."""


def _in_keras(choice: Choice, batch_size: int, load: "Callable[[], SSD]") -> "KerasNetwork":
    from ssd.inference.keras_network import KerasNetwork

    network = KerasNetwork(load(), batch_size, choice.precision)
    log.info("runtime %s", choice.in_words())
    return network


def _converted(choice: Choice, batch_size: int, load: "Callable[[], SSD]", checkpoint: Path | None) -> ExportedNetwork:
    formats = {runtime: name for name, runtime in RUNTIMES.items()}
    assert choice.precision is not None, "every runtime but Keras has one"
    try:
        with converted(Variant(formats[choice.runtime], choice.precision), load, checkpoint) as conversion:
            network = load_exported(conversion.file, batch_size)
    except UserError:
        raise
    except ModuleNotFoundError as error:
        raise UserError(not_installed(error, f"runtime={choice.runtime}")) from error
    except Exception as error:  # converters raise many kinds
        raise _UnfitError(f"the detector cannot be converted ({reason(error)})") from error
    made = "converted before" if conversion.seconds is None else f"converted in {conversion.seconds:.1f} s"
    log.info("runtime %s, %s", choice.in_words(), made)
    return network
