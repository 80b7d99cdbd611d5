"""The sweep's charts in ordinary and extreme cases, and the importance of an Optuna study's parameters."""

from pathlib import Path

import cv2
import matplotlib.pyplot
import pytest

from helpers.sweep_jobs import backbones, job
from ssd.sweep.report.charts import cost, curves, importance_bars
from ssd.sweep.report.configurations import configurations
from ssd.sweep.report.importance import MIN_TRIALS, importance
from ssd.sweep.report.jobs import ranked
from ssd.sweep.report.parallel_coordinates import parallel_coordinates, scale
from ssd.sweep.report.write import write_report


def test_importance_of_a_study(tmp_path: Path) -> None:
    import optuna

    assert importance(tmp_path) is None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(study_name="s", storage=f"sqlite:///{tmp_path / 'study.db'}", direction="maximize")
    ranges = {"a": optuna.distributions.FloatDistribution(0, 1), "b": optuna.distributions.IntDistribution(0, 9)}
    for number in range(MIN_TRIALS + 1):  # `a` decides
        params = {"a": number / MIN_TRIALS, "b": number % 10}
        study.add_trial(optuna.create_trial(params=params, distributions=ranges, value=number / MIN_TRIALS))
        if number == MIN_TRIALS - 2:
            write_report(tmp_path, jobs=backbones())
            said = f"Not computed: it needs {MIN_TRIALS} finished trials, and there are {MIN_TRIALS - 1}."
            assert said in (tmp_path / "sweep.md").read_text()
    found = importance(tmp_path)
    assert found is not None
    assert list(found.parts) == ["a", "b"]
    assert sum(found.parts.values()) == pytest.approx(1)
    write_report(tmp_path, jobs=backbones())
    assert (tmp_path / "plots" / "importance.png").exists()
    assert "`a` " in (tmp_path / "sweep.md").read_text()


def test_a_damaged_study_is_no_end(tmp_path: Path) -> None:
    (tmp_path / "study.db").write_text("this is no database, it only has the name of one")
    found = importance(tmp_path)
    assert found is not None
    assert found.absent.startswith("study.db cannot be evaluated: ")


LONG = "x" * 200
CASES = {
    "seeds": [job(i, "backbone=vgg16", f"seed={i}", mAP50=0.5 + i / 10) for i in range(3)],
    "one": [job(0, mAP50=0.5)],
    "failed": [job(i, f"a={i}", status="failed") for i in range(3)],
    "zeros": [job(i, f"a={i}", mAP50=0.0, parameters=1e6 + i, latency_ms=20.0 + i) for i in range(2)],
    "many": [
        job(i, f"a={LONG}{i % 13}", f"b={10.0**-i}", f"seed={i % 2}", mAP50=i / 40, parameters=1e6 + i)
        for i in range(40)
    ],
}


@pytest.mark.parametrize(
    ("case", "drawn"), [("seeds", "011"), ("one", "010"), ("failed", "010"), ("zeros", "111"), ("many", "111")]
)
def test_every_chart_in_ordinary_and_extreme_cases(case: str, drawn: str, tmp_path: Path) -> None:
    jobs = ranked(CASES[case])
    groups = configurations(jobs)
    done = (cost(groups, tmp_path / "0"), curves(groups, tmp_path / "1"), parallel_coordinates(jobs, tmp_path / "2"))
    assert "".join(str(int(was)) for was in done) == drawn
    for file in tmp_path.iterdir():
        image = cv2.imread(str(file))
        assert image is not None
        assert image.std() > 0
    assert matplotlib.pyplot.get_fignums() == []


def test_importance_bars(tmp_path: Path) -> None:
    importance_bars({"optimizer.learning_rate": 0.75, LONG: 0.25}, "val/mAP", tmp_path / "bars.png")
    assert cv2.imread(str(tmp_path / "bars.png")) is not None


def test_axes_of_parallel_coordinates() -> None:
    names = scale(["ssd", "flip", "ssd"], [0.1, 0.5, 0.2])  # the better one is up
    assert (names.places, names.ticks) == ([0, 1, 0], [(0.0, "ssd"), (1.0, "flip")])
    steps = scale(["0", "100", "400"], [0.1, 0.2, 0.3])
    assert steps.places == [0, 0.25, 1]
    rates = scale(["0.0001", "0.001", "0.01"], [0.1, 0.2, 0.3])
    assert rates.places == pytest.approx([0, 0.5, 1])
    assert [text for _, text in rates.ticks] == ["0.0001", "0.001", "0.01"]
    many = scale([str(10 ** (-4 + i / 10)) for i in range(31)], [0.1] * 31)
    assert [text for _, text in many.ticks] == ["0.0001", "0.001", "0.01", "0.1"]
    assert scale(["5", "5"], [0.1, 0.2]).places == [0.5, 0.5]
    assert scale(["", "vgg16"], [0.1, 0.2]).ticks[0][1] == "not given"
    assert scale(["nan", "1"], [0.1, 0.2]).ticks[0][1] == "nan"  # a name, not a place
