"""Training: targets, optimisers, cached stems, checkpoints."""
