"""Commands that only look: at jobs, at their past, and at how Milepost itself is."""
