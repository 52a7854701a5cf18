"""The words of numbers.py: numbers, magnitudes, units and currencies."""

from __future__ import annotations

from cachemw_policies.guards.wordlist import in_order

_UP_TO_19 = in_order(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
)
_TENS = in_order("twenty thirty forty fifty sixty seventy eighty ninety")

SMALL = {
    **{word: value for value, word in enumerate(_UP_TO_19)},
    **{word: value for value, word in zip(range(20, 100, 10), _TENS, strict=True)},
    "fourty": 40,
    "dozen": 12,
    "twice": 2,
}
# Words that are numbers only now and then.
LOOSE = frozenset(("one", "zero", "dozen", "twice"))
ORDINALS = {
    word: f"{value}"
    for value, word in enumerate(
        in_order("first second third fourth fifth sixth seventh eighth ninth tenth"),
        1,
    )
}
# Letters that are units only right behind the digits.
LETTERS = frozenset(("in", "m", "g", "l", "c", "f", "s", "v", "w", "h", "am", "mp"))
MAGNITUDES = {
    "hundred": 1e2,
    "thousand": 1e3,
    "k": 1e3,
    "lakh": 1e5,
    "lakhs": 1e5,
    "lac": 1e5,
    "million": 1e6,
    "millions": 1e6,
    "mn": 1e6,
    "crore": 1e7,
    "crores": 1e7,
    "cr": 1e7,
    "billion": 1e9,
    "bn": 1e9,
    "trillion": 1e12,
}
OPERATORS = frozenset("+*^=<>≤≥×÷√")
CURRENCIES = {
    "$": "dollar",
    "usd": "dollar",
    "€": "euro",
    "eur": "euro",
    "£": "pound",
    "gbp": "pound",
    "¥": "yen",
    "jpy": "yen",
    "₹": "rupee",
    "rs": "rupee",
    "inr": "rupee",
}
_SPELLINGS = """
dollar dollars bucks; euro euros; yen; rupee rupees; pound pounds lb lbs gbp;
% percent; km kms kilometer kilometers kilometre kilometres; mile miles mi;
m meter meters metre metres; cm centimeter centimeters centimetre centimetres; mm millimeter;
inch inches in; foot feet ft; yard yards; kg kgs kilo kilos kilogram kilograms; g gm gram grams;
mg milligram milligrams; oz ounce ounces; ton tons tonne tonnes; l liter liters litre litres;
ml milliliter millilitre; gallon gallons; mph; kmh kph; c celsius centigrade; f fahrenheit;
kelvin; second seconds sec secs s; minute minutes min mins; hour hours hr hrs h; day days;
week weeks; month months; year years yr yrs; am; pm; gb gigabyte gigabytes; mb megabyte megabytes;
tb terabyte; kb kilobyte; bit bits; byte bytes; hz; ghz; mhz; volt volts v; watt watts w; kw;
amp amps; mah; mp megapixel; calorie calories; kcal; th
"""
UNITS = {
    **CURRENCIES,
    **{spelling: group.split()[0] for group in _SPELLINGS.split(";") for spelling in group.split()},
}
