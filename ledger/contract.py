"""`EventStoreContract` under its first name, which users import."""

from .storage.contract import EventStoreContract

__all__ = ["EventStoreContract"]
