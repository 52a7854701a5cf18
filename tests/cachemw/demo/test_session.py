from cachemw.demo.session import session


def test_the_session_shows_every_layer_streams_and_two_tenants() -> None:
    steps = session()
    assert {step.layer for step in steps} == {"upstream", "exact", "semantic"}
    assert {step.tenant for step in steps} == {"alice", "bob"}
    assert {step.layer for step in steps if step.stream} == {"upstream", "exact", "semantic"}


def test_it_has_near_misses_that_must_not_hit() -> None:
    near = [step for step in session() if step.what == "near miss"]
    assert len(near) >= 2
    assert {step.layer for step in near} == {"upstream"}
