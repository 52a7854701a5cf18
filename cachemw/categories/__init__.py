"""The kinds of questions: their policy file, kept current, and the classifier of questions."""
