"""Training data: where its texts come from and which of them are kept."""
