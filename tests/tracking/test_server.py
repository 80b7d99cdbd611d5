"""`task=ui`: MLflow's page, whose plain address shows the trainings."""

import json
import signal
import socket
import time
from pathlib import Path
from urllib.request import Request, urlopen

import psutil
import pytest

from helpers.warm import Process
from ssd.cli.main import main
from ssd.errors import UserError
from ssd.tracking.server import index, listen
from ssd.tracking.store import open_experiment


def test_the_plain_address_leads_to_the_trainings_before_mlflows_own_script_runs() -> None:
    page = index("#/experiments/7/runs?viewStateShareKey=trainings")
    assert page.index('location.replace("#/experiments/7/runs?viewStateShareKey=trainings")') < page.index("main.")
    assert page.count("<script>") == page.count("</script>") - page.count("<script defer")


def test_a_port_that_is_taken_gives_the_next_one() -> None:
    with listen(50_000) as first, listen(first.getsockname()[1]) as second:
        assert second.getsockname()[1] > first.getsockname()[1]
        assert second.getsockname()[0] == "127.0.0.1"


def test_no_free_port_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(address: tuple[str, int]) -> socket.socket:
        raise OSError

    monkeypatch.setattr(socket, "create_server", refuse)
    with pytest.raises(UserError, match=r"task\.port=65530 is not free, nor is any up to 65535; choose another"):
        listen(65530)


@pytest.mark.usefixtures("command_line")
def test_a_missing_store_or_experiment_is_one_sentence(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = {
        "tracking.uri=sqlite:///none.db": "/none.db: there is no such file; give tracking.uri=... of the runs' store\n",
        "tracking.experiment=nope": "has no experiment nope; give tracking.experiment=... (there: none)\n",
        "tracking.uri=http://127.0.0.1:9": "error: MLflow at http://127.0.0.1:9 cannot be read",
    }
    for override, sentence in wrong.items():
        with pytest.raises(SystemExit, match="2"):
            main(["task=ui", override])
        said = capsys.readouterr().err
        assert sentence in said
        assert "Traceback" not in said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_stopped_and_leaves_nothing_behind(
    store: Path, tmp_path: Path, number: signal.Signals
) -> None:
    experiment = open_experiment(f"sqlite:///{store}", "ssd")
    server = Process(tmp_path, "task=ui", "task.port=50200", BROWSER="true")
    deadline = time.monotonic() + 240
    while "until Ctrl-C" not in server.said:
        assert not server.ended, server.said
        assert time.monotonic() < deadline
        time.sleep(0.1)
    address = server.said.split("Runs: ")[1].split()[0]
    with urlopen(address, timeout=240) as page:  # its socket listens before the server does
        text = page.read().decode()
    assert f"#/experiments/{experiment}/runs?" in text
    script = text.split('defer="defer" src="')[1].split('"')[0]
    with urlopen(address + script, timeout=60) as answer:
        assert answer.status == 200
    asked = Request(
        f"{address}ajax-api/2.0/mlflow/experiments/search",
        json.dumps({"max_results": 9}).encode(),
        {"Content-Type": "application/json"},
    )
    with urlopen(asked, timeout=60) as answer:
        assert "ssd" in {found["name"] for found in json.load(answer)["experiments"]}
    children = psutil.Process(server.pid).children(recursive=True)
    server.send(number)
    assert server.wait(60) == (130 if number == signal.SIGINT else 143)
    assert "Traceback" not in server.said
    assert not [child for child in children if child.is_running()]
