"""Weights files made to harm: nothing is run, set or read that is not theirs, and little memory is taken."""

import collections
import io
import pickle
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from safetensors.numpy import save_file

from parity.seeded_weights import SEED, seeded_state, stored_shapes
from ssd.errors import UserError
from ssd.weights.pth import DTYPES, MAGIC_NUMBER, _Function, _tensor, read_pth
from ssd.weights.reader import read_weights

NUMBERS = np.arange(6, dtype="<f4").tobytes()


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def number(value: int) -> bytes:
    return pickle.dumps(value, protocol=2)[2:-1]


def storage(size: int = 6, key: str = "0") -> bytes:
    """The persistent id of a storage, and the request for it."""
    return b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text(key) + text("cpu") + number(size) + b"tQ"


def tensor(offset: int, shape: tuple[int, ...], stride: tuple[int, ...], size: int = 6) -> bytes:
    axes = [b"(" + b"".join(map(number, values)) + b"t" for values in (shape, stride)]
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage(size) + number(offset) + b"".join(axes) + b"\x89NtR"


def saved(
    content: bytes, compression: int = zipfile.ZIP_STORED, numbers: bytes = NUMBERS, byteorder: bytes = b"little"
) -> bytes:
    """An archive of torch.save with a pickle of these operations."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02" + content + b".")
        archive.writestr("archive/byteorder", byteorder)
        archive.writestr("archive/data/0", numbers)
    return stream.getvalue()


def test_the_helper_writes_what_is_read(tmp_path):
    (tmp_path / "good.pth").write_bytes(saved(tensor(1, (2, 2), (2, 1))))
    np.testing.assert_array_equal(read_pth(tmp_path / "good.pth"), [[1, 2], [3, 4]])


ATTRIBUTE = b"}" + text("update") + text("planted") + b"s"
HARMFUL: dict[str, bytes] = {
    "negative stride": saved(tensor(5, (6,), (-1,))),
    "negative offset": saved(tensor(-2, (2,), (1,))),
    "negative size": saved(tensor(0, (-2,), (1,))),
    "stride 0 makes much of little": saved(tensor(0, (10**9,), (0,))),
    "stride past the storage": saved(tensor(0, (2,), (100,))),
    "more axes than strides": saved(tensor(0, (2, 2), (1,))),
    "storage larger than its part": saved(tensor(0, (60,), (1,), size=60)),
    "storage of negative size": saved(tensor(0, (1,), (1,), size=-1)),
    "tensor without a storage": saved(b"ctorch._utils\n_rebuild_tensor_v2\n(" + text("abc") + number(0) + b"))tR"),
    "attributes of a class": saved(b"ccollections\nCounter\n" + ATTRIBUTE + b"b"),
    "slots of a class": saved(b"ccollections\nCounter\nN" + ATTRIBUTE + b"\x86b"),
    "attributes of settings": saved(b"cargparse\nNamespace\n" + ATTRIBUTE + b"b"),
    "attributes of a function": saved(b"ctorch._utils\n_rebuild_tensor\n" + ATTRIBUTE + b"b"),
    "attributes of a number type": saved(b"ctorch\nFloatStorage\n" + ATTRIBUTE + b"b"),
    "the state of a tensor": saved(
        tensor(0, (6,), (1,)) + b"(" + number(1) + b")" + text("f") + b"\x89" + text("x") + b"tb"
    ),
    "the state of a storage": saved(storage() + b"(" + number(1) + b")" + text("f") + b"\x89" + text("x") + b"tb"),
    "compressed": saved(tensor(0, (6,), (1,)), zipfile.ZIP_DEFLATED, bytes(30_000_000)),
    "compressed word": saved(tensor(0, (6,), (1,)), zipfile.ZIP_DEFLATED, byteorder=bytes(30_000_000)),
    "a memory of 4 billion places": saved(b"}r\xf0\xff\xff\xff"),
    "text of 2^60 letters": saved(b"\x8d" + struct.pack("<Q", 2**60)),
    "an old file with a storage of 8 TB": b"".join(
        [pickle.dumps(part, protocol=2) for part in (MAGIC_NUMBER, 1001, "machine")]
        + [b"\x80\x02" + tensor(0, (1,), (1,), size=2**41) + b".", pickle.dumps(["0"], protocol=2), bytes(8)]
    ),
}


@pytest.mark.parametrize("kind", HARMFUL)
def test_a_harmful_file_is_refused(tmp_path, kind):
    file = tmp_path / "bad.pth"
    file.write_bytes(HARMFUL[kind])
    before: dict[type, dict[str, object]] = {
        member: dict(vars(member)) for member in (collections.Counter, collections.OrderedDict, _Function)
    }
    tracemalloc.start()
    with pytest.raises(UserError, match=r"bad.pth is not a file of torch.save, or is damaged"):
        read_pth(file)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert {member: dict(vars(member)) for member in before} == before
    assert DTYPES["FloatStorage"] is np.float32
    assert _tensor.__defaults__ is None
    assert peak < 10_000_000


def test_attributes_of_a_dict_of_weights_are_left_out(tmp_path):
    """PyTorch notes the versions of its modules there."""
    content = b"ccollections\nOrderedDict\n)R" + text("a") + tensor(0, (6,), (1,)) + b"s" + ATTRIBUTE + b"b"
    (tmp_path / "good.pth").write_bytes(saved(content))
    weights = read_pth(tmp_path / "good.pth")
    assert list(weights) == ["a"]
    assert weights.update != "planted"


def changed(tmp_path, name, value):
    state = seeded_state(stored_shapes("torchvision_ssdlite320"), SEED)
    save_file(state | {name: value(state[name])}, tmp_path / "w.safetensors")
    return f"torchvision:{tmp_path / 'w.safetensors'}"


HEAD = "head.regression_head.module_list.0.1"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        (f"{HEAD}.weight", lambda a: np.zeros(0, np.float32), r"weight of shape \[0\]"),
        (f"{HEAD}.weight", lambda a: np.zeros((1, 2), np.float32), r"weight of shape \[1, 2\]"),
        (f"{HEAD}.bias", lambda a: np.zeros(1, np.float32), r"bias of shape \[1\]"),
    ],
)
def test_shapes_that_no_layer_has(tmp_path, name, value, said):
    with pytest.raises(UserError, match=f"w.safetensors has {HEAD}.{said}, which no layer can use"):
        read_weights(changed(tmp_path, name, value))


@pytest.mark.parametrize(
    ("head", "outputs", "said"),
    [
        (HEAD, 3, r"has head.regression_head.module_list.0.1.weight of shape \[3, "),
        (
            HEAD.replace("regression", "classification"),
            5,
            "has heads of 24 offsets and 5 logits, which no detector has",
        ),
    ],
)
def test_numbers_of_outputs_that_no_head_has(tmp_path, head, outputs, said):
    state = seeded_state(stored_shapes("torchvision_ssdlite320"), SEED)
    for part in ("weight", "bias"):
        state[f"{head}.{part}"] = state[f"{head}.{part}"][:outputs]
    save_file(state, tmp_path / "w.safetensors")
    with pytest.raises(UserError, match=said):
        read_weights(f"torchvision:{tmp_path / 'w.safetensors'}")


def test_weights_that_are_no_numbers_are_said(tmp_path, caplog):
    read_weights(changed(tmp_path, f"{HEAD}.bias", lambda a: np.full_like(a, np.nan)))
    assert "has weights that are no finite numbers, in 1 layers: the first is box_head_0_pointwise" in caplog.text


def test_a_type_of_number_that_numpy_has_not(tmp_path):
    header = b'{"a":{"dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4]}}'
    (tmp_path / "w.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
    with pytest.raises(UserError, match=r"w\.safetensors"):
        read_weights(f"torchvision:{tmp_path / 'w.safetensors'}")
