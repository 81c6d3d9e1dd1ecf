"""Training: the trainer, its settings and state, the loop over epochs, and what runs around it."""
