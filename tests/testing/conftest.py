"""One thread a process: the tests are many small products, and pytest fills the cores already."""

import torch

torch.set_num_threads(1)
