"""The Optuna study of a search: which trial is which job, and what is left to do.

optuna is imported where a search runs, not at every start.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.conf import HydraConf
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import DictConfig

from ssd.config.instantiate import instantiate
from ssd.errors import UserError, first_line
from ssd.runs.folder import PRUNED_FILE, STUDY_FILE
from ssd.sweep.node import is_continued
from ssd.sweep.search.space import Space

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler
    from optuna.storages import RDBStorage
    from optuna.trial import BaseTrial, FrozenTrial

JOB = "job"  # a trial's attribute: the number of its job


def open_study(hydra: HydraConf, create: bool = False) -> "Study":
    """The study of a sweep, from any of its processes.

    Args:
        hydra: Hydra's node of the configuration.
        create: make it first; where the sweep is continued, it may be there.

    Raises:
        UserError: a study to be made is there, or the storage cannot be used.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    settings, url = hydra.sweeper, storage_of(hydra)
    options = {"connect_args": {"timeout": 60}} if url.startswith("sqlite") else {}  # while another job is writing
    pruner = make_pruner(settings.pruner)
    with storage_at(url):
        storage = optuna.storages.RDBStorage(url, engine_kwargs=options)
        if create:
            return _make_study(settings, storage, url, pruner, is_continued(hydra))
        return optuna.load_study(study_name=settings.study_name, storage=storage, pruner=pruner)


def storage_of(hydra: HydraConf) -> str:
    """The address of the database with a sweep's trials."""
    return str(hydra.sweeper.storage or f"sqlite:///{Path(hydra.sweep.dir).absolute() / STUDY_FILE}")


@contextmanager
def storage_at(url: str) -> Iterator[None]:
    """What a database says that is damaged, locked, full or gone becomes one sentence.

    Raises:
        UserError: in its place.
    """
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (StorageInternalError, SQLAlchemyError) as error:
        cause: BaseException = error
        while cause.__cause__ is not None:  # the database's own word
            cause = cause.__cause__
        file = url.removeprefix("sqlite:///")
        raise UserError(
            f"the search's trials in {file} cannot be used ({first_line(cause)}); free its disk, or move it away: "
            "-m sweep.resume=FOLDER makes it again from the jobs that are done"
        ) from error


def _make_study(settings: Any, storage: "RDBStorage", url: str, pruner: "BasePruner", is_continued: bool) -> "Study":
    import optuna

    try:
        return optuna.create_study(
            study_name=settings.study_name,
            storage=storage,
            direction="maximize",
            pruner=pruner,
            load_if_exists=is_continued,
        )
    except optuna.exceptions.DuplicatedStudyError:
        raise UserError(
            f"{url} has a study '{settings.study_name}' already; continue its sweep with sweep.resume=FOLDER, or give "
            "hydra.sweeper.study_name another name"
        ) from None


def distribution(key: str, override: Override) -> "BaseDistribution":
    """What Optuna draws a key's value from.

    Raises:
        UserError: a range without values, or with ones that its tags do not allow.
    """
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    value: Any = override.value()
    try:
        if isinstance(value, IntervalSweep):
            kind: Any = IntDistribution if isinstance(value.start, int) else FloatDistribution  # int(interval(1, 9))
            return kind(value.start, value.end, log="log" in value.tags)
        if isinstance(value, RangeSweep) and not value.shuffle and isinstance(numbers := value.range(), range):
            if not numbers:
                raise ValueError("it has no values")
            return IntDistribution(numbers[0], numbers[-1], log="log" in value.tags, step=numbers.step)
        return CategoricalDistribution(list(override.sweep_string_iterator()))
    except ValueError as error:
        raise UserError(f"{key}={override.get_value_string()} cannot be searched: {error}") from error


def make_sampler(node: DictConfig, job: int) -> "BaseSampler":
    """The sampler that draws a job's parameters; its seed is the job's own, so that it has no state to be kept."""
    from optuna.exceptions import ExperimentalWarning

    seed = {} if node.get("seed") is None else {"seed": node.seed + job}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # at every trial
        return instantiate(node, "hydra.sweeper.sampler", **seed)


def make_pruner(node: DictConfig | None) -> "BasePruner":
    """The configured pruner, or one that never prunes."""
    from optuna.pruners import NopPruner

    return NopPruner() if node is None else instantiate(node, "hydra.sweeper.pruner")


def check_search(settings: DictConfig, space: Space) -> None:
    """Looks for what would stop a search.

    Raises:
        UserError: nothing to search, a range or number that is none, a sampler or pruner that cannot be made.
    """
    if not space.varying:
        raise UserError("there is nothing to search; give KEY='interval(LOW, HIGH)', or hydra.sweeper.params in a file")
    for key in ("n_trials", "n_jobs"):
        if settings[key] < 1:
            raise UserError(f"hydra.sweeper.{key}={settings[key]} must be at least 1")
    for key, override in space.varying.items():
        distribution(key, override)
    for key in ("sampler", "pruner"):
        if isinstance(settings[key], str):
            raise UserError(
                f"hydra.sweeper.{key}={settings[key]} is no class; give hydra.sweeper.{key}._target_=optuna…"
            )
    make_sampler(settings.sampler, 0)
    make_pruner(settings.pruner)


def check_one_aim(jobs: Sequence[DictConfig]) -> None:
    """Looks whether the trials can be compared with each other.

    Raises:
        UserError: they return different metrics.
    """
    if len(found := sorted({job.training.best_by for job in jobs})) > 1:
        several = " or ".join(found)
        raise UserError(f"a search looks for one value, but training.best_by is {several} here; give one for all")


def ask(study: "Study", job: int, ranges: "dict[str, BaseDistribution]", sampler: DictConfig) -> "BaseTrial":
    """A new trial with its parameters, for a job that is new as well."""
    study.sampler = make_sampler(sampler, job)
    trial = study.ask(ranges)
    trial.set_user_attr(JOB, job)  # last: a trial with a job has all its parameters
    return trial


def typed(value: Any) -> str:
    """A drawn value as a job gets it; of 17 digits, 6 are enough for a result and can be read in a folder's name."""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def tell(study: "Study", trial: int, done: JobReturn) -> None:
    """Ends a trial as its job ended."""
    from optuna.samplers import RandomSampler
    from optuna.trial import TrialState

    study.sampler = RandomSampler()  # one that enumerates would end `Study.optimize`, which does not run, at its last
    if done.status != JobStatus.COMPLETED or done.hydra_cfg is None:
        study.tell(trial, state=TrialState.FAIL)
    elif (Path(done.hydra_cfg.hydra.runtime.output_dir) / PRUNED_FILE).exists():
        study.tell(trial, state=TrialState.PRUNED)
    else:
        study.tell(trial, done.return_value)


def jobs_of(study: "Study") -> "dict[int, FrozenTrial]":
    """Job → its latest trial."""
    return {trial.user_attrs[JOB]: trial for trial in study.get_trials(deepcopy=False) if JOB in trial.user_attrs}


def unfinished(study: "Study", ranges: "dict[str, BaseDistribution]") -> "dict[int, BaseTrial]":
    """The jobs of a continued sweep that were stopped, as the trials they are, and those that failed, as new ones."""
    from optuna.trial import TrialState

    found: dict[int, BaseTrial] = {}
    for job, trial in sorted(jobs_of(study).items()):
        if trial.state == TrialState.RUNNING:
            found[job] = trial
        elif trial.state in (TrialState.FAIL, TrialState.WAITING):
            if trial.state == TrialState.FAIL:
                study.enqueue_trial(trial.params, user_attrs={JOB: job})
            found[job] = study.ask(ranges)
    return found


def batches(trials: "Mapping[int, BaseTrial]", size: int) -> "Iterator[dict[int, BaseTrial]]":
    """At most `size` trials of jobs whose numbers follow each other: a launcher counts on from the first."""
    batch: dict[int, BaseTrial] = {}
    for job, trial in trials.items():
        if batch and (len(batch) == size or job - 1 not in batch):
            yield batch
            batch = {}
        batch[job] = trial
    if batch:
        yield batch
