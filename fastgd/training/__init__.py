"""Training: the trainer, its loop over epochs, and everything a fit consists of."""
