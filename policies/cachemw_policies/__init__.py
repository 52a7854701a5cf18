"""Pure decisions: no I/O, no clock, no network.

Everything here is a function of plain values, so it can be run against traces as well as in the
service. Time and randomness are arguments.
"""
