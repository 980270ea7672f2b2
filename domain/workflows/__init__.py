"""Workflow definitions.

UI steps, the step map and their files; two definitions are shipped here.
"""
