"""Views: pure folds from a job's facts to what people see."""
