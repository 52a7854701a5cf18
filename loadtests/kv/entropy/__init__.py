"""The entropy coder beside others: sizes and speeds on one core."""
