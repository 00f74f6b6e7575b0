"""Turns a base model's architecture into ONNX graphs and weight plans, without its weights."""
