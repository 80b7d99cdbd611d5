"""The launchers of `conf/hydra/launcher`, made known to Hydra."""

from hydra.core.plugins import Plugins

from ssd.sweep.launch.processes import ProcessLauncher
from ssd.sweep.launch.ray_tasks import RayLauncher
from ssd.sweep.launch.slurm_jobs import SubmititLauncher


def register() -> None:
    """May be called again. Hydra must accept plugins of this package before: see `optuna_sweeper.register`."""
    for launcher in (ProcessLauncher, RayLauncher, SubmititLauncher):
        Plugins.instance().register(launcher)
