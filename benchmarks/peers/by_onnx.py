"""ONNX Runtime: predictions only."""

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from ..workloads import Workload, parameters
from . import Contender

NODES = {"relu": "Relu", "tanh": "Tanh", "sigmoid": "Sigmoid"}


class Session(Contender):
    """The network as Gemm nodes and activations."""

    optimizers = frozenset()

    def __init__(self, workload: Workload, X: NDArray, y: NDArray, theta: NDArray, threads: int) -> None:
        super().__init__(workload, X, y, theta, threads)
        self.options = onnxruntime.SessionOptions()
        self.options.intra_op_num_threads = threads

    def start(self, theta: NDArray) -> None:
        model = _model(self.workload, theta)
        self.session = onnxruntime.InferenceSession(model, self.options, providers=["CPUExecutionProvider"])

    def predict(self, X: NDArray) -> NDArray:
        outputs: list[NDArray] = self.session.run(None, {"a0": X})
        return outputs[0]


def _model(workload: Workload, theta: NDArray) -> bytes:
    nodes, values, last = [], [], len(workload.widths) - 2
    for l, (W, b) in enumerate(parameters(workload.widths, theta)):
        values += [
            numpy_helper.from_array(np.ascontiguousarray(part), f"{name}{l}") for name, part in (("W", W), ("b", b))
        ]
        nodes.append(helper.make_node("Gemm", [f"a{l}", f"W{l}", f"b{l}"], [f"z{l}"]))
        if l < last:
            nodes.append(helper.make_node(NODES[workload.activation], [f"z{l}"], [f"a{l + 1}"]))
    into = helper.make_tensor_value_info("a0", TensorProto.FLOAT, [None, workload.widths[0]])
    out = helper.make_tensor_value_info(f"z{last}", TensorProto.FLOAT, [None, workload.widths[-1]])
    graph = helper.make_graph(nodes, workload.name, [into], [out], values)
    opset = [helper.make_opsetid("", 17)]
    model: bytes = helper.make_model(graph, opset_imports=opset, ir_version=9).SerializeToString()
    return model
