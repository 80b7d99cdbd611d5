"""The training loop around its steps: what a resumed run makes up for, and when it ends."""

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import tensorflow as tf

from helpers.damage import cut_short, empty, missing
from helpers.fake_checkpoint import write_detector
from ssd.cluster import LONE
from ssd.runs.folder import BEST
from ssd.runs.results import read_results, write_results
from ssd.training.checkpoints import Place
from ssd.training.clock import FINISH, Clock
from ssd.training.loop import Trainer
from ssd.training.loss import Losses
from ssd.training.progress import TrainingProgress


def write_rows(file: Path, *rows: dict[str, float]) -> None:
    known = enumerate(rows, start=1)
    write_results(file, [{"epoch": epoch, "minutes": 0.5, "train/loss": 3.0, **row} for epoch, row in known])


def checkpoints(folder: Path, **actions: Any) -> SimpleNamespace:
    """Checkpoints that are there, and stay as they are."""
    best = write_detector(folder / BEST)

    def restore_best(model: Any) -> None:
        model.weights = best.stem

    return SimpleNamespace(
        **{
            "best": best,
            "save_best": lambda model, place: None,
            "restore_best": restore_best,
            "is_due": False,
            "finish": lambda: None,
            **actions,
        }
    )


def make_trainer(results: Path, sent: list, tracked: set[int], **options: Any) -> Trainer:
    """A trainer that has gone through all its rows, three steps each, and does not train any more."""
    rows = read_results(results)
    tracker = SimpleNamespace(
        curves=lambda names: {epoch: {"train/loss": 3.0} for epoch in tracked},
        log_metrics=lambda metrics, step: sent.append((step, metrics)),
        log_image=lambda *_: None,
    )
    parts = dict.fromkeys(("model", "train_step", "validator", "sheet", "patience", "stop"))
    return Trainer(
        **{
            **parts,
            "optimizer": SimpleNamespace(iterations=3 * len(rows)),
            "begin": Place(len(rows), 0, 3),
            "on_first_step": lambda: None,
            "batches": range(3),
            "epochs": len(rows),
            "clock": Clock(None),
            "evaluate_every": 2,
            "best_by": "val/mAP50",
            "checkpoints": options.get("checkpoints") or checkpoints(results.parent),
            "folder": results.parent,
            "tracker": tracker,
            **options,
        }
    )


def test_epochs_that_a_killed_run_did_not_send_are_sent_once(tmp_path: Path) -> None:
    results, sent = tmp_path / "results.csv", list[tuple[int, dict]]()
    write_rows(results, {}, {"val/loss": 2.0, "val/mAP50": 0.5}, {}, {"val/loss": 1.0, "val/mAP50": 0.25})
    history = make_trainer(results, sent, tracked={1, 3}).run()
    common = {"minutes": 0.5, "train/loss": 3.0}
    assert sent == [
        (2, {**common, "val/loss": 2.0, "val/mAP50": 0.5, "best/mAP50": 0.5}),
        (4, {**common, "val/loss": 1.0, "val/mAP50": 0.25, "best/mAP50": 0.5}),
    ]
    assert (history.minutes, history.best["epoch"], history.validations_since_best) == (0.5, 2, 1)


def test_a_validation_that_a_run_was_stopped_in_is_made_up_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results, sent = tmp_path / "results.csv", list[tuple[int, dict]]()
    write_rows(results, {}, {})
    monkeypatch.setattr(Trainer, "_validate", lambda self, epoch: {"val/loss": 1.0, "val/mAP50": 0.25})
    history = make_trainer(results, sent, tracked={1}).run()
    assert [row.get("val/mAP50") for row in read_results(results)] == [None, 0.25]
    assert [step for step, _ in sent] == [2]
    assert history.best["epoch"] == 2


LOOSE, TIGHT = {"val/mAP50": 0.968, "val/mAP": 0.451}, {"val/mAP50": 0.944, "val/mAP": 0.639}


@pytest.mark.parametrize(("best_by", "best", "since"), [("val/mAP", 2, 0), ("val/mAP50", 1, 1)])
def test_the_best_is_by_what_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, best_by: str, best: int, since: int
) -> None:
    results, sent, saved = tmp_path / "results.csv", list[tuple[int, dict]](), list[object]()
    write_rows(results, {"val/loss": 2.0, **LOOSE}, {})
    monkeypatch.setattr(Trainer, "_validate", lambda self, epoch: {"val/loss": 1.0, **TIGHT})
    kept = checkpoints(tmp_path, save_best=lambda model, place: saved.append(model))
    trainer = make_trainer(results, sent, {1}, best_by=best_by, checkpoints=kept, model="the second")
    history = trainer.run()
    assert (history.best["epoch"], history.validations_since_best) == (best, since)
    assert saved == (["the second"] if best == 2 else [])
    ((_, metrics),) = sent
    assert {name: metrics[f"best/{name}"] for name in ("mAP", "mAP50")} == {
        name.removeprefix("val/"): value for name, value in (TIGHT if best == 2 else LOOSE).items()
    }


def test_patience_is_with_what_was_asked_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    results = tmp_path / "results.csv"
    write_rows(results, {"val/loss": 2.0, **LOOSE}, {"val/loss": 1.0, **TIGHT})
    with caplog.at_level("INFO", "ssd"):
        make_trainer(results, [], {1, 2}, epochs=3, evaluate_every=1, best_by="val/mAP50", patience=1).run()
    assert "stopped early: 1 validations without a better val/mAP50" in caplog.text


@pytest.mark.parametrize(("patience", "stops", "asked"), [(1, False, []), (None, True, [2]), (None, False, [2])])
def test_a_resumed_run_ends_where_it_would_have_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, patience: int | None, stops: bool, asked: list[int]
) -> None:
    results, seen, trained = tmp_path / "results.csv", [], []
    write_rows(results, {"val/loss": 2.0, "val/mAP50": 0.5}, {"val/loss": 2.0, "val/mAP50": 0.4})

    def train(self: Trainer, epoch: int, progress: TrainingProgress) -> dict[str, float]:
        trained.append(epoch)
        raise KeyboardInterrupt

    def stop(row: dict[str, float]) -> bool:
        seen.append(row["epoch"])
        return stops

    monkeypatch.setattr(Trainer, "_train", train)
    saved = checkpoints(tmp_path, save_last=lambda *_: None)
    trainer = make_trainer(results, [], {1, 2}, epochs=3, patience=patience, stop=stop, checkpoints=saved)
    if patience or stops:
        trainer.run()
    else:
        with pytest.raises(KeyboardInterrupt):
            trainer.run()
    assert seen == asked
    assert trained == ([] if patience or stops else [2])


class Model:
    """Weights that are their own name."""

    def __init__(self) -> None:
        self.weights = "last"

    def get_weights(self) -> str:
        return self.weights

    def set_weights(self, weights: str) -> None:
        self.weights = weights


def validator(model: Model) -> Any:
    """What the best checkpoint comes to, validated again."""

    def validate() -> tuple[dict, Any]:
        assert model.weights == "best"
        return {}, SimpleNamespace(evaluation=SimpleNamespace(metrics={"mAP50": 0.40004}))

    return validate


@pytest.mark.parametrize("known", [True, False])
def test_a_best_whose_row_is_lost_or_rounded_is_validated_and_kept(tmp_path: Path, known: bool) -> None:
    results, model = tmp_path / "results.csv", Model()
    write_rows(results, {"val/loss": 1.0, "val/mAP50": 0.3})
    tracked = {2: {"train/loss": 3.0, "val/loss": 1.0, "val/mAP50": 0.4}} if known else {}  # rounded
    trainer = make_trainer(
        results,
        [],
        {1},
        tracker=SimpleNamespace(curves=lambda names: tracked, log_metrics=lambda *_: None, log_image=lambda *_: None),
        begin=Place(2, 0, 3),
        epochs=2,
        model=model,
        validator=validator(model),
    )
    history = trainer.run()
    assert (history.best["epoch"], history.best["val/mAP50"], model.weights) == (2, 0.40004, "last")
    assert [row["epoch"] for row in read_results(results)] == ([1, 2] if known else [1])


@pytest.mark.parametrize("damage", [missing, cut_short, empty])
def test_a_best_that_is_damaged_is_replaced_by_what_is_there(
    tmp_path: Path, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    results, saved = tmp_path / "results.csv", list[object]()
    write_rows(results, {"val/loss": 1.0, "val/mAP50": 0.5}, {"val/loss": 1.0, "val/mAP50": 0.3})
    kept = checkpoints(tmp_path, save_best=lambda model, place: saved.append(model))
    damage(kept.best)
    history = make_trainer(results, [], {1, 2}, checkpoints=kept, model="the last").run()
    assert (history.best["epoch"], saved) == (2, ["the last"])
    (line,) = caplog.messages
    assert "best.keras" in line
    assert line.endswith("; the best of the epochs from here on is kept")


class Timed:
    """A training of epochs of three steps, of which each takes ten seconds, as a validation takes two."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.member = LONE
        self.validated: list[int] = []
        self.places: list[Place] = []
        self.optimizer = SimpleNamespace(iterations=0, learning_rate=0.1)
        self._results = folder / "results.csv"
        self._saved = checkpoints(folder, save_last=lambda model, optimizer, place, *_: self.places.append(place))
        monkeypatch.setattr("ssd.training.clock.monotonic", lambda: self.now)
        monkeypatch.setattr(Trainer, "_validate", lambda trainer, epoch: self._validate(epoch))

    def __len__(self) -> int:
        return 3

    def epoch(self, epoch: int, start: int) -> Iterator[dict[str, tf.Tensor]]:
        return iter([{"index": tf.constant([0])}] * (3 - start))

    def _validate(self, epoch: int) -> dict[str, float]:
        self.validated.append(epoch)
        self.now += 2
        return {"val/loss": 1.0, "val/mAP50": 0.1 * epoch}

    def _step(self, batch: object) -> Losses:
        self.now += 10
        self.optimizer.iterations += 1
        return Losses(*[tf.constant(1.0)] * len(Losses._fields))

    def run(self, seconds: float, begin: Place) -> list[dict[str, float]]:
        """Of so many seconds before the end's pictures; the rows of results.csv."""
        make_trainer(
            self._results,
            [],
            {1, 2, 3},
            begin=begin,
            epochs=1,
            clock=Clock((seconds + FINISH) / 60),
            batches=self,
            optimizer=self.optimizer,
            train_step=self._step,
            checkpoints=self._saved,
        ).run()
        return read_results(self._results)


def test_the_clock_ends_a_training_within_an_epoch_and_validates_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    timed = Timed(tmp_path, monkeypatch)
    rows = timed.run(86, Place(0, 0, 3))  # two epochs, validated at 60 s, and two steps until 82 - 2 * 2
    assert [row["step"] for row in rows] == [3, 6, 8]
    assert timed.validated == [2, 3]
    assert timed.places == [Place(1, 0, 3, 30_000), Place(2, 0, 3, 60_000), Place(3, 0, 3, 82_000)]


def test_a_resumed_training_has_the_minutes_that_are_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    timed = Timed(tmp_path, monkeypatch)
    write_rows(tmp_path / "results.csv", {"minutes": 0.5}, {"minutes": 1.0, "val/loss": 1.0, "val/mAP50": 0.1})
    timed.optimizer.iterations = 7
    rows = timed.run(100, Place(2, 1, 3, 72_000))
    assert [row.get("step") for row in rows] == [None, None, 9, 10]  # at 92 and 102 seconds
    assert timed.validated == [4]


def test_a_training_whose_time_is_over_is_not_begun_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    timed = Timed(tmp_path, monkeypatch)
    write_rows(tmp_path / "results.csv", {"minutes": 2.0, "val/loss": 1.0, "val/mAP50": 0.1})
    timed.run(100, Place(1, 0, 3, 118_000))
    assert (timed.optimizer.iterations, timed.validated) == (0, [])


def test_a_last_validation_that_was_stopped_is_made_up_for_when_the_time_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    timed = Timed(tmp_path, monkeypatch)
    write_rows(tmp_path / "results.csv", {"minutes": 2.0})
    rows = timed.run(100, Place(1, 0, 3, 118_000))
    assert (timed.optimizer.iterations, timed.validated) == (0, [1])
    assert rows[0]["val/loss"] == 1.0
