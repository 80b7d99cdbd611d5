"""The network of a training as its validations run it in OpenVINO: converted anew whenever its weights have changed."""

from typing import Any

from ssd.evaluation.validation import Outputs
from ssd.export.openvino_file import openvino_network, traced, with_decoding
from ssd.export.serving import OUTPUTS
from ssd.export.write import metadata_of
from ssd.inference.detections import Detections
from ssd.inference.folding import FoldedNetwork
from ssd.inference.openvino_network import OpenVinoNetwork
from ssd.models.detector import SSD


class ConvertedNetwork:
    """See `ssd.training.validator.Refreshed`; `end` tells offsets and logits, too, for the losses.

    Args:
        model: the detector.
        precision: float32 or bfloat16, of its arithmetic.
        batch_size: images that are begun together.
    """

    def __init__(self, model: SSD, precision: str, batch_size: int) -> None:
        self._coder, self._nms = model.box_coder, model.nms
        self._folded = FoldedNetwork(model, "float32")
        self._graph = traced(self._folded, model)
        self._metadata = metadata_of(model, "openvino", precision, source="training")
        self._batch_size = batch_size
        self._network: OpenVinoNetwork | None = None

    def refresh(self) -> None:
        """Converts the network with the weights that the detector has now."""
        self._folded.refresh()
        network = openvino_network(self._graph)
        made = with_decoding(network, self._coder, self._nms)
        for name in OUTPUTS:
            network.output(name).set_names({name})  # and no other
        made.add_results(network.get_results())
        self._network = OpenVinoNetwork(made, self._metadata, self._batch_size)

    def begin(self, images: Any) -> Any:
        """See `OpenVinoNetwork.begin`."""
        assert self._network is not None, "refresh comes first"
        return self._network.begin(images)

    def end(self, begun: Any) -> tuple[Outputs, list[Detections]]:
        """See `OpenVinoNetwork.end`."""
        assert self._network is not None, "refresh comes first"
        return self._network.end(begun)
