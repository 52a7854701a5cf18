"""What a semantic lookup costs: the index in this process, against a vector database elsewhere."""
