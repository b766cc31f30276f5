"""Materializers: how values are written to and read from an artifact's folder."""

from proa.materializers.base import Materializer
from proa.materializers.registry import custom_materializer, materializer_for, named_materializer

__all__ = ["Materializer", "custom_materializer", "materializer_for", "named_materializer"]
