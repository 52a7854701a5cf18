"""What stops the engine from serving a model, or from reusing a chunk.

ConfigError
└── UnsupportedModel   at start: the reason names the setting at fault
ChunkGone              a stored chunk cannot be read any more: it is computed anew
"""

from __future__ import annotations

from cachemw.errors import ConfigError


class UnsupportedModel(ConfigError):
    """The model cannot be served with exact results; says why."""


class ChunkGone(Exception):
    """A variant was evicted, is damaged or its tier failed. Never reaches a client."""
