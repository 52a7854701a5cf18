"""Which of the shipped categories the labels of public data sets belong to.

What several categories could claim with equal right is left out, and so is what only its asker
could sort: `None` of nothing is counted, neither as right nor as wrong.
"""

from __future__ import annotations

# CLINC150 was made for an assistant in a device and a car. What orders it to do something is
# `default`, as the taxonomy says; what asks for what everybody may know is `factual`; an account, a
# card or an order is `customer_support`.
_CLINC = {
    "translation": "translate",
    "math": "calculator measurement_conversion",
    "volatile": "weather time date exchange_rate flight_status traffic travel_alert how_busy",
    "conversation": """are_you_a_bot do_you_have_pets goodbye greeting how_old_are_you
        meaning_of_life thank_you what_are_your_hobbies what_can_i_ask_you what_is_your_name
        where_are_you_from who_do_you_work_for who_made_you maybe no yes repeat""",
    "creative": "tell_joke",
    "factual": """fun_fact definition spelling calories nutrition_info cook_time food_last
        ingredient_substitution ingredients_list recipe meal_suggestion plug_type timezone
        travel_suggestion oil_change_how tire_change jump_start improve_credit_score""",
    "medical": "vaccines",
    "legal": "international_visa",
    "customer_support": """account_blocked balance bill_balance bill_due freeze_account
        interest_rate min_payment order_checks pay_bill pin_change report_fraud routing
        spending_history transactions transfer application_status apr card_declined credit_limit
        credit_limit_change credit_score damaged_card expiration_date international_fees new_card
        redeem_rewards replacement_card_duration report_lost_card rewards_balance order_status
        lost_luggage""",
    "default": """calendar calendar_update next_song order play_music reminder reminder_update
        shopping_list shopping_list_update smart_home todo_list todo_list_update update_playlist
        what_song alarm find_phone flip_coin roll_dice make_call share_location text timer
        change_accent change_ai_name change_language change_speed change_user_name change_volume
        reset_settings sync_device whisper_mode book_flight book_hotel car_rental uber
        restaurant_reservation cancel_reservation confirm_reservation schedule_maintenance
        last_maintenance tire_pressure current_location schedule_meeting meeting_schedule
        pto_balance pto_request pto_request_status pto_used user_name""",
}
# Left out of CLINC150. An employer's or insurer's business with its own people (support or
# default); places and opening hours (factual or volatile); the asker's own car; and `cancel`.
_LEFT_OUT = """direct_deposit income insurance insurance_change payday rollover_401k taxes w2
    next_holiday carry_on travel_notification accept_reservations restaurant_reviews
    restaurant_suggestion directions distance gas gas_type mpg oil_change_when cancel"""
CLINC_LEFT_OUT = frozenset(_LEFT_OUT.split())
CLINC = {intent: name for name, intents in _CLINC.items() for intent in intents.split()}

# Questions about computers as a science read like questions about code, which the category's
# examples have too. Machine learning and security are asked there as knowledge: factual.
_MMLU = {
    "legal": "professional_law jurisprudence international_law",
    "medical": """anatomy clinical_knowledge college_medicine human_aging medical_genetics nutrition
        professional_medicine virology""",
    "math": """abstract_algebra college_mathematics elementary_mathematics high_school_mathematics
        high_school_statistics""",
    "code": "college_computer_science high_school_computer_science",
}
# Between mathematics and knowledge, and between medicine and knowledge.
MMLU_LEFT_OUT = frozenset({"formal_logic", "econometrics", "human_sexuality"})
_MMLU_OF = {subject: name for name, subjects in _MMLU.items() for subject in subjects.split()}


def clinc_category(intent: str) -> str | None:
    """Return the category of an intent of CLINC150, None where it is left out."""
    return None if intent in CLINC_LEFT_OUT else CLINC[intent]


def mmlu_category(subject: str) -> str | None:
    """Return the category of a subject of MMLU: `factual` unless it is listed."""
    return None if subject in MMLU_LEFT_OUT else _MMLU_OF.get(subject, "factual")
