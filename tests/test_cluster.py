"""This process among those that train together."""

import json

import pytest

from ssd.cluster import Member, this_member
from ssd.errors import UserError


def tf_config(kind: str = "worker", index: object = 0, **cluster: list[str]) -> dict[str, str]:
    return {"TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}})}


TWO = ["a:1", "b:1"]


@pytest.mark.parametrize(
    ("environment", "member"),
    [
        ({}, Member(0, 1)),
        ({"TF_CONFIG": "{}"}, Member(0, 1)),
        (tf_config(worker=TWO), Member(0, 2)),
        (tf_config(index=1, worker=TWO), Member(1, 2)),
        (tf_config(index="1", worker=TWO, chief=["c:1"]), Member(2, 3)),
        (tf_config("chief", worker=TWO, chief=["c:1"]), Member(0, 3)),
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "8"}, Member(0, 1)),  # in the batch script itself
        ({"SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "1"}, Member(0, 1)),
        ({"SLURM_PROCID": "3", "SLURM_STEP_NUM_TASKS": "8"}, Member(3, 8)),
    ],
)
def test_a_process_knows_its_place(environment: dict[str, str], member: Member) -> None:
    assert this_member(environment) == member
    assert member.is_chief == (member.index == 0)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"TF_CONFIG": "worker 0"}, "is not what TensorFlow takes"),
        ({"TF_CONFIG": "[]"}, "is not what TensorFlow takes"),
        ({"TF_CONFIG": '{"cluster": {"worker": ["a:1"]}}'}, "is not what TensorFlow takes"),
        (tf_config(worker=TWO, ps=["c:1"]), "has a ps, which no training here needs"),
        (tf_config("evaluator", worker=TWO), "has a evaluator, which"),
        (tf_config(index=2, worker=TWO), "says that this is worker 2, and lists 2 of them"),
    ],
)
def test_a_damaged_tf_config_is_refused(given: dict[str, str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        this_member(given)
