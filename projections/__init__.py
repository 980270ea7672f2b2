"""Folds and read models: what people and programs see of the facts."""
