"""Pods that are started ahead of their tasks: how many wait, who gets which, what becomes of an assignment. Pure."""
