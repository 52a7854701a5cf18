"""One OpenAI endpoint per file: what is asked, how an answer is collected and replayed."""
