"""Personal data and secrets are found; questions that anyone may ask are not."""

from __future__ import annotations

import pytest
from cachemw_policies.personal import personal
from hypothesis import given
from hypothesis import strategies as st

YES = [
    # Addresses and numbers.
    "Is jane.doe+news@example.co.uk a valid address?",
    "Why does (bob@example.com) bounce?",
    "Who calls from +44 20 7946 0958?",
    "Is 415-555-2671 a scam?",
    "Is (415) 555-2671 a scam?",
    "my mobile is 9876543210, why do I get spam?",
    "Why was 4111 1111 1111 1111 declined?",
    "Why was 4111111111111111 declined?",
    "Was 378282246310005 charged twice?",
    "Transfer to DE89 3704 0044 0532 0130 00 please",
    "Transfer to GB29NWBK60161331926819 please",
    "Is 123-45-6789 registered?",
    "What about order #12345?",
    "What about order number 12345-AB?",
    "Where is booking no. AB1234?",
    "Why is account number 00123456 blocked?",
    "Is passport number X1234567 expired?",
    "The tracking number is 1Z999AA10123456784",
    "My IP address is 84.12.7.9, is it static?",
    # Secrets.
    "Why is sk-abcdefghijklmnop1234 rejected?",
    "AKIAIOSFODNN7EXAMPLE gives access denied",
    "curl -H 'Authorization: Bearer abcdef1234567890abcdef'",
    "What is wrong with -----BEGIN RSA PRIVATE KEY-----?",
    "ghp_abcdefghijklmnopqrstuvwxyz0123 does not work",
    "my password is hunter2, is it strong?",
    "password: correct-horse-1 fails",
    "my pin is 4711",
    # The asker.
    "My name is Ada, what does it mean?",
    "my name’s Ada",
    "I am 34 years old, can I still learn piano?",
    "I'm 34, is it too late?",
    "I'm a 15 year old boy, will I grow?",
    "I live in Leeds, what can I do on Sunday?",
    "I was born in Leeds",
    "my date of birth is March 3rd",
    "Where is my order?",
    "What is my account balance?",
    "Why was my last payment declined?",
    "Cancel my subscription",
    "When will my refund arrive?",
]
NO = [
    "How do I reset my password?",
    "How can I delete my account?",
    "Where can I find my order history?",
    "What should be my order of preference?",
    "Can I change my subscription?",
    "How do I write my name in Japanese?",
    "What is my IP address?",
    "Is 127.0.0.1 the same as localhost?",
    "What is new in version 1.2.3.4?",
    "My password is wrong, what now?",
    "What does 'password is required' mean?",
    "password: what makes it strong?",
    "What is a bearer token?",
    "How does Bearer authentication work?",
    "What does @decorator do?",
    "Who is @jack on Twitter?",
    "How do I install @types/node@20?",
    "git@github.com:org/repo fails",
    "What is the sum of 1234567890 and 1?",
    "Convert 1,000,000 yen to dollars",
    "What happened between 1990-2000 and 2001-2010?",
    "What is 4111 1111 1111 1112?",
    "What is 2019-05-01 in words?",
    "What is Order 66?",
    "What is the order of operations?",
    "What does error code 12345 mean?",
    "What is GitHub issue #1234?",
    "What is the routing number of a bank?",
    "How long is a passport number?",
    "How do I live in the moment?",
    "Am I 5% Irish if one ancestor was?",
    "How many people live in Leeds?",
    "I am an engineer, which language should I learn?",
    "Is my dog too old to learn?",
    "What is a sk-learn pipeline?",
    "",
]


@pytest.mark.parametrize("text", YES)
def test_is_personal(text: str) -> None:
    assert personal(text)


@pytest.mark.parametrize("text", NO)
def test_is_anyones(text: str) -> None:
    assert not personal(text)


@given(st.integers(10**14, 10**15 - 1))
def test_of_all_last_digits_one_makes_a_card(start: int) -> None:
    numbers = [f"4{start}{last}" for last in range(10)]

    assert sum(personal(f"Is {number} declined?") for number in numbers) == 1


@given(st.text(max_size=300))
def test_any_text_has_a_verdict(text: str) -> None:
    assert personal(text) in {True, False}


@given(st.sampled_from(YES), st.text("abc ,\n", max_size=200))
def test_what_stands_around_it_does_not_hide_it(text: str, around: str) -> None:
    # An exemption counts within its own sentence.
    assert personal(f"{around}. {text} . {around}")


@pytest.mark.parametrize(
    "part", ["a", "5", "a@", ". ", "my ", "1 ", "+1", "DE89 ", "order #", "eyJ", "bearer "]
)
def test_a_long_text_is_no_trap(part: str) -> None:
    assert not personal(part * (20_000 // len(part)))
