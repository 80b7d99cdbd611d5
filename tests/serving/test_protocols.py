"""What each protocol answers is what `Detector` finds in the same images."""

import io
import json
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st
from PIL import Image

from helpers.fake_network import FakeNetwork
from helpers.serving import A, B, Client, encoded, in_base64, serving, settings
from ssd.prediction.detector import Detector
from ssd.prediction.image_detections import ImageDetections
from ssd.serving.page import page as make_page

INFER = "/v2/models/detector/infer"
PREDICT = "/v1/models/detector:predict"
FILES = [encoded(A), encoded(B)]
NAMES = [["disc", "box"], ["disc"]]


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with serving() as client:
        yield client


@pytest.fixture(scope="module")
def expected() -> list[ImageDetections]:
    found = Detector(FakeNetwork())(FILES)
    assert [one.names for one in found] == NAMES
    return found


def in_plain(found: ImageDetections) -> list[dict[str, Any]]:
    return [
        {"class": one.class_name, "label": one.label, "score": one.score, "box": list(one.box)}
        | {"fractions": box[[1, 0, 3, 2]].tolist()}
        for one, box in zip(found, found.boxes, strict=True)
    ]


def outputs(answer: dict[str, Any]) -> dict[str, Any]:
    """Of KServe's answer, by name, in their shapes."""
    kinds = {"FP32": np.float32, "INT32": np.int32, "BYTES": object}
    return {
        one["name"]: np.array(one["data"], kinds[one["datatype"]]).reshape(one["shape"]) for one in answer["outputs"]
    }


def check_outputs(answer: dict[str, Any], expected: list[ImageDetections]) -> None:
    found = outputs(answer)
    assert found["count"].tolist() == [len(one) for one in expected]
    for row, one in enumerate(expected):
        count = len(one)
        assert found["names"][row].tolist() == one.names + [""] * (found["names"].shape[1] - count)
        for name, values in (("boxes", one.boxes), ("boxes_pixels", one.xyxy), ("scores", one.scores)):
            np.testing.assert_array_equal(found[name][row, :count], values)
            assert not found[name][row, count:].any()
        np.testing.assert_array_equal(found["labels"][row, :count], one.labels)


def test_a_file_as_the_body(client: Client, expected: list[ImageDetections]) -> None:
    answer = client.answer("/predict", FILES[0], headers={"Content-Type": "image/png"})
    assert answer == {"images": [{"file": "1", "height": 48, "width": 64, "objects": in_plain(expected[0])}]}
    assert answer["images"][0]["objects"][0]["box"] == pytest.approx([8, 6, 24, 30], abs=1)


def test_several_files_of_a_form_keep_their_order_and_names(client: Client, expected: list[ImageDetections]) -> None:
    parts = [("file", ("a.png", FILES[0])), ("other", ("b\n.png", FILES[1])), ("file", ("c.jpg", encoded(A, ".jpg")))]
    images = client.answer("/predict", files=parts)["images"]
    assert [image["file"] for image in images][::2] == ["a.png", "c.jpg"]
    assert "\n" not in images[1]["file"]
    assert [image["objects"] for image in images[:2]] == [in_plain(one) for one in expected]


def test_a_photograph_is_turned_as_its_exif_says(client: Client) -> None:
    exif, file = Image.Exif(), io.BytesIO()
    exif[0x0112] = 6
    Image.fromarray(np.rot90(A).copy()).save(file, "PNG", exif=exif)
    (image,) = client.answer("/predict", file.getvalue())["images"]
    assert (image["height"], image["width"]) == (48, 64)
    assert image["objects"] == in_plain(Detector(FakeNetwork())(file.getvalue()))


def test_the_least_score_is_the_servers_unless_a_request_names_one(client: Client) -> None:
    for path in ("/predict?score_threshold=0.7", "/predict?score_threshold=0.60001"):
        assert [one["class"] for one in client.answer(path, FILES[0])["images"][0]["objects"]] == ["disc"]
    assert client.answer("/predict?score_threshold=1", FILES[0])["images"][0]["objects"] == []
    body = {"instances": [{"b64": in_base64(FILES[0])}]}
    assert client.answer(f"{PREDICT}?score_threshold=0.7", json=body)["predictions"][0]["names"] == ["disc"]
    tensor = {"name": "images", "shape": [1], "datatype": "BYTES", "data": [in_base64(FILES[0])]}
    answer = client.answer(INFER, json={"inputs": [tensor], "parameters": {"score_threshold": 0.7}})
    assert outputs(answer)["names"].tolist() == [["disc"]]
    with serving(score_threshold=0.95) as strict:
        assert strict.answer("/predict", FILES[0])["images"][0]["objects"] == []


def test_kserve_files_in_base64(client: Client, expected: list[ImageDetections]) -> None:
    tensor = {"name": "images", "shape": [2], "datatype": "BYTES", "data": [in_base64(file) for file in FILES]}
    answer = client.answer(INFER, json={"id": "42", "inputs": [tensor]})
    assert (answer["model_name"], answer["model_version"], answer["id"]) == ("detector", "1", "42")
    check_outputs(answer, expected)


@pytest.mark.parametrize("is_flat", [True, False])
def test_kserve_pixels(client: Client, is_flat: bool) -> None:
    pixels = np.stack([A, A[:, ::-1]])
    data = pixels.ravel().tolist() if is_flat else pixels.tolist()
    tensor = {"name": "images", "shape": list(pixels.shape), "datatype": "UINT8", "data": data}
    check_outputs(client.answer(INFER, json={"inputs": [tensor]}), Detector(FakeNetwork())(list(pixels)))


def test_kserve_tensors_behind_the_json(client: Client, expected: list[ImageDetections]) -> None:
    files = b"".join(struct.pack("<I", len(file)) + file for file in FILES)
    body, headers = binary("BYTES", [2], files)
    check_outputs(client.answer(INFER, body, headers=headers), expected)
    body, headers = binary("UINT8", [48, 64, 3], A.tobytes())
    check_outputs(client.answer(INFER, body, headers=headers), [Detector(FakeNetwork())(A)])


def binary(datatype: str, shape: list[int], content: bytes) -> tuple[bytes, dict[str, str]]:
    """The body and headers of the binary extension."""
    tensor = {"name": "images", "shape": shape, "datatype": datatype, "parameters": {"binary_data_size": len(content)}}
    header = json.dumps({"inputs": [tensor]}).encode()
    return header + content, {"Inference-Header-Content-Length": str(len(header))}


def test_kserve_gives_the_outputs_that_are_asked_for(client: Client) -> None:
    tensor = {"name": "images", "shape": [1], "datatype": "BYTES", "data": [in_base64(FILES[1])]}
    answer = client.answer(INFER, json={"inputs": [tensor], "outputs": [{"name": "count"}, {"name": "names"}]})
    assert answer["outputs"] == [
        {"name": "count", "datatype": "INT32", "shape": [1], "data": [1]},
        {"name": "names", "datatype": "BYTES", "shape": [1, 1], "data": ["disc"]},
    ]


def test_kserve_tells_of_its_health_and_model(client: Client) -> None:
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json() == {"ready": True}
    assert client.get("/v2/models/detector/ready").json() == {"name": "detector", "ready": True}
    assert client.get("/v2").json()["extensions"] == ["binary_tensor_data"]
    model = client.get("/v2/models/detector").json()
    assert model["inputs"] == [{"name": "images", "datatype": "BYTES", "shape": [-1]}]
    assert {one["name"]: one["shape"] for one in model["outputs"]}["boxes"] == [-1, -1, 4]
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/v2/models/detector/versions/1").json() == model


@pytest.mark.parametrize("wrap", [lambda b64: b64, lambda b64: {"images": b64}])
def test_tensorflow_serving_files(client: Client, expected: list[ImageDetections], wrap: Any) -> None:
    instances = [wrap({"b64": in_base64(file)}) for file in FILES]
    predictions = client.answer(PREDICT, json={"signature_name": "serving_default", "instances": instances})[
        "predictions"
    ]
    for prediction, one in zip(predictions, expected, strict=True):
        assert prediction["names"] == one.names
        assert prediction["count"] == len(one)
        assert prediction["boxes"] == one.boxes.tolist()
        assert prediction["boxes_pixels"] == one.xyxy.tolist()
        assert prediction["scores"] == one.scores.tolist()
        assert prediction["labels"] == one.labels.tolist()


def test_tensorflow_serving_pixels_and_status(client: Client) -> None:
    (prediction,) = client.answer(PREDICT, json={"instances": [A.tolist()]})["predictions"]
    assert prediction["boxes"] == Detector(FakeNetwork())(A).boxes.tolist()
    assert client.get("/v1/models/detector").json()["model_version_status"][0]["state"] == "AVAILABLE"


def bytes_tensor(**changed: Any) -> dict[str, Any]:
    return {"inputs": [{"name": "images", "shape": [1], "datatype": "BYTES", "data": [in_base64(FILES[0])]} | changed]}


MISTAKES: list[tuple[str, Any, str]] = [
    (INFER, b"{", "the request cannot be used: the body: Invalid JSON"),
    (INFER, {}, "the request cannot be used: inputs: Field required"),
    (INFER, {"inputs": []}, "the request has 0 inputs; it must have one, 'images'"),
    (INFER, bytes_tensor(datatype="FP32"), "the input is FP32; give BYTES"),
    (INFER, bytes_tensor(data=["%%%"]), "image 1 is not in base64"),
    (INFER, bytes_tensor(data=[7]), "image 1 is not text in base64"),
    (INFER, bytes_tensor(shape=[2]), "the input has other elements than the 2 of its shape [2]"),
    (INFER, bytes_tensor(shape=[-1]), "inputs.0.shape.0: Input should be greater than or equal to 0"),
    (INFER, bytes_tensor(shape=[10**400]), "inputs.0.shape.0: "),
    (INFER, bytes_tensor(data=None), "neither data nor parameters.binary_data_size"),
    (INFER, bytes_tensor() | {"outputs": [{"name": "boxen"}]}, "there is no output 'boxen'; the outputs are boxes, "),
    (
        INFER,
        bytes_tensor() | {"parameters": {"score_threshold": "high"}},
        "parameters.score_threshold: Input should be",
    ),
    (INFER, bytes_tensor() | {"parameters": {"score_threshold": 10**400}}, "score_threshold"),
    (INFER, bytes_tensor() | {"parameters": {"score_threshold": 0.001}}, "must be between 0.01 and 1"),
    (INFER, bytes_tensor(datatype="UINT8", shape=[1, 1, 3], data=[1, 2, 256]), "they are not between 0 and 255"),
    (INFER, bytes_tensor(datatype="UINT8", shape=[1, 1, 3], data=[1.5, 2, 3]), "they are not whole numbers"),
    (INFER, bytes_tensor(datatype="UINT8", shape=[1, 1, 3], data=[[1, 2], [3]]), "the input's data are no pixels"),
    (INFER, bytes_tensor(datatype="UINT8", shape=[1, 2, 3], data=[1, 2, 3]), "cannot reshape"),
    (INFER, bytes_tensor(datatype="UINT8", shape=[1, 3], data=[1, 2, 3]), "it must be [H, W, 3] or [N, H, W, 3], RGB"),
    (INFER, bytes_tensor(datatype="UINT8", shape=[0, 1, 1, 3], data=[]), "the input"),
    (PREDICT, {"instances": "photo.jpg"}, "instances: Input should be a valid array"),
    (PREDICT, {"instances": [{"url": "http://127.0.0.1:9/"}]}, "image 1 is neither"),
    (PREDICT, {"instances": ["/etc/hostname"]}, "image 1 is neither"),
    (PREDICT, {"instances": [[[1, 2, 3]]]}, "image 1 has the shape [1, 3]; it must be [H, W, 3], RGB"),
    (PREDICT, {"instances": []}, "there is no image in the request"),
    (PREDICT, {"instances": [{"b64": ""}], "signature_name": "other"}, "there is no signature 'other'"),
    ("/predict", b"", "there is no image in the request"),
    ("/predict", b"/etc/hostname", "cannot be read"),
    ("/predict?score_threshold=high", FILES[0], "score_threshold=high is no number"),
    ("/predict?score_threshold=nan", FILES[0], "score_threshold=nan must be between 0.01 and 1"),
]


@pytest.mark.parametrize(("path", "body", "sentence"), MISTAKES)
def test_a_mistake_is_one_sentence(client: Client, path: str, body: Any, sentence: str) -> None:
    response = client.post(path, body) if isinstance(body, bytes) else client.post(path, json=body)
    assert response.status_code == 400, response.text
    assert list(response.json()) == ["error"]
    assert sentence in response.json()["error"]


LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["BYTES", "UINT8", in_base64(FILES[1])])
)
KEYS = (
    "inputs",
    "instances",
    "name",
    "shape",
    "datatype",
    "data",
    "parameters",
    "outputs",
    "b64",
    "score_threshold",
    "id",
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=25,
)
TENSORS = st.fixed_dictionaries(
    {"name": st.just("images"), "shape": st.lists(st.integers(-1, 3), max_size=5)},
    optional={"datatype": st.sampled_from(["BYTES", "UINT8"]), "data": VALUES, "parameters": VALUES},
)


@settings_of_hypothesis(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(body=VALUES | st.fixed_dictionaries({"inputs": st.lists(TENSORS, max_size=2), "instances": VALUES}))
def test_whatever_is_sent_is_answered_or_refused(client: Client, body: Any) -> None:
    for path in (INFER, PREDICT):
        response = client.post(path, json.dumps(body).encode())
        assert response.status_code in (200, 400, 413), response.text


def test_mistakes_of_a_form_and_of_the_binary_extension(client: Client) -> None:
    def error(response: Any) -> str:
        assert response.status_code == 400
        return str(response.json()["error"])

    form = {"Content-Type": "multipart/form-data; boundary=x"}
    assert "the form cannot be read" in error(client.post("/predict", b"--y\r\nno form", headers=form))
    assert "Missing boundary" in error(client.post("/predict", b"", headers={"Content-Type": "multipart/form-data"}))
    fields = {"path": (None, "/etc/hostname"), "file": ("a.png", FILES[0])}
    assert "the form's field 'path' is no file" in error(client.post("/predict", files=fields))
    body, headers = binary("BYTES", [1], struct.pack("<I", 10**6) + FILES[0])
    assert "end in the middle of an image" in error(client.post(INFER, body, headers=headers))
    for length in ("-1", "1e3", str(10**9), "9" * 5000):
        headers = {"Inference-Header-Content-Length": length}
        assert "must be the length of the JSON" in error(client.post(INFER, body, headers=headers))
    body, headers = binary("UINT8", [9, 9, 3], b"\0" * 9)
    assert "the input has 9 bytes, not those of its shape [9, 9, 3]" in error(client.post(INFER, body, headers=headers))


def test_addresses_that_are_not_there(client: Client) -> None:
    for path in ("/v2/models/other/infer", "/v1/models/other:predict"):
        assert client.post(path, b"{}").status_code == 404
    response = client.get("/predict")
    assert response.status_code == 405
    assert response.json()["error"].startswith("GET /predict: Method Not Allowed")


def test_the_description_names_every_address_and_what_it_takes(client: Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert {"/predict", INFER, PREDICT, "/healthz", "/v2/health/ready"} <= set(paths)
    schema = paths[INFER]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert "inputs" in schema["required"]


def test_a_class_name_is_text_and_ends_no_script() -> None:
    text = make_page(settings(), ["</script><script>alert(1)</script>", 'a"b'], 0.5, 0.01)
    assert text.count("</script>") == 1
    assert "alert(1)" in text
