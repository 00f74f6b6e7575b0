"""Builds DynaMo models from small open base models: graphs, weight plans and (later) token heads."""
