"""Training steps of ClustPy, timed. Reads lines `NAME STEPS`, answers each with `WALL CPU` in seconds.

What is timed are ClustPy's own training loops, over batches that lie ready in memory. One thread.
"""

import contextlib
import io
import sys
import time

import numpy as np
import torch
from clustpy.deep._utils import mean_squared_error
from clustpy.deep.dcn import _DCN_Module
from clustpy.deep.dec import _DEC_Module
from clustpy.deep.neural_networks.feedforward_autoencoder import FeedforwardAutoencoder
from clustpy.deep.vade import _VaDE_Module, _VaDE_VAE

WIDTHS = [int(width) for width in sys.argv[1].split("-")]
ROWS, CLUSTERS = int(sys.argv[2]), int(sys.argv[3])
DEVICE = torch.device("cpu")
torch.set_num_threads(1)
torch.manual_seed(1)
POOL = torch.rand(16 * ROWS, WIDTHS[0]) * 2 - 1


def batches(count):
    """Batches as ClustPy's loaders give them: numbers of the rows, and the rows."""
    picked = [torch.randint(len(POOL), (ROWS,)) for _ in range(count)]
    return [[numbers, POOL[numbers]] for numbers in picked]


class Method:
    """A network with its clustering module and optimiser, as the default arguments of ClustPy's classes make them."""

    def __init__(self, network, module, weights):
        self.network, self.module, self.weights = network, module, weights
        parameters = list(network.parameters()) + list(module.parameters())
        self.optimizer = torch.optim.Adam(parameters, lr=1e-4)

    def train(self, data):
        # The loops take the same things in different orders: VaDE and DCN want a loader for tests that they do not use.
        loaders = {_DEC_Module: [data], _VaDE_Module: [None, data], _DCN_Module: [data, None]}[type(self.module)]
        self.module.fit(self.network, *loaders, 1, DEVICE, self.optimizer, mean_squared_error, *self.weights)


class Pretraining:
    """A network that reconstructs; `fit` makes a new optimiser each time."""

    def __init__(self, network):
        self.network = network

    def train(self, data):
        self.network.fitted = False
        self.network.fit(1, {"lr": 1e-3}, dataloader=data)


def centers():
    return np.random.RandomState(1).randn(CLUSTERS, WIDTHS[-1]).astype(np.float32)


def autoencoder():
    return FeedforwardAutoencoder(layers=WIDTHS, random_state=1)


def variational():
    network = _VaDE_VAE(layers=WIDTHS, random_state=1)
    network.fitted = True
    return network


MAKERS = {
    "idec": lambda: Method(autoencoder(), _DEC_Module(centers(), 1.0), (0.1, 1.0)),
    "vade": lambda: Method(variational(), _VaDE_Module(CLUSTERS, WIDTHS[-1], means=centers()), (1.0, 1.0)),
    "dcn": lambda: Method(
        autoencoder(), _DCN_Module(np.random.RandomState(1).randint(CLUSTERS, size=len(POOL)).astype(np.int32), centers()),
        (0.1, 1.0),
    ),
    "autoencoder": lambda: Pretraining(autoencoder()),
    "vade-autoencoder": lambda: Pretraining(_VaDE_VAE(layers=WIDTHS, random_state=1)),
}
METHODS = {}

for line in sys.stdin:
    name, steps = line.split()
    if name not in METHODS:
        METHODS[name] = MAKERS[name]()
    data = batches(int(steps))
    with contextlib.redirect_stderr(io.StringIO()):
        wall, cpu = time.perf_counter(), time.process_time()
        METHODS[name].train(data)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(wall, cpu, flush=True)
