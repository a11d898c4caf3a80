"""Has TorchInductor compile the headers that every program it compiles for a CPU includes."""

import torch

torch.compile(torch.relu, fullgraph=True)(torch.ones(8))
