"""The detector as MLflow gives it back."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import mlflow
import numpy as np
import pytest

from helpers.tracked import read, warnings
from ssd.tracking.tracker import Tracker

USE_MODEL = """
import sys, json
import mlflow, numpy as np
mlflow.set_tracking_uri(sys.argv[1])
images = np.load(sys.argv[3])
model = mlflow.pyfunc.load_model(sys.argv[2])
every = model.predict(images, params={"score_threshold": 0.0})
none = model.predict(images, params={"score_threshold": 1.0})
refused = []
lists = [[1], [1, 2]], [[1]], [[[[1, 2, 256]]]]
arrays = images / 255.0, images.astype("int64"), images[0], images[..., :1], images[:, :0]
for wrong in (None, *lists, "a.jpg", *arrays):
    try:
        model.predict(wrong)
    except Exception as error:
        refused.append(str(error))
try:
    model.predict(images, params={"score_threshold": float("nan")})
except Exception as error:
    refused.append(str(error))
for wrong in (["a.jpg"], ["QUJD"]):
    try:
        model.predict(wrong)
    except Exception as error:
        print(error, file=sys.stderr)
from mlflow.pyfunc.scoring_server import init
from starlette.requests import Request
import asyncio, base64, cv2
async def invoked(inputs):
    body = json.dumps({"inputs": inputs, "params": {"score_threshold": 0.0}}).encode()
    scope = {"type": "http", "method": "POST", "path": "/invocations", "query_string": b"", "http_version": "1.1",
             "scheme": "http", "server": ("x", 80), "headers": [(b"content-type", b"application/json")]}
    said = []
    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}
    async def send(message):
        said.append(message)
    await init(model)(scope, receive, send)
    return json.loads(b"".join(message.get("body", b"") for message in said))["predictions"]
files = [base64.b64encode(cv2.imencode(".png", image[..., ::-1])[1].tobytes()).decode() for image in images]
for inputs in (images.tolist(), files):
    assert asyncio.run(invoked(inputs)) == every.to_dict("records"), inputs[0][:9]
assert list(model.predict(images[:0]).columns) == list(none.columns)
print(json.dumps(refused))
print(json.dumps([every.to_dict("records"), list(none.columns), len(none), sys.modules["ssd"].__file__]))
"""


def test_the_logged_model_detects_in_another_process(
    uri: str, tracker: Callable[..., Tracker], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from helpers.fake_detector import make_detector
    from ssd import Detector

    checkpoint = tmp_path / "best.keras"
    make_detector().save(checkpoint)
    images = np.random.default_rng(0).integers(0, 256, (2, 40, 60, 3), dtype=np.uint8)
    np.save(tmp_path / "images.npy", images)
    with tracker() as run:
        run.log_model(checkpoint)
        found = read(uri, run.run_id)
    assert warnings(caplog) == []
    assert found.outputs is not None
    model = f"models:/{found.outputs.model_outputs[0].model_id}"

    command = [sys.executable, "-c", USE_MODEL, run.uri, model, str(tmp_path / "images.npy")]
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "UserWarning" not in done.stderr
    assert "the images are text, but not base64" in done.stderr
    assert "The image of 3 bytes cannot be read" in done.stderr
    refused, (rows, columns, above_one, source) = map(json.loads, done.stdout.splitlines()[-2:])
    assert refused == [
        *(
            f"the images {wrong}; give a numpy array (N, H, W, 3) of uint8, RGB"
            for wrong in (
                "are None",
                "are a list",
                "have the shape (1, 1)",
                "are of type int64",
                "are a str",
                "are of type float64",
                "are of type int64",
                "have the shape (40, 60, 3)",
                "have the shape (2, 40, 60, 1)",
                "have the shape (2, 0, 60, 3), no pixels",
            )
        ),
        "score_threshold=nan must be between 0 and 1",
    ]

    assert Path(source).parents[1].name == "code"  # the model brings its own
    assert columns == ["image", "class_name", "label", "score", "ymin", "xmin", "ymax", "xmax"]
    assert above_one == 0
    expected = [
        (image, one.class_name, *(one.box[side] for side in (1, 0, 3, 2)), one.score)
        for image, found in enumerate(Detector.load(checkpoint, score_threshold=0.0)(list(images)))
        for one in found
    ]
    assert len(expected) == 10
    for row, (image, name, *numbers) in zip(rows, expected, strict=True):
        assert (row["image"], row["class_name"]) == (image, name)
        assert [row[key] for key in ("ymin", "xmin", "ymax", "xmax", "score")] == pytest.approx(numbers, abs=1e-3)
    signature = mlflow.models.get_model_info(model).signature
    assert signature.inputs.inputs[0].shape == (-1, -1, -1, 3)
