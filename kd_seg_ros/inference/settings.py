"""How a network is run: what the user may choose about ONNX Runtime."""

from __future__ import annotations

from dataclasses import dataclass, replace

from kd_seg_ros.inference.onnx_file import OnnxFile


@dataclass(frozen=True)
class SessionSettings:
    """How a network is run."""

    provider: str = "cuda"
    """A key of :data:`~kd_seg_ros.inference.providers.PROVIDERS`."""
    cuda_graph: bool | None = False
    """On CUDA, record the kernels of one frame and replay them: no launch costs, files of fixed size only.
    None: wherever that is possible, see :meth:`for_file`."""
    nhwc: bool = True
    """On CUDA, keep feature maps with the channels last, the layout of tensor cores."""
    fuse_conv_bias: bool = True
    """On CUDA, with ``nhwc``: add biases inside the convolutions instead of in kernels of their own."""
    threads: int = 0
    """Threads that compute on the CPU; 0: one for each core that this process may use."""
    memory_mb: int = 0
    """Memory that the network may take, 10⁶ bytes, see :mod:`kd_seg_ros.inference.memory_limit`; 0: on the
    CPU half of the machine's, on a GPU whatever it has."""
    staged: bool = False
    """With kernels of our own: copy images to page-locked memory before they are uploaded."""
    compute_stream: int = 0
    """Address of the CUDA stream that the network runs in; 0: one of ONNX Runtime's own."""
    open_batch: bool = False
    """Leave the number of images per run open, in a file whose network takes any; else it is 1, and nothing
    is computed of it."""
    left_out: frozenset[str] = frozenset()
    """Options of the provider that the installed ONNX Runtime does not know."""

    def for_file(self, file: OnnxFile) -> SessionSettings:
        """Return the settings with ``cuda_graph`` decided: on with CUDA unless the file is of open size."""
        if self.cuda_graph is not None:
            return self
        return replace(self, cuda_graph=self.provider in ("cuda", "auto") and not file.open_size)
