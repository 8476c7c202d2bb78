"""Tests of the checks, over cases made by hand: no network, no server."""
