"""What can run a detector's network. Imports nothing: the command line, programs and tasks ask."""

from enum import Enum


class Runtime(Enum):
    """What runs the network in task=predict, task=evaluate and validations."""

    auto = "auto"  # OpenVINO on a processor, Keras on a GPU
    keras = "keras"
    openvino = "openvino"
    onnxruntime = "onnxruntime"
    litert = "litert"
