"""Closed kernels that are not gone: who they are, and what keeps them."""
