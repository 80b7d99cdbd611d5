"""Wrong, damaged and hostile input, one kind per row, through the real command: what is said, and what stays as it was.

Every row starts from the same folder of a user's: photographs, a run, a sweep, YAML of their own. It plants one fault,
gives one command, and asks for one sentence. Whatever the fault: no trace of a stack, nothing of the user's changed,
nothing run (a planted call would leave `canary`), little memory, little time. Kinds that need a network that trains are
in the tests of their parts; SECURITY.md says which.
"""

import hashlib
import json
import logging
import os
import pickle
import re
import resource
import shlex
import shutil
import struct
import sys
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest
from omegaconf import DictConfig

from helpers.fake_checkpoint import write_archive, write_detector
from helpers.fake_coco import instances
from helpers.fake_voc import encoded_image, item, write_voc
from ssd.cli.main import main
from ssd.runs.folder import BEST, LAST
from ssd.runs.going_on import note_command

SECONDS = 60  # far more than any row takes on a quiet machine
MEGABYTES = 300
QUICK = ("tracking.enabled=false", "training.epochs=2")
VOC = "dataset=voc_folder dataset.path=voc dataset.train=train dataset.val=val"
COCO = (
    "dataset=coco_json dataset.train_annotations=coco/train.json dataset.train_images=coco/images "
    "dataset.val_annotations=coco/val.json dataset.val_images=coco/images"
)


@dataclass(frozen=True)
class Fault:
    """A kind of fault.

    Attributes:
        name: of the row.
        plant: puts it into the user's folder, which is the current one.
        command: what the user types then.
        says: a regular expression of the sentence.
        status: exit status.
    """

    name: str
    plant: Callable[[], object]
    command: str
    says: str
    status: int = 2


def nothing() -> None:
    """The fault is in the command."""


def file(path: str, content: str | bytes) -> Callable[[], object]:
    def plant() -> None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(content.encode() if isinstance(content, str) else content)

    return plant


def changed(path: str, change: Callable[[str], str]) -> Callable[[], object]:
    return lambda: Path(path).write_text(change(Path(path).read_text()))


def cut(path: str) -> Callable[[], object]:
    return lambda: Path(path).write_bytes(Path(path).read_bytes()[: Path(path).stat().st_size // 2])


def gone(path: str) -> Callable[[], object]:
    return lambda: shutil.rmtree(path) if Path(path).is_dir() else Path(path).unlink()


def folder_instead(path: str) -> Callable[[], object]:
    def plant() -> None:
        Path(path).unlink()
        Path(path).mkdir()

    return plant


def stored(line: str) -> Callable[[], object]:
    """A line of a stranger's in the stored command of the run."""
    return changed("run/.hydra/overrides.yaml", lambda text: f"{text}- {json.dumps(line)}\n")


def in_sweep(**values: object) -> Callable[[], object]:
    return changed("sweep/sweep.json", lambda text: json.dumps({**json.loads(text), **values}))


def coco(change: Callable[[dict], object]) -> Callable[[], object]:
    def plant() -> None:
        content = json.loads(Path("coco/train.json").read_text())
        change(content)
        Path("coco/train.json").write_text(json.dumps(content))

    return plant


def xml(change: Callable[[str], str]) -> Callable[[], object]:
    return changed("voc/Annotations/a.xml", change)


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims to have these pixels."""
    data = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + data
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", len(data)) + chunk + struct.pack(">I", zlib.crc32(chunk))


def zip_bomb() -> None:
    """2 MB that unpack to 2 GB."""
    with zipfile.ZipFile("x.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", '{"class_name": "SSD", "config": {"class_names": ["cat"]}}')
        with archive.open("model.weights.h5", "w") as part:
            for _ in range(2_000):
                part.write(bytes(1_000_000))


class Touching:
    """Makes the canary where it is unpickled."""

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("touch canary",)


PICKLE = pickle.dumps({"head": Touching()})
ENTITIES = '<!DOCTYPE a [<!ENTITY g "' + "x" * 1000 + '">' + "<!ENTITY h '" + "&g;" * 1000 + "'>]>"
OUTER = '<!DOCTYPE a [<!ENTITY h SYSTEM "file:///etc/passwd">]>'
CALL = "{_target_: pathlib.Path.touch, self: canary}"
BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{','.join(f'*{old}' for _ in range(9))}]\n"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)

RUN_FOLDER = [
    Fault("resume of nothing", nothing, "resume=nowhere", "resume=nowhere: there is no such folder"),
    Fault("resume of a folder", nothing, "resume=voc", "resume=voc is not a run folder"),
    Fault("resume of a file", nothing, "resume=photo.jpg", "resume=photo.jpg"),
    Fault("resume as another experiment", nothing, "resume=run optimizer=sgd", "go on as another experiment"),
    Fault("resume with another batch", nothing, "resume=run training.batch_size=3", "training.batch_size 8 → 3"),
    Fault("resume by another mAP", nothing, "resume=run training.best_by=val/mAP50", "leave training.best_by out"),
    Fault("resume with -m", nothing, "-m resume=run seed=1,2", "resume continues one run"),
    Fault("resume and evaluate", nothing, "resume=run task=evaluate", "resume continues a training"),
    Fault("no last.keras", gone(f"run/{LAST}"), "resume=run", r"has results, but no checkpoints/last\.keras"),
    Fault("last.keras empty", file(f"run/{LAST}", ""), "resume=run", r"last\.keras cannot be read as a checkpoint"),
    Fault("last.keras garbage", file(f"run/{LAST}", b"x" * 999), "resume=run", r"last\.keras cannot be read"),
    Fault("last.keras cut", cut(f"run/{LAST}"), "resume=run", r"last\.keras cannot be read"),
    Fault("last.keras a folder", folder_instead(f"run/{LAST}"), "resume=run", r"last\.keras"),
    Fault("best.keras cut", cut(f"run/{BEST}"), "task=evaluate checkpoint=run", r"best\.keras cannot be read"),
    Fault("no checkpoint", gone("run/checkpoints"), "task=evaluate checkpoint=run", "has no checkpoint"),
    *(
        Fault(f"{name} {how}", plant(f"run/{name}"), "resume=run", re.escape(name))
        for name in (".hydra/overrides.yaml", ".hydra/hydra.yaml", "config.yaml")
        for how, plant in {
            "cut": lambda path: changed(path, lambda text: text[: text.rfind(":")] + ": ["),
            "empty": lambda path: file(path, ""),
            "binary": lambda path: file(path, bytes(range(256))),
            "a number": lambda path: file(path, "42\n"),
            "a folder": folder_instead,
        }.items()
        if (name, how) != (".hydra/overrides.yaml", "a folder")  # which is no run then
    ),
    Fault("hydra.yaml missing", gone("run/.hydra/hydra.yaml"), "resume=run", r"hydra\.yaml"),
    Fault("own YAML is gone", changed(
        "run/.hydra/hydra.yaml",
        lambda text: text.replace("config_sources:", "config_sources:\n    - {path: /gone, provider: command-line}"),
    ), "resume=run", "started with --config-dir=/gone"),
    Fault("sweep.json cut", cut("sweep/sweep.json"), "-m sweep.resume=sweep", r"sweep\.json"),
    Fault("sweep.json empty", file("sweep/sweep.json", ""), "-m sweep.resume=sweep", r"sweep\.json"),
    Fault("sweep.json a list", file("sweep/sweep.json", "[]"), "-m sweep.resume=sweep", r"sweep\.json"),
    Fault("sweep.json less", file("sweep/sweep.json", "{}"), "-m sweep.resume=sweep", r"sweep\.json"),
    Fault("sweep.json numbers", in_sweep(overrides=3), "-m sweep.resume=sweep", r"sweep\.json"),
    Fault("sweep.json missing", gone("sweep/sweep.json"), "-m sweep.resume=sweep", "is not the folder of a sweep"),
    Fault("sweep resumed alone", nothing, "sweep.resume=sweep", "ask for one with -m"),
    Fault("another sweep", nothing, "-m sweep.resume=sweep seed=7,8", "goes on with the jobs it has"),
    *(
        Fault(f"store {uri}", nothing, f"tracking.uri={uri}", "is no store of MLflow")
        for uri in ("nonsense", "foo://bar", "http://", "5000")
    ),
]  # fmt: skip

STRANGERS = [
    Fault("a link out of a run", lambda: Path("run/plots").symlink_to(Path("yaml").resolve()), "resume=run",
          "plots is a link to .*yaml, out of that folder"),
    Fault("a link out of a sweep", lambda: Path("sweep/plots").symlink_to(Path("yaml").resolve()),
          "-m sweep.resume=sweep", "plots is a link to .*yaml, out of that folder"),
    Fault("YAML of a sweep", in_sweep(config_dir="yaml"), "-m sweep.resume=sweep", "--config-dir=yaml, which is code"),
    Fault("name of a sweep's YAML", in_sweep(config_name="../yaml/x"), "-m sweep.resume=sweep", "could run, write or"),
    *(
        Fault(f"in a sweep: {line[:30]}", in_sweep(overrides=["seed=1,2", line]), "-m sweep.resume=sweep",
              "could run, write or read anything")
        for line in (
            f"+hydra.callbacks.x={CALL}", "hydra.sweep.subdir=/tmp/x", f"hydra.sweeper.sampler={CALL}",
            "'name=${oc.env:SECRET}'", "hydra.launcher.parameters={slurm_setup: [touch canary]}", "~seed",
            f"augmentation.transforms=[{CALL}]", "task._target_=os.system",
        )
    ),
    *(
        Fault(f"in a run: {line[:30]}", stored(line), "resume=run", "left out of what run was started with", 0)
        for line in (
            f"+hydra.callbacks.x={CALL}", "hydra.run.dir=elsewhere", f"augmentation.transforms=[{CALL}]",
            "'name=${oc.env:SECRET}'", "name=${oc.${backbone.name}:SECRET}", r"name=$\{oc.env\:SECRET\}",
            "task._target_=os.system", "optimizer._target_=keras.optimizers.deserialize", "~training.epochs",
            "dataset._target_=ssd.models.checkpoint.os.remove", "+backbone@hydra.callbacks.x=vgg16",
        )
    ),
]  # fmt: skip

FILES = [
    Fault("image too large", file("big.png", png_header(30_000, 30_000)), "task=predict checkpoint=run source=big.png",
          r"big\.png has 30000 x 30000 pixels"),
    Fault("image too large in VOC", file("voc/JPEGImages/a.jpg", png_header(30_000, 30_000)), VOC, r"a\.jpg.*pixels"),
    Fault("text as an image", file("photo.jpg", "no"), "task=predict checkpoint=run source=photo.jpg", r"photo\.jpg"),
    Fault("empty image", file("photo.jpg", ""), "task=predict checkpoint=run source=photo.jpg", r"photo\.jpg"),
    Fault("folder without images", nothing, "task=predict checkpoint=run source=yaml", "yaml"),
    Fault("source is gone", nothing, "task=predict checkpoint=run source=gone.jpg", r"gone\.jpg"),
    Fault("checkpoint is text", file("x.keras", "no"), "task=evaluate checkpoint=x.keras", r"x\.keras cannot be read"),
    Fault("checkpoint is an image", nothing, "task=evaluate checkpoint=photo.jpg", r"photo\.jpg cannot be read"),
    Fault("checkpoint is another model", lambda: write_archive(Path("x.keras"), {
        "config.json": b'{"class_name": "Sequential", "config": {}}', "model.weights.h5": b""}),
        "task=evaluate checkpoint=x.keras", r"x\.keras"),
    Fault("config nested", lambda: write_archive(Path("x.keras"), {
        "config.json": b"[" * 100_000, "model.weights.h5": b""}), "task=evaluate checkpoint=x.keras", r"x\.keras"),
    Fault("zip bomb", zip_bomb, "task=evaluate checkpoint=x.keras", r"x\.keras"),
    Fault("weights of no project", nothing, "task=evaluate weights=nope:x.pth", "nope"),
    Fault("weights are gone", nothing, "task=evaluate weights=torchvision:gone.pth", r"gone\.pth"),
    Fault("weights are text", file("x.pth", "no"), "task=evaluate weights=torchvision:x.pth", r"x\.pth"),
    Fault("weights are a pickle that calls", file("x.pth", PICKLE), "task=evaluate weights=torchvision:x.pth",
          r"x\.pth"),
    Fault("data set is gone", nothing, VOC.replace("path=voc", "path=gone"), "dataset.path=gone: there is no such"),
    Fault("data set is a file", nothing, VOC.replace("path=voc", "path=photo.jpg"), "photo.jpg is a file"),
    Fault("split is gone", nothing, VOC.replace("val=val", "val=test"), r"test\.txt|test"),
    Fault("split is a folder", folder_instead("voc/ImageSets/Main/val.txt"), VOC, r"val\.txt"),
    Fault("split not UTF-8", file("voc/ImageSets/Main/val.txt", b"\xff\xfe\x00c\x00"), VOC, r"val\.txt.*UTF-8"),
    Fault("split empty", file("voc/ImageSets/Main/val.txt", ""), VOC, r"val\.txt"),
    Fault("split leads out", file("voc/ImageSets/Main/val.txt", "../../outside\n"), VOC, r"\.\./\.\./outside"),
    Fault("no annotation", gone("voc/Annotations/c.xml"), VOC, r"c\.xml"),
    Fault("no image", gone("voc/JPEGImages/c.jpg"), VOC, r"c\.jpg|c\.xml"),
    Fault("XML cut", cut("voc/Annotations/a.xml"), VOC, r"a\.xml"),
    Fault("XML nested", xml(lambda _: "<a>" * 100_000), VOC, r"a\.xml"),
    Fault("XML entity bomb", xml(lambda text: ENTITIES + text.replace("cat", "&h;")), VOC, r"a\.xml"),
    Fault("XML outer entity", xml(lambda text: OUTER + text.replace("cat", "&h;")), VOC, r"a\.xml"),
    Fault("box is text", xml(lambda text: text.replace("<xmin>2<", "<xmin>two<")), VOC, r"a\.xml"),
    Fault("box is NaN", xml(lambda text: text.replace("<xmin>2<", "<xmin>nan<")), VOC, r"a\.xml"),
    Fault("class with a line break", xml(lambda text: text.replace(">cat<", ">c&#10;t<")), VOC, r"a\.xml"),
    Fault("JSON cut", cut("coco/train.json"), COCO, r"train\.json"),
    Fault("JSON empty", file("coco/train.json", ""), COCO, r"train\.json"),
    Fault("JSON nested", file("coco/train.json", "[" * 100_000), COCO, r"train\.json"),
    Fault("JSON not UTF-8", file("coco/train.json", b'{"images": "\xff\xfe"}'), COCO, r"train\.json"),
    Fault("JSON a list", file("coco/train.json", "[]"), COCO, r"train\.json"),
    Fault("JSON of images alone", coco(lambda all: all.pop("annotations")), COCO, r"train\.json"),
    Fault("image out of its folder", coco(lambda all: all["images"][0].update(file_name="../../outside.jpg")), COCO,
          r"\.\./\.\./outside\.jpg"),
    Fault("image elsewhere", coco(lambda all: all["images"][0].update(file_name="/etc/passwd")), COCO, "/etc/passwd"),
    Fault("box of three", coco(lambda all: all["annotations"][0].update(bbox=[1, 2, 3])), COCO, r"train\.json"),
    Fault("box of text", coco(lambda all: all["annotations"][0].update(bbox=["a", 2, 3, 4])), COCO, r"train\.json"),
    Fault("category unknown", coco(lambda all: all["annotations"][0].update(category_id=999)), COCO, "999"),
    Fault("category name a number", coco(lambda all: all["categories"][0].update(name=7)), COCO, r"train\.json"),
    Fault("class with control character", coco(lambda all: all["categories"][0].update(name="a\x1bb")), COCO,
          r"train\.json"),
]  # fmt: skip

OWN_YAML = [
    *(
        Fault(f"own YAML: {name}", file("yaml/dataset/mine.yaml", content), "--config-dir=yaml dataset=mine", says)
        for name, content, says in (
            ("tab", "a:\n\tb: 1\n", r"mine\.yaml|dataset/mine"),
            ("open bracket", "a: [1, 2\n", r"mine\.yaml|dataset/mine"),
            ("not UTF-8", b"name: caf\xe9\n", r"mine\.yaml|dataset/mine"),
            ("UTF-16", "a: 1\n".encode("utf-16"), r"mine\.yaml|dataset/mine"),
            ("binary", bytes(range(256)), r"mine\.yaml|dataset/mine"),
            ("a list", "[1, 2]\n", r"mine\.yaml|dataset/mine|dataset"),
            ("a number", "42\n", r"mine\.yaml|dataset/mine|dataset"),
            ("empty", "", "dataset"),
            ("twice", "a: 1\na: 2\n", r"mine\.yaml|dataset/mine|twice|duplicate"),
            ("unknown key", "defaults: [/schema/dataset/voc_folder@_here_, _self_]\nfoo: 1\n", "foo"),
            ("no default", "defaults: [nowhere]\n", "nowhere"),
            ("looked up in vain", "_target_: ssd.data.readers.shapes.shapes\nseed: ${nope.x}\n", r"nope"),
            ("in a circle", "_target_: x.y\na: ${dataset.b}\nb: ${dataset.a}\n", "dataset"),
            ("no such module", "_target_: hard_tiny.nowhere\nname: x\n", "hard_tiny"),
        )
    ),
    Fault("own YAML is a folder", lambda: Path("yaml/dataset/mine.yaml").mkdir(parents=True),
          "--config-dir=yaml dataset=mine", "mine"),
    Fault("own folder is gone", nothing, "--config-dir=gone", "--config-dir gone: there is no such folder"),
    Fault("own folder is a file", nothing, "--config-dir=photo.jpg", r"photo\.jpg"),
]  # fmt: skip

COMMANDS = [
    Fault(command[:60], nothing, command, says)
    for command, says in (
        ("detector.image_size=0", "detector.image_size"),
        ("detector.image_size=1000000000", "detector.image_size"),
        ("detector.image_size=abc", "detector.image_size"),
        ("detector.image_size=nan", "detector.image_size"),
        ("pipeline.workers=1000000", "pipeline.workers"),
        ("pipeline.workers=-1", "pipeline.workers"),
        ("training.batch_size=0", "training.batch_size"),
        ("training.epochs=-1", "training.epochs"),
        ("training.epochs=1e12", "training.epochs"),
        ("optimizer.learning_rate=nan", "optimizer.learning_rate"),
        ("optimizer.learning_rate=1e-3x", "optimizer.learning_rate"),
        ("score_threshold=nan", "score_threshold"),
        ("detector.score_threshold=nan", "detector.score_threshold"),
        ("detector.nms_iou=inf", "detector.nms_iou"),
        ("seed=-1", "seed"),
        (f"name={'x' * 5000}", "name="),
        ("name=", "name"),
        ("task.name=nonsense", "task.name=nonsense"),
        ("task.name=evaluate", "task.name=evaluate"),
        ("task=nonsense", "nonsense"),
        ("task._target_=os.system", "task"),
        ("backbone=nope", "backbone=nope"),
        ("dataset=nope", "dataset=nope"),
        ("experiment=nope", "experiment=nope"),
        ("hydra/launcher=nope", "nope"),
        ("~training.batch_size", "training.batch_size"),
        ("~training", "training"),
        ("~backbone", "backbone"),
        ("+new=1", "new"),
        ("++training.batch_sise=4", "training.batch_sise"),
        ("training=", "training"),
        ("training=[]", "training"),
        ("training.batch_size=1,2", "training.batch_size"),
        ("=5", "=5"),
        ("training.epochs='3", "training.epochs"),
        ("lr=1e-3", "optimizer.learning_rate"),
        ("--config-name=nope", "nope"),
        ("training.nothing=${nope}", "training.nothing|nope"),
        ("name=${nope.x}", "nope"),
        ("name=${name}", "name"),
        ("name=${oc.env:NOT_SET_ANYWHERE}", "NOT_SET_ANYWHERE"),
        ("task=predict", "task=predict needs"),
        ("task=predict checkpoint=run", "task=predict needs images"),
        ("task=report", "task=report needs jobs"),
        ("task=report source=voc", "source=voc"),
        ("dataset.path=voc", "dataset.path"),
        ("checkpoint=run weights=torchvision:x.pth", "checkpoint and weights"),
        ("sweep.register=a/b", "sweep.register"),
        ("-m", "-m|several"),
        ("dataset.max_pixels=1e30", "dataset.max_pixels"),
    )
]

TABLE = [*RUN_FOLDER, *STRANGERS, *FILES, *OWN_YAML, *COMMANDS]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a user has before anything is wrong."""
    home = tmp_path_factory.mktemp("user")
    images = {name: [item("cat", 2, 2, 20, 20)] for name in "abcd"}
    write_voc(home / "voc", images, {"train": ["a", "b"], "val": ["c", "d"]})
    (home / "coco" / "images").mkdir(parents=True)
    for split, number in (("train", 1), ("val", 2)):
        content = instances({number: [(1, [2, 2, 20, 20], 400.0, 0)]})
        (home / "coco" / f"{split}.json").write_text(json.dumps(content))
        (home / "coco" / "images" / f"{number:012d}.jpg").write_bytes(encoded_image(40, 50))
    (home / "photo.jpg").write_bytes(encoded_image(40, 50))
    (home / "yaml").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        prepare(patch)
        assert main(["hydra.run.dir=run", *QUICK]) == 0
        assert main(["-m", "hydra.sweep.dir=sweep", "seed=1,2", *QUICK]) == 0
    return home


def prepare(patch: pytest.MonkeyPatch) -> None:
    """A training that only leaves what a training leaves; `sys.argv` and the environment are put back."""

    def train(cfg: DictConfig, folder: Path) -> float:
        for checkpoint in (BEST, LAST):
            if not (folder / checkpoint).exists():
                write_detector(folder / checkpoint)
        if cfg.resume is not None:
            note_command(cfg, folder)
        (folder / "metrics.json").write_text('{"mAP": 0.5}')
        return 0.5

    module = ModuleType("ssd.tasks.train")
    module.run = train  # type: ignore[attr-defined]
    patch.setitem(sys.modules, module.__name__, module)
    patch.setenv("HYDRA_FULL_ERROR", "0")
    patch.setenv("SECRET", "1234")
    patch.setattr(sys, "argv", ["run.py"])


@pytest.fixture
def user(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of it, which is the current folder; outside of it lies an image that is none of anybody's business."""
    folder = tmp_path / "user"
    shutil.copytree(home, folder, symlinks=True)
    (tmp_path / "outside.jpg").write_bytes(encoded_image(40, 50))
    monkeypatch.chdir(folder)
    prepare(monkeypatch)
    loggers = [logging.getLogger(name) for name in (None, "ssd", "ssd.record")]
    before = [(logger, logger.handlers[:], logger.level, logger.propagate) for logger in loggers]
    yield folder
    for logger, handlers, level, propagate in before:
        logger.handlers[:], logger.level, logger.propagate = handlers, level, propagate


def contents(folder: Path) -> dict[str, str]:
    """A digest of every file; the locks of a run and the notes of who holds them come and go."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".lock")
    }


@pytest.mark.parametrize("fault", TABLE, ids=lambda fault: fault.name)
def test_one_sentence_and_nothing_else(fault: Fault, user: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fault.plant()
    before, used, start = contents(user), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    status = main([*shlex.split(fault.command), *(QUICK[:1] if "tracking.uri" not in fault.command else ())])
    captured = capsys.readouterr()
    said = captured.out + captured.err
    assert status == fault.status, said
    assert re.search(fault.says, said), said
    assert "Traceback" not in said
    assert "1234" not in said, "a secret of the environment"
    if status != 0:
        assert [line for line in captured.err.splitlines() if line.startswith("error: ")] == captured.err.splitlines()[
            -1:
        ]
        assert contents(user) == before
    assert not (user / "canary").exists()
    assert not Path("elsewhere").exists()
    assert time.monotonic() - start < SECONDS
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - used) / 1024 < MEGABYTES
