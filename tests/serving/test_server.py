"""The server as a process: its socket, its end by a signal, and that it needs no TensorFlow."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.metadata import requires
from pathlib import Path

import pytest
import requests
from packaging.requirements import Requirement

from helpers.constant_detector import BOXES, write_constant_detector
from helpers.serving import A, Client, encoded, until
from helpers.warm import Process
from ssd.cli.main import main
from ssd.environment import ROOT
from ssd.errors import UserError
from ssd.serving import server
from ssd.serving.__main__ import command_line
from ssd.serving.__main__ import main as serve_alone
from ssd.serving.server import address_of, listen
from ssd.serving.settings import read_settings

FILE = encoded(A)
# What a small image does not have.
ABSENT = (
    "tensorflow keras mlflow hydra omegaconf pandas matplotlib rich msgspec requests tensorflow_datasets albumentations"
    " h5py psutil"
)
ALONE = (
    f"import sys; sys.modules |= dict.fromkeys('{ABSENT}'.split());"
    " from ssd.serving.__main__ import main; sys.exit(main(sys.argv[1:]))"
)


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_constant_detector(tmp_path_factory.mktemp("export") / "detector.xml")


@contextmanager
def started(detector: Path, *arguments: str) -> Iterator[tuple[Client, "subprocess.Popen[str]"]]:
    """`python -m ssd.serving`, as it is in a small image."""
    process = subprocess.Popen(
        [sys.executable, "-c", ALONE, str(detector), "--port=0", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith(f"Serving {detector} at http://127.0.0.1:"), line + process.communicate()[1]
        client = Client(re.findall(r"http://\S+:\d+", line)[0])
        assert client.get("/v2/health/ready").json() == {"ready": True}
        yield client, process
    finally:
        process.kill()
        process.communicate()


def test_alone_it_needs_neither_tensorflow_nor_hydra_nor_mlflow(detector: Path) -> None:
    with started(detector, "--score_threshold=0.2", "--model=shapes") as (client, process):
        (image,) = client.answer("/predict", FILE)["images"]
        assert [one["class"] for one in image["objects"]] == ["disc", "box"]
        assert image["objects"][0]["box"] == pytest.approx([0.2 * 64, 0.1 * 48, 0.6 * 64, 0.5 * 48])
        assert image["objects"][0]["fractions"] == pytest.approx(BOXES[0, 0, [1, 0, 3, 2]])
        assert client.get("/v2/models/shapes/ready").status_code == 200
        least = client.answer("/predict?score_threshold=0.01", FILE)["images"][0]["objects"]  # as the page asks
        assert least == image["objects"]
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_sigterm_finishes_what_has_begun_and_refuses_what_comes_later(detector: Path) -> None:
    with started(detector) as (client, process), ThreadPoolExecutor(8) as pool:
        with socket.create_connection(("127.0.0.1", client.port), timeout=10) as sent:
            head = f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(FILE)}\r\n\r\n"
            sent.sendall(head.encode() + FILE[:50])
            until(lambda: client.metric("ssd_requests_total", endpoint="/metrics", status="200") > 0)
            answers = [pool.submit(client.post, "/predict", FILE) for _ in range(8)]
            assert all(one.result(20).status_code == 200 for one in answers)
            process.send_signal(signal.SIGTERM)
            until(lambda: is_refused(client))
            assert process.poll() is None
            sent.sendall(FILE[50:])
            answer = b""
            while part := sent.recv(65536):
                answer += part
        assert answer.startswith(b"HTTP/1.1 200")
        assert json.loads(answer.split(b"\r\n\r\n", 1)[1])["images"][0]["objects"][0]["class"] == "disc"
        assert process.wait(20) == 0


def is_refused(client: Client) -> bool:
    try:
        client.get("/healthz")
    except requests.ConnectionError:
        return True
    return False


def test_none_is_lost_when_it_stops_under_load(detector: Path) -> None:
    """Each request is answered, or refused as a connection: none is cut off."""
    with started(detector) as (client, process):
        statuses: list[int] = []
        cut: list[Exception] = []

        def ask() -> None:
            while True:
                try:
                    statuses.append(client.post("/predict", FILE).status_code)
                except requests.ConnectionError as error:
                    if "refused" not in str(error) and "reset" not in str(error):  # reset: it was never taken
                        cut.append(error)
                    return

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        until(lambda: len(statuses) > 20)
        process.send_signal(signal.SIGTERM)
        for thread in threads:
            thread.join(20)
        assert process.wait(20) == 0
        assert set(statuses) == {200}
        assert not cut


def test_the_task_serves_a_file_and_ends_with_status_0(detector: Path, tmp_path: Path) -> None:
    process = Process(tmp_path, "task=serve", f"checkpoint={detector}", "task.port=0", "score_threshold=0.2")
    try:
        until(lambda: "Serving" in process.said or process.ended, 60)
        client = Client(re.findall(r"http://\S+:\d+", process.said)[0])
        assert len(client.answer("/predict", FILE)["images"][0]["objects"]) == 2
        process.send(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        if not process.ended:
            process.send(signal.SIGKILL)
    assert "Traceback" not in process.said
    assert list(tmp_path.glob("outputs/serve/*_detector/run.log"))


@pytest.mark.usefixtures("own_process_state")
def test_mistakes_of_the_command_line_are_one_sentence(detector: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = {
        "task.queue=0": "error: task.queue=0 must be between 1 and 100000",
        "task.port=70000": "error: task.port=70000 must be between 0 and 65535",
        "task.prot=1": "error: unknown key 'task.prot'; did you mean 'task.port'?",
    }
    for override, sentence in wrong.items():
        assert main(["task=serve", f"checkpoint={detector}", override]) == 2
        assert sentence in capsys.readouterr().err
    assert main(["task=serve"]) == 2
    assert "task=serve needs a trained detector" in capsys.readouterr().err


def test_a_port_that_is_taken_is_one_sentence(detector: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=rf"^task\.port={port} of 127\.0\.0\.1 is taken; choose another$"):
            listen("127.0.0.1", port, "task.")
        assert serve_alone([str(detector), f"--port={port}"]) == 2
        assert capsys.readouterr().err == f"error: --port={port} of 127.0.0.1 is taken; choose another\n"
    for host in ("192.0.2.7", "no.such.name.invalid"):  # an address of documentation, and no name
        with pytest.raises(UserError, match=rf"host={host} is no address of this machine; give 127\.0\.0\.1, or"):
            listen(host, 0)


@pytest.mark.parametrize(("host", "shown"), [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::1", "[::1]")])
def test_the_address_is_one_that_a_browser_takes(host: str, shown: str) -> None:
    if ":" in host and not socket.has_ipv6:
        pytest.skip("no IPv6")
    try:
        listening = listen(host, 0)
    except UserError:
        pytest.skip(f"this machine has no {host}")
    with listening:
        assert address_of(listening) == f"http://{shown}:{listening.getsockname()[1]}/"


def test_an_answer_on_a_kept_connection_does_not_wait_for_the_client_to_acknowledge() -> None:
    with listen("127.0.0.1", 0) as listening, socket.create_connection(listening.getsockname()):
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0


def test_alone_mistakes_are_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "detector.xml").write_text("<net/>")
    for arguments in (["--port=0"], ["--batch_size=0"]):
        assert serve_alone([str(tmp_path / "detector.xml"), *arguments]) == 2
        said = capsys.readouterr().err
        assert said.startswith("error: ")
        assert "Traceback" not in said


def test_a_least_score_that_the_detector_does_not_go_down_to_is_one_sentence(
    detector: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert serve_alone([str(detector), "--port=0", "--score_threshold=0.001"]) == 2
    assert capsys.readouterr().err == "error: score_threshold=0.001 is below the detector's own, 0.01; raise it\n"


def test_a_second_signal_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    one = server._Server(server.uvicorn.Config(lambda: None))
    one.handle_exit(signal.SIGTERM, None)
    assert (one.should_exit, one.force_exit) == (True, False)
    one.handle_exit(signal.SIGTERM, None)
    assert one.force_exit


def test_the_image_is_started_by_what_there_is() -> None:
    """By the command's own parser, without a shell between the process and its signals, and not as root."""
    lines = (ROOT / "ssd" / "serving" / "Dockerfile").read_text().splitlines()
    said = {line.split(" ", 1)[0]: line.split(" ", 1)[1] for line in lines if " " in line}
    assert json.loads(said["ENTRYPOINT"]) == ["python", "-m", "ssd.serving"]
    args = vars(command_line().parse_args(json.loads(said["CMD"])))
    assert (read_settings(args).host, read_settings(args).port) == ("0.0.0.0", int(said["EXPOSE"]))
    assert said["USER"] != "root"
    copied = [word for line in lines if line.startswith("COPY ") for word in line.split()[1:-1]]
    ignored = (ROOT / "ssd" / "serving" / "Dockerfile.dockerignore").read_text().splitlines()
    for path in copied:
        assert (ROOT / path).exists()
        assert f"!{path.split('/')[0]}" in ignored


def test_what_the_image_installs_is_pinned_and_part_of_the_project() -> None:
    lines = (ROOT / "ssd" / "serving" / "requirements.txt").read_text().splitlines()
    wanted = {Requirement(line.split("#")[0]).name for line in lines if line.split("#")[0].strip()}
    assert "openvino" in wanted
    assert not wanted & {"tensorflow", "keras", "mlflow", "hydra-core", "pandas"}
    pinned = {
        line.split("==")[0].lower().replace("_", "-") for line in (ROOT / "constraints.txt").read_text().splitlines()
    }
    todo, seen = [*wanted], set[str]()
    while todo:  # all that these need, too
        name = todo.pop().lower().replace("_", "-")
        if name in seen:
            continue
        seen.add(name)
        assert name in pinned
        for line in requires(name) or ():
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                todo.append(requirement.name)
