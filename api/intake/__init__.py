"""What a callback's bytes say: reading, bending, and the reasons for a refusal."""
