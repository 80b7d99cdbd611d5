"""Mistakes as they are made: each gives one sentence that names the file or key, and leaves nothing behind.

What a configuration refuses is in `test_checks.py`; here is the way of the whole command, with files of a user's own.
"""

import logging
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ssd.cli.fault import faults_of_threads_told
from ssd.cli.main import main
from ssd.cli.yaml_files import check_yaml
from ssd.errors import UserError

SGD = "_target_: keras.optimizers.SGD\nlearning_rate: 0.1\n"
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@dataclass(frozen=True)
class Mistake:
    """A command, the files it finds, and what must be in its sentence."""

    argv: tuple[str, ...]
    said: str
    files: dict[str, str | bytes] = field(default_factory=dict)
    status: int = 2


def typed(command: str, said: str) -> Mistake:
    return Mistake(tuple(command.split()), said)


def one(argument: str, said: str) -> Mistake:
    return Mistake((argument,), said)


def own(group: str, content: str | bytes, said: str, *more: str) -> Mistake:
    return Mistake(("--config-dir", "own", f"{group}=mine", *more), said, {f"own/{group}/mine.yaml": content})


@pytest.fixture(autouse=True)
def own_process_state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """What `main` changes in its process: the environment, sys.argv and logging."""
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
    monkeypatch.setattr(sys, "argv", ["run.py"])
    monkeypatch.chdir(tmp_path)
    loggers = [logging.getLogger(name) for name in (None, "ssd", "ssd.record")]
    before = [(logger, logger.handlers[:], logger.level, logger.propagate) for logger in loggers]
    yield
    for logger, handlers, level, propagate in before:
        logger.handlers[:], logger.level, logger.propagate = handlers, level, propagate


def sentence_of(
    mistake: Mistake, tmp_path: Path, capsys: pytest.CaptureFixture[str], names_no_key_of_hydra: bool = True
) -> str:
    """Runs the command, checks what holds for all mistakes, and gives what was said."""
    for name, content in mistake.files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    before = {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")}
    assert main(mistake.argv) == mistake.status
    assert {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")} == before
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    assert "Traceback" not in said
    assert "full_key" not in said
    assert len(said) < 600
    if names_no_key_of_hydra:
        assert "hydra.searchpath" not in said
    return said


# Read before anything is composed: milliseconds each.
SYNTAX = [
    one("=5", "'=5' cannot be read; write key=value"),
    one("=", "'=' cannot be read; write key=value"),
    one("", "'' cannot be read; write key=value"),
    one("train", "'train' cannot be read; write key=value"),
    one("training.epochs:3", "'training.epochs:3' cannot be read; write key=value"),
    one("training..epochs=3", "'training..epochs=3' cannot be read"),
    one("name =x", "'name =x' cannot be read"),
    one("name=[a", """quoted it can: python run.py 'name="[a"'"""),
    one("name=😀", """quoted it can: python run.py 'name="😀"'"""),
    one("name=a\0b", "'name=a\\x00b' cannot be read; write key=value, of characters that can be printed"),
    one("name=a\nb", "'name=a\\nb' cannot be read; write key=value, of characters that can be printed"),
    one("name=a\udcffb", "'name=a\\udcffb' cannot be read"),
    one(f"name={'[' * 2000}{']' * 2000}", "cannot be read; write key=value"),
    one(f"augmentation.transforms={'[' * 100_000}", "has 100024 letters, and at most 10000 are read; put such a value"),
    one(f"{'x' * 5000}=1", "has 5002 letters, and at most 10000 are read"),
    one(f"checkpoint={'x' * 5000}", "cannot be a path: a name in it has more than 255 letters"),
    one(f"resume={'x' * 5000}", "cannot be a path: a name in it has more than 255 letters"),
    one(f"dataset.path={'é' * 200}", "cannot be a path: a name in it has more than 255 letters"),
    one("checkpoint=", "checkpoint= has no value; give a path, or leave checkpoint out"),
    one("resume=''", "resume= has no value"),
    one("source=", "source= has no value"),
    one("backbone.weights=", "backbone.weights has no value".replace(" has", "= has")),
    one("hydra.run.dir=", "hydra.run.dir= has no value"),
    one("~training", "~training: training cannot be left out; give it a value instead: training=..."),
    one("~backbone", "~backbone: backbone cannot be left out"),
    one("~optimizer", "~optimizer: optimizer cannot be left out"),
    one("~name", "~name: name cannot be left out"),
    one("~seed", "~seed: seed cannot be left out"),
    typed("--nope", "--nope is no flag; python run.py --help and --hydra-help show what there is"),
    typed("--training.epochs=3", "--training.epochs is no flag; a key is set without dashes: training.epochs=3"),
    typed("--epochs 3", "--epochs is no flag"),
    typed("-x", "is no flag"),
    typed("--cfg nope", "--cfg/-c: invalid choice: 'nope'"),
    typed("--config-name", "--config-name/-cn: expected one argument"),
    typed("--multirun=3", "--multirun/-m: ignored explicit argument '3'"),
    typed("resume=nope", "resume=nope: there is no such folder; paths are relative to"),
    typed("resume=.", "resume=. is not a run folder: it has no .hydra/overrides.yaml"),
    typed("resume=/dev/null", "resume=/dev/null is not a run folder"),
    typed("weights=nope", "weights=nope does not say whose weights they are"),
    typed("weights=keras:nope.h5", "weights=keras:nope.h5 does not say whose weights they are"),
    typed("weights=torchvision:nope.pth", "weights=torchvision:nope.pth: there is no such file"),
    typed("-m resume=. seed=1,2", "resume continues one run; leave -m out"),
    typed("-m sweep.resume=nope", "sweep.resume=nope: there is no such folder"),
    typed("--config-dir nope", "--config-dir nope: there is no such folder"),
    typed(f"--config-dir {'x' * 5000}", "there is no such folder"),
    typed("--config-dir /dev/null", "--config-dir /dev/null: there is no such folder"),
    typed("--config-name nope", "--config-name nope: there is no such configuration beside config.yaml"),
]

# Found when the files are read: tenths of a second each.
FILES = [
    own("optimizer", f"{SGD}\tmomentum: 0.9\n", "own/optimizer/mine.yaml, line 3 is no valid YAML: a tab; indent with"),
    own("optimizer", b"# gr\xf6\xdfe\n", "own/optimizer/mine.yaml is not UTF-8 (byte 5); save it as UTF-8 text"),
    own("optimizer", SGD.encode("utf-16"), "own/optimizer/mine.yaml is not UTF-8 (byte 1); save it as UTF-8 text"),
    own("optimizer", b"\x89PNG\r\n\x1a\n", "own/optimizer/mine.yaml is not UTF-8 (byte 1)"),
    own("optimizer", "- a\n- b\n", "own/optimizer/mine.yaml is a list; a configuration holds keys with values"),
    own(
        "optimizer", "defaults: [nope]\n", "optimizer/mine.yaml: its defaults list names optimizer/nope, which does not"
    ),
    own("optimizer", "defaults: 3\n", "optimizer/mine.yaml: defaults must be a list (got int); write `defaults:` and"),
    own(
        "optimizer", "defaults: [mine]\n", "names that YAML itself, directly or through others; look at what optimizer"
    ),
    own("optimizer", "defaults: [_self_, _self_]\n", "optimizer/mine.yaml: its defaults list has _self_ twice"),
    own("optimizer", f"# @package a b\n{SGD}", "the first line '# @package a b' of a YAML cannot be read; write '# @"),
    own("optimizer", f"{SGD}m: '${{a b}}'\n", "its ${...} cannot be read; correct it"),
    own("optimizer", f"{BOMB}{SGD}", "own/optimizer/mine.yaml comes to more than 100000 values with its aliases"),
    own("experiment", "# @package _global_\ndefaults: [/optimizer: sgd]\n", "write there: - override /optimizer: sgd"),
    own(
        "experiment",
        "# @package _global_\ndefaults: [override /optimizer: nope]\n",
        "a defaults list chooses optimizer=nope, which does not exist; choose one of: adam",
    ),
    typed("backbone=nope", "backbone=nope: there is no such backbone; choose one of: mobilenet_v2"),
    typed("backbone=conf/backbone/vgg16.yaml", "backbone=conf/backbone/vgg16.yaml: there is no such backbone"),
    typed("task=../train", "task=../train: there is no such task"),
    typed("training=", "training=: there is no such training; choose one of: coco, default"),
    typed("++training=coco", "an option of a group is chosen without the ++: training=coco"),
    typed("-m task=train,evaluate", "task takes one value; run the command once for each of train,evaluate"),
]

# Found when all is composed.
COMPOSED = [
    own("optimizer", "learning_rate: 0.1\n", "optimizer has no `_target_`"),
    own(
        "optimizer", "_target_: keras.optimizers.SGD\nlearning_rate: 1e-3x\n", "optimizer.learning_rate is '1e-3x'; it"
    ),
    own("optimizer", "_target_: keras.optimizers.SGD\n", "optimizer.learning_rate has no value; it must be a number"),
    own(
        "optimizer", f"{SGD}momentum: ${{nope.x}}\n", "optimizer.momentum: ${nope.x} names no key of the configuration"
    ),
    own(
        "optimizer",
        f"{SGD}a: ${{optimizer.b}}\nb: ${{optimizer.a}}\n",
        "optimizer.a: its ${...} leads back to itself; give a value",
    ),
    own("optimizer", f"{SGD}a: ${{oc.env:NO_SUCH}}\n", "optimizer.a: the environment variable NO_SUCH is not set"),
    own("backbone", "_target_: mine.make\n", "backbone.name has no value; give it one in its YAML (name: ...)"),
    own(
        "augmentation", "name: x\ntransforms: [{p: 1}]\n", "augmentation.transforms[0] has no `_target_`; write each as"
    ),
    own("augmentation", "name: x\ntransforms: {p: 1}\n", "augmentation/mine.yaml has keys where a list belongs"),
    own("experiment", "# @package _global_\ntraining:\n", "experiment/mine.yaml: training: must have a value; null is"),
    own("task", "_target_: json.loads\nname: a/../..\n", "task.name='a/../..' has a slash; a folder is named after it"),
    typed(
        "experiment=bccd_vgg16 dataset=voc2007", "experiment=bccd_vgg16 sets dataset.path, which dataset=voc2007 does"
    ),
    typed("~training.batch_size", "~training.batch_size: training.batch_size cannot be left out; give it a value"),
    typed("~training.nope", "~training.nope: there is no such key to take away"),
    typed("+name=x", "name has a value already; leave the + out: name=x"),
    typed("name=a/b", "name='a/b' has a slash; a folder is named after it: write it with a dash"),
    typed("name=..", "name='..' is empty or dots alone"),
    typed("backbone.name=../x", "backbone.name='../x' has a slash"),
    typed("training.epochs=1000000000000", "training.epochs=1000000000000 must be between 1 and 1000000"),
    typed("optimizer.learning_rate=inf", "optimizer.learning_rate=inf must be a finite number"),
    typed("detector.scales=[0.1,0.2,0.3,0.4,0.5,inf]", "detector.scales[5]=inf must be a finite number"),
    typed("detector.image_size=null", "detector.image_size: must have a value; null is none"),
    typed("training.epochs.x=3", "training.epochs is one value and has no keys below it"),
    typed("task._target_=json", "task._target_=json is no function of a module; write MODULE.FUNCTION"),
    typed("tracking.uri=sqlite://", "tracking.uri=sqlite:// is no store of MLflow"),
    typed("tracking.uri=sqlite:////no/such/mlflow.db", "there is no folder /no/such; make it, or choose another file"),
    typed("tracking.uri=https://host:port", "tracking.uri=https://host:port is no address of a server"),
    Mistake(("tracking.uri=sqlite:///a.jpg",), "sqlite:///a.jpg is no SQLite database", {"a.jpg": b"\xff\xd8" * 20}),
    typed("hydra.run.dir=${nope}", "hydra.run.dir: ${nope} names no key of the configuration"),
    typed("hydra.job_logging.root.level=NOPE", "hydra.job_logging.root.level=NOPE is no level; choose one of: DEBUG"),
    typed("hydra.output_subdir=../../x", "hydra.output_subdir=../../x must be a folder inside the run's"),
    typed("-m seed=range(1,1)", "seed=range(1,1) gives no value at all; correct it"),
    typed("-m seed=range(1,10000000)", "seed=range(1,10000000): the grid has more than 2000 jobs"),
    typed("-m seed=1,2 hydra.sweeper=nope", "hydra.sweeper is no sweeper; choose one: hydra/sweeper=basic"),
    typed("-m seed=1,2 hydra.launcher._target_=os.system", "hydra.launcher is no part of Hydra or of this program"),
    typed("-m seed=1,2 hydra.sweep.subdir=same", "hydra.sweep.subdir is the same for all jobs"),
]


def shown(mistake: Mistake) -> str:
    return f"{' '.join(mistake.argv)[:40]!r} {mistake.said[:40]}"


@pytest.mark.parametrize("mistake", [*SYNTAX, *FILES, *COMPOSED], ids=shown)
def test_a_mistake_is_one_sentence_and_leaves_nothing(
    mistake: Mistake, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert mistake.said in sentence_of(mistake, tmp_path, capsys)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a: [b\nc: d\n", "line 2 is no valid YAML: did not find expected ',' or ']'"),
        ("a: 'b\n", "is no valid YAML: found unexpected end of stream"),
        ("a: b: c\n", "line 1 is no valid YAML: mapping values are not allowed"),
        ('a: "C:\\Users"\n', "line 1 is no valid YAML"),
        ("a: 1\nb: *c\n", "*c is an alias of nothing; correct it"),
        ("a: &a [*a]\n", "*a is an alias of what it is in; take it out"),
        ("a: &a\n  <<: *a\n", "*a is an alias of what it is in; take it out"),
        (f"a: {'[' * 3000}{']' * 3000}\n", "nests deeper than 50 levels; make it flatter"),
        (f"a: {'[' * 100_000}\n", "nests deeper than 50 levels; make it flatter"),
        (BOMB, "comes to more than 100000 values with its aliases"),
        (f"a: {'9' * 5000}\n", "has a number of 5000 digits; write what is meant"),
        ("hello\n", "is a single value; a configuration holds keys with values"),
        ("3\n", "is a single value; a configuration holds keys with values"),
        ("- a\n", "is a list; a configuration holds keys with values"),
        (f"a: {'x' * 1_000_001}\n", "has 1000005 bytes, too many for a configuration"),
        ("a: \0\n", "is no valid YAML: control characters are not allowed"),
    ],
    ids=lambda value: value[:30],
)
def test_a_damaged_yaml_is_named(content: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(content)
    with pytest.raises(UserError) as caught:
        check_yaml(tmp_path / "mine.yaml")
    assert str(caught.value).startswith("mine.yaml")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["", "# nothing\n", SGD, "\ufeffa: 1\n", "a: &a [1, 2]\nb: [*a, *a]\n"])
def test_a_sound_yaml_passes(content: str, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(content, encoding="utf-8")
    check_yaml(tmp_path / "mine.yaml")


@pytest.mark.parametrize(
    ("code", "status", "said"),
    [
        ("1/0", 2, "task._target_=mine_of_the_test.run cannot be imported (ZeroDivisionError: division by zero); corr"),
        ("import nowhere_at_all", 2, "(ModuleNotFoundError: No module named 'nowhere_at_all'); correct it"),
        ("run = 3", 2, "task._target_=mine_of_the_test.run is a int and no function"),
        ("def run(): ...", 2, "cannot be called with the configuration and the folder (too many positional arguments)"),
        ("def run(cfg, folder): ...", 2, "gave None; it must return a number"),
        ("def run(cfg, folder): return 'x'", 2, "gave a str; it must return a number"),
        (
            "def run(cfg, folder): return 1 / 0",
            1,
            "ZeroDivisionError: division by zero; nobody expected this: the trace",
        ),
        ("def run(cfg, folder): return run(cfg, folder)", 1, "RecursionError: maximum recursion depth exceeded"),
        ("def run(cfg, folder): raise MemoryError", 1, "MemoryError: no reason given; nobody expected this"),
    ],
)
def test_a_task_of_ones_own(
    code: str,
    status: int,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "mine_of_the_test.py").write_text(code)
    (tmp_path / "own" / "task").mkdir(parents=True)
    (tmp_path / "own" / "task" / "mine.yaml").write_text("_target_: mine_of_the_test.run\nname: mine\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "mine_of_the_test", raising=False)
    with pytest.raises(SystemExit) as left:
        main(["--config-dir", "own", "task=mine", "tracking.enabled=false"])
    assert left.value.code == status
    sentence = capsys.readouterr().err
    assert said in sentence
    assert sentence.startswith("error: ")
    assert sentence.count("\n") == 1
    monkeypatch.delitem(sys.modules, "mine_of_the_test", raising=False)


def test_a_fault_in_a_thread_is_a_line(caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> None:
    with faults_of_threads_told():
        thread = threading.Thread(target=lambda: 1 / 0)
        thread.start()
        thread.join()
    assert "in a thread: ZeroDivisionError: division by zero; its trace is in run.log" in caplog.messages
    assert "Traceback" not in capsys.readouterr().err
