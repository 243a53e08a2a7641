"""`JsonlStore` under its first name, which users import."""

from .storage.jsonl import JsonlStore

__all__ = ["JsonlStore"]
