"""The options that nobody needs to choose."""

from collections.abc import Mapping

from omegaconf import OmegaConf

from ssd.environment import ROOT


def usual_options() -> Mapping[str, str]:
    """Group → option, from the head of conf/config.yaml."""
    entries = OmegaConf.to_container(OmegaConf.load(ROOT / "conf" / "config.yaml").defaults)
    return {str(k): v for entry in entries if isinstance(entry, dict) for k, v in entry.items()}  # type: ignore[union-attr]
