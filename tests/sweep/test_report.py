"""The sweep's report: configurations by hand, what varies, files, charts, failures, MLflow and its registry."""

import csv
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from helpers.sweep_jobs import backbones, job, write_job
from ssd.environment import ROOT
from ssd.sweep.report.configurations import configuration_rows, configurations, job_rows
from ssd.sweep.report.jobs import JobResult, ranked, read_job, read_jobs, varying
from ssd.sweep.report.terminal import print_table
from ssd.sweep.report.write import write_report

LOOSE: dict[str, Any] = {"mAP50": 0.968, "mAP": 0.451, "parameters": 1e6, "latency_ms": 20.0}
TIGHT: dict[str, Any] = {"mAP50": 0.944, "mAP": 0.639, "parameters": 2e6, "latency_ms": 30.0}


def test_mean_and_sample_standard_deviation_over_seeds() -> None:
    groups = configurations(backbones())
    assert [(group.rank, dict(group.values), group.runs) for group in groups] == [
        (1, {"backbone": "mobilenet_v2"}, "2 of 3"),
        (2, {"backbone": "vgg16"}, "2 of 3"),
    ]
    first, second = (group.measure("mAP50") for group in groups)
    assert first is not None
    assert second is not None
    assert first.mean == pytest.approx((0.65 + 0.61) / 2)
    assert first.std == pytest.approx(math.sqrt(2 * 0.02**2 / (2 - 1)))
    assert (second.mean, second.std) == (pytest.approx(0.6), pytest.approx(math.sqrt(2 * 0.1**2)))
    assert configuration_rows(groups)[1] == {
        "rank": 2,
        "backbone": "vgg16",
        "runs": "2 of 3",
        "mAP50": "0.600 ± 0.141",
        "mAP": "0.300 ± 0.000",
        "params (M)": "26.00",
        "GFLOPs": "60.00",
        "latency (ms)": "200.0",
        "minutes": "30.0",
    }


def test_a_single_seed_has_no_deviation_and_older_runs_leave_columns_out() -> None:
    (row,) = configuration_rows(configurations([job(0, "backbone=vgg16", mAP50=0.5)]))
    assert row == {"rank": 1, "runs": "1", "mAP50": "0.500"}
    rows = job_rows([job(0, "a=1", mAP50=0.5, latency_ms=20.0), job(1, "a=2", mAP50=0.4)])
    assert [row["latency (ms)"] for row in rows] == ["20.0", ""]
    assert "GFLOPs" not in rows[0]


def test_what_varies_knows_defaults_and_leaves_out_what_trains_nothing() -> None:
    settings = {"backbone.name": "mobilenet_v2", "optimizer._target_": "keras.optimizers.AdamW", "seed": "0"}
    rate = {"optimizer.learning_rate": "0.001", **settings}
    jobs = [
        job(0, "optimizer.learning_rate=1e-3", "name=a", "tracking.uri=x", "seed=0", settings=rate),
        job(1, "+optimizer.learning_rate=0.0010", "name=b", "backbone=mobilenet_v2", "optimizer=adamw", settings=rate),
        job(2, "optimizer.learning_rate=0.001", "seed=2", settings={**rate, "seed": "2"}),
    ]
    assert varying(jobs) == ["seed"]
    assert [job.value("optimizer") for job in jobs] == ["adamw"] * 3
    assert varying([*jobs, job(3, "backbone=vgg16", "optimizer.learning_rate=1e-2")]) == [
        "optimizer.learning_rate",
        "backbone",
        "optimizer",
        "seed",
    ]


def test_failed_jobs_without_a_configuration_are_compared_by_what_was_typed() -> None:
    jobs = [
        job(i, f"a={text}", status="failed") for i, text in enumerate(("1e-3", "0.001", "'my data'", "[.1,2]", "{x:1}"))
    ]
    assert [job.value("a") for job in jobs] == ["0.001", "0.001", "my data", "[0.1, 2]", "{x:1}"]


def test_lists_are_compared_as_asked_for_since_mlflow_shows_them_in_another_way() -> None:
    jobs = [job(i, "a=[.1,2]", settings={"a": shown}) for i, shown in enumerate(("[0.1, 2]", "0.1, 2"))]
    assert varying(jobs) == []


def test_the_command_repeats_one_job_alone() -> None:
    result = JobResult(
        0,
        ("sweeps=quick", "dataset.path='my data'", "sweep.register=cells", "+a.b=[1,2]"),
        "done",
        flags=("--config-dir=/c",),
    )
    assert result.command == (
        "python run.py --config-dir=/c sweeps=quick 'dataset.path='\"'\"'my data'\"'\"'' '+a.b=[1,2]'"
    )


def test_flags_of_the_command_line_are_read_from_the_run_folder(tmp_path: Path) -> None:
    folder = write_job(tmp_path, 7, ["seed=1"], 0.5)
    sources = [{"path": "/mine", "schema": "file", "provider": "command-line"}, {"path": "ssd", "provider": "main"}]
    OmegaConf.save(
        {"hydra": {"job": {"num": 7, "config_name": "own"}, "runtime": {"config_sources": sources}}},
        folder / ".hydra" / "hydra.yaml",
    )
    assert read_job(folder).command == "python run.py --config-name=own --config-dir=/mine seed=1"


def test_the_report_in_its_folder(tmp_path: Path) -> None:
    for number, (backbone, seed, value) in enumerate([("vgg16", 1, 0.5), ("vgg16", 2, 0.7), ("mobilenet_v2", 1, None)]):
        write_job(tmp_path, number, [f"backbone={backbone}", f"seed={seed}", "training.epochs=1"], value)
    (tmp_path / "plots").mkdir()
    (tmp_path / "plots" / "importance.png").touch()  # of an older report
    report = write_report(tmp_path)
    text = (tmp_path / "sweep.md").read_text()
    assert "3 jobs: 2 done, 1 missing. What varies: `backbone`, `seed`. In common: `training.epochs=1`." in text
    assert "Best: job 1, mAP50 **0.700**: backbone=vgg16, seed=2.\n\n```sh\npython run.py backbone=vgg16 " in text
    assert "[1_job](1_job)" in text
    assert "| 1 | vgg16 | 2 | 0.600 ± 0.141 |\n| 2 | mobilenet_v2 | 0 of 1 |  |\n" in text
    assert "sample standard deviation (n - 1)" in text
    assert "| 2 | mobilenet_v2 | 1 | missing: no metrics.json" in text
    assert text.index("## Configurations") < text.index("](plots/curves.png)") < text.index("## Jobs")
    assert sorted(file.name for file in (tmp_path / "plots").iterdir()) == ["curves.png", "parallel.png"]
    assert (tmp_path / "sweep.html").read_text(encoding="utf-8").count('<img src="data:image/png;base64,') == 2
    with (tmp_path / "sweep.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["job"], row["backbone"], row["mAP50"]) for row in rows] == [
        ("1", "vgg16", "0.7"),
        ("0", "vgg16", "0.5"),
        ("2", "mobilenet_v2", ""),
    ]
    with (tmp_path / "configurations.csv").open(newline="") as file:
        first = next(csv.DictReader(file))
    assert (first["jobs"], first["mAP50"]) == ("2", "0.6")
    assert float(first["mAP50_std"]) == pytest.approx(math.sqrt(0.02))
    assert (report.best and report.best.job, len(report.groups)) == (1, 2)


def test_the_best_job_may_be_of_another_configuration_than_the_best_mean(tmp_path: Path) -> None:
    write_report(tmp_path, jobs=backbones())
    text = (tmp_path / "sweep.md").read_text()
    assert "Best: job 1, mAP50 **0.700**: backbone=vgg16, seed=2. The best mean has another" in text
    assert "configuration, mobilenet_v2, with 0.630 ± 0.028." in text


BY_MAP = {"training.best_by": "val/mAP"}


def test_jobs_are_compared_by_their_own_best_by(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    jobs = ranked([job(0, "a=1", settings=BY_MAP, **LOOSE), job(1, "a=2", settings=BY_MAP, **TIGHT)])
    report = write_report(tmp_path, jobs=jobs)
    assert (report.best_by, report.best and report.best.job) == ("val/mAP", 1)
    assert [(group.rank, group.label) for group in report.groups] == [(1, "2"), (2, "1")]
    text = (tmp_path / "sweep.md").read_text()
    assert "Best: job 1, mAP **0.639**: a=2." in text
    assert "![mAP over cost](plots/cost.png)" in text
    assert "| job | a | status | mAP | mAP50 |" in text
    assert "differ in training.best_by" not in text
    assert (tmp_path / "sweep.csv").read_text().startswith("job,a,status,mAP,mAP50,parameters,")
    print_table(jobs)
    shown = capsys.readouterr().out
    assert "best mAP first" in shown
    assert shown.endswith("Best: job 1, mAP 0.639\n  python run.py a=2\n")


def test_jobs_by_different_columns_are_compared_by_map_and_it_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs = ranked([job(0, "a=1", **LOOSE), job(1, "a=2", settings=BY_MAP, **TIGHT), job(2, "a=3", mAP50=0.99)])
    report = write_report(tmp_path, jobs=jobs)
    assert [job.job for job in jobs] == [1, 0, 2]  # the last one has no mAP
    assert (report.best_by, report.best and report.best.job) == ("val/mAP", 1)
    said = "The jobs differ in training.best_by, by which each chose its best checkpoint; they are compared by val/mAP."
    assert said in (tmp_path / "sweep.md").read_text()
    print_table(jobs)
    assert said in capsys.readouterr().out


def test_jobs_that_each_ran_once_are_one_table(tmp_path: Path) -> None:
    write_report(tmp_path, jobs=ranked([job(0, "a=1", mAP50=0.5), job(1, "a=2", mAP50=0.6)]))
    assert "## Configurations" not in (tmp_path / "sweep.md").read_text()


def test_a_sweep_in_which_everything_failed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    jobs = ranked([JobResult(number, (f"a={number}",), "failed", "out of | memory") for number in range(2)])
    report = write_report(tmp_path, jobs=jobs, register="cells")
    text = (tmp_path / "sweep.md").read_text()
    assert "No job has a result." in text
    assert "| 0 | 0 | failed: out of \\| memory |" in text
    assert not (tmp_path / "plots").exists()
    assert report.problem
    print_table(jobs)
    assert "failed: out of | memory" in capsys.readouterr().out


def test_the_terminal_shows_configurations_and_what_went_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(backbones())
    shown = capsys.readouterr().out
    assert "0.630 ± 0.028" in shown
    assert "job 2 (backbone=vgg16, seed=3) failed: out of memory" in shown
    assert shown.endswith("Best: job 1, mAP50 0.700\n  python run.py backbone=vgg16 seed=2 training.epochs=3\n")


def test_jobs_with_a_run_still_going_are_not_done(tmp_path: Path) -> None:
    write_job(tmp_path, 0, ["a=1"], 0.5)
    (write_job(tmp_path, 1, ["a=2"], 0.4) / "pruned.txt").write_text("after epoch 4\n")
    write_job(tmp_path, 2, ["a=3"], None)
    assert [(job.status, job.done) for job in read_jobs(tmp_path)] == [
        ("done", True),
        ("pruned", False),
        ("missing", False),
    ]


def test_charts_and_mlflow_are_loaded_only_when_a_report_is_written() -> None:
    code = (
        "import ssd.sweep.report.write, ssd.cli.checks, sys;print({'mlflow', 'matplotlib', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
