"""The base model and its token heads in PyTorch."""
