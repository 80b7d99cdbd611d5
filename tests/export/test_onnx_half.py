"""An ONNX file in float16: what has too large a range for it stays in float32 all the way."""

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

from ssd.export.onnx_file import leave_out_detours


def test_values_that_float16_does_not_have_pass_between_operations_in_float32() -> None:
    """The root of a sum of squares, as the converter leaves it: from one operation to the next through float16."""

    def cast(given: str, made: str, kind: int) -> onnx.NodeProto:
        return helper.make_node("Cast", [given], [made], to=kind)

    nodes = [
        helper.make_node("Mul", ["x", "x"], ["square"]),
        cast("square", "square16", TensorProto.FLOAT16),
        cast("square16", "square32", TensorProto.FLOAT),
        helper.make_node("ReduceSum", ["square32"], ["sum"], keepdims=0),
        cast("sum", "sum16", TensorProto.FLOAT16),
        cast("sum16", "sum32", TensorProto.FLOAT),
        helper.make_node("Sqrt", ["sum32"], ["root"]),
        cast("root", "root16", TensorProto.FLOAT16),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])
    root = helper.make_tensor_value_info("root16", TensorProto.FLOAT16, [])
    model = helper.make_model(
        helper.make_graph(nodes, "norm", [x], [root]), opset_imports=[helper.make_opsetid("", 17)]
    )
    model.ir_version = 8

    def found() -> float:
        session = onnxruntime.InferenceSession(model.SerializeToString())
        return float(session.run(None, {"x": np.array([300.0, 400.0], np.float32)})[0])

    assert found() == np.inf
    leave_out_detours(model.graph)
    assert found() == 500
    assert [node.op_type for node in model.graph.node] == ["Mul", "ReduceSum", "Sqrt", "Cast"]
