"""Logs as libraries print them, with what they must become."""
