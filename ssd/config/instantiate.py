"""Hydra's `instantiate` with a sentence for the user where a `_target_` or its arguments are wrong."""

import logging
import warnings
from typing import Any

import hydra.utils
from omegaconf import DictConfig, OmegaConf

from ssd.errors import UserError, innermost, reason

log = logging.getLogger("ssd.record")  # into run.log only

_MISTAKES = (TypeError, ValueError, ImportError, AttributeError, UserWarning)  # what wrong arguments end in


def instantiate(node: DictConfig, key: str, **arguments: Any) -> Any:
    """Builds what `node._target_` names, with the node's own values and `arguments` (which win).

    Args:
        node: with a `_target_`.
        key: the node's place in the configuration, for the message.
        arguments: given by the program.

    Raises:
        UserError: the target does not exist, does not take an argument, or is one of the user's own and fails (then
            its trace is in run.log); UserErrors of the target itself pass.
    """
    try:
        with warnings.catch_warnings():
            # albumentations only warns of an argument it does not know, and goes on without it
            warnings.filterwarnings("error", message=r"Argument\(s\) .* not valid for transform")
            return _build(node, arguments)
    except UserError:
        raise
    except Exception as error:
        cause = innermost(error)
        if (sentence := _user_error(error)) is not None:
            raise sentence from None
        target = node["_target_"]
        if target.startswith("ssd.") and not isinstance(cause, _MISTAKES):
            raise  # no mistake of the user's, as far as one can tell
        log.info("%s: %s cannot be made", key, target, exc_info=True)
        raise UserError(f"{key}: {target} cannot be made ({reason(error)}); correct it in the YAML") from error


def _user_error(error: BaseException | None) -> UserError | None:
    """The sentence that a target raised: Hydra wraps it, and it may have a cause of its own."""
    while error is not None and not isinstance(error, UserError):
        error = error.__cause__
    return error


def _build(node: DictConfig, arguments: dict[str, Any]) -> Any:
    # plain, because a typed node would refuse an object in the place of a number
    return hydra.utils.instantiate(OmegaConf.to_container(node, resolve=True), _convert_="all", **arguments)
