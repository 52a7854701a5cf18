"""Names and identifiers that have no match on the other side."""

from __future__ import annotations

import pytest
from cachemw_policies.guards.entities import differ
from cachemw_policies.guards.reading import read

DIFFER = [
    ("Who is the mayor of Springfield?", "Who is the mayor of Shelbyville?"),
    ("What did Tolstoy write about war?", "What did Dickens write about war?"),
    ("Is the book by Ernest Cline good?", "Is the book by Stephen Baxter good?"),
    ("What does read_csv do?", "What does read_table do?"),
    ("What does getUserName return?", "What does setUserName return?"),
    ("What does std::sort do?", "What does std::find do?"),
    ("How do I use grep -r?", "How do I use grep -i?"),
    ("What does foo.bar mean?", "What does foo.baz mean?"),
    ("What does --force do?", "What does --quiet do?"),
    ("What does git push --force do?", "What does git push do in detail?"),
    ("Why is https://a.example/x slow?", "Why is https://b.example/x slow?"),
    ("Who is ann@example.com in this team?", "Who is bob@example.com in this team?"),
    ("When do trains from Paris to Lyon leave?", "When do trains from Paris to Nice leave?"),
]
AGREE = [
    ("Who is the president of the USA?", "Who is the president of the United States?"),
    ("Who is the president of the U.S.?", "Who is the president of the United States of America?"),
    ("Who leads the UK?", "Who leads the United Kingdom?"),
    ("What did Tolstoy write?", "what did tolstoy write"),
    ("Is Tolstoy's book long?", "How long is the book by Tolstoy?"),
    ("What did Tolstoj write about war?", "What did Tolstoy write about peace in Russia?"),
    ("What Is The Capital Of France?", "Which city is France's capital?"),
    ("WHAT IS THE CAPITAL OF FRANCE", "which city is the capital of france"),
    ("What is the World Health Organization?", "What is the WHO good for?"),
    ("How do I turn WiFi off?", "How do I turn off Wi-Fi?"),
    ("Will Trump win?", "Will Donald Trump win?"),
    ("Where is Bangalore on the map?", "Where is Bengaluru on the map?"),
    ("Yes. Explain gravity to me", "Please tell me what gravity is. Thanks"),
    ("What does read_csv do?", "What is read_csv?"),
    ("Can I do it? If so, how?", "Can I do it? Then how?"),
]


@pytest.mark.parametrize(("a", "b"), DIFFER)
def test_objects(a: str, b: str) -> None:
    assert differ(read(a), read(b))
    assert differ(read(b), read(a))


@pytest.mark.parametrize(("a", "b"), AGREE)
def test_does_not_object(a: str, b: str) -> None:
    assert not differ(read(a), read(b))
    assert not differ(read(b), read(a))
