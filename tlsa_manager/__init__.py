"""tlsa_manager: the lifecycle manager for DANE TLSA records."""

__version__ = "0.1.0"
