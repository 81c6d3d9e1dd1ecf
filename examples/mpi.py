"""Several processes that train one network: fewer exchanges, and the same bits for any number of processes.

Each process has its part of the images.  In every step they add up their gradients, which waits for the network between
them; or each does several steps alone, on a copy, before theta is averaged over all (local SGD: Stich, "Local SGD
converges fast and communicates little", ICLR 2019).  The fewer exchanges, the less is lost to waiting; the more steps
alone, the more the copies drift apart.  The images are divided into four shards, of which each process has as many: so
the results are the same on one, two and four processes.

Run: mpirun -n 2 python mpi.py [picture.png] [--seed N]; alone, too; needs mpi4py and an MPI, `pip install mpich`
"""

import argparse
import zlib

import numpy as np
from mpi4py import MPI

import fastgd as gd

parser = argparse.ArgumentParser()
parser.add_argument("picture", nargs="?", default="mpi.png")
parser.add_argument("--seed", type=int, default=0)
options = parser.parse_args()

comm, SHARDS, ROWS, EPOCHS = MPI.COMM_WORLD, 4, 1280, 20
X, y = gd.datasets.digits()
order = np.random.default_rng(options.seed).permutation(len(X))
X, y = X[order] / np.float32(16), y[order]
own = slice(comm.rank * ROWS // comm.size, (comm.rank + 1) * ROWS // comm.size)  # what this process trains on
held_out = slice(ROWS + comm.rank, None, comm.size)  # what it validates on


def train(local_steps):
    """The trainer of a network that is trained with an exchange after this many steps, and the number of exchanges."""
    trainer = gd.Trainer(
        gd.MLP(64, 64, 10, seed=options.seed),
        loss="cross_entropy",
        optimizer=gd.SGD(gd.Cosine(0.1), momentum=0.9),
        batch_size=64,
        comm=comm,
        shards=SHARDS,
        local_steps=local_steps,
    )
    trainer.fit(X[own], y[own], EPOCHS, validation=(X[held_out], y[held_out]), verbose=0)
    return trainer, EPOCHS * -(-trainer.step // EPOCHS // local_steps)


results = {local_steps: train(local_steps) for local_steps in (1, 4, 20)}
if comm.rank == 0:
    import matplotlib.pyplot as plt

    from fastgd import plot

    plt.style.use(plot.STYLE)
    print(f"{comm.size} process{'es' if comm.size > 1 else ''}, {SHARDS} shards")
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.4), sharey=True)
    colors = {1: plot.GREY, 4: plot.BLUE, 20: plot.ORANGE}
    for local_steps, (trainer, exchanges) in results.items():
        accuracy = trainer.history["validation_accuracy"]
        checksum = zlib.crc32(trainer.model.theta.tobytes())
        name = "an exchange after each step" if local_steps == 1 else f"an exchange after {local_steps} steps"
        print(f"{name}: {exchanges} exchanges, accuracy {accuracy[-1]:.4f}, checksum of theta {checksum:08x}")
        epochs = np.arange(1, EPOCHS + 1)
        left.plot(epochs, accuracy, color=colors[local_steps], label=name)
        right.plot(epochs / EPOCHS * exchanges, accuracy, color=colors[local_steps])
    left.set(title="Steps", xlabel="epoch", ylabel="accuracy on held-out images", ylim=(0.85, 1))
    left.set_xticks([1, 5, 10, 15, 20])
    left.legend(loc="lower right")
    right.set(title="Exchanges between the processes", xlabel="number of exchanges", xscale="log")
    figure.savefig(options.picture)
    print(f"result: accuracy with 20 local steps {results[20][0].history['validation_accuracy'][-1]:.4f}")
