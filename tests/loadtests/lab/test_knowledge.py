from string import Formatter

import pytest

from loadtests.lab.knowledge import Fact, load_relations

FACTS = [fact for relation in load_relations() for fact in relation.facts]


def test_there_is_plenty_to_ask() -> None:
    assert len(FACTS) > 600
    assert {"capitals", "app", "words", "opposites"} <= {fact.topic for fact in FACTS}


@pytest.mark.parametrize("topic", sorted({fact.topic for fact in FACTS}))
def test_every_answer_holds_its_key_and_no_placeholder(topic: str) -> None:
    for fact in (fact for fact in FACTS if fact.topic == topic):
        assert fact.key
        assert fact.key.lower() in fact.answer.lower(), fact
        assert "{" not in fact.answer + fact.key + (fact.short or "")


def test_templates_name_their_own_columns() -> None:
    for fact in FACTS:
        for template in (*fact.train, *fact.held_out, fact.follow_up or ""):
            fields = {name for _, name, _, _ in Formatter().parse(template) if name}
            assert fields <= fact.cells.keys(), template


def test_no_phrasing_is_both_trained_on_and_held_out() -> None:
    for fact in FACTS:
        assert not wordings(fact, fact.train) & wordings(fact, fact.held_out)


def wordings(fact: Fact, templates: tuple[str, ...]) -> set[str]:
    """Every question of one template whose single column lists whole questions, else templates."""
    whole = {t: fact.cells[t[1:-1]] for t in templates if t[1:-1] in fact.cells}
    return {q.lower() for t in templates for q in whole.get(t, (t,))}
