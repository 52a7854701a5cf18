"""The command line: the codecs on anybody's model.

main.py          runs a command, maps errors to exit codes
parser.py        its arguments and help
inputs.py        model, tokenizer and text
measure.py       size, time and quality of each codec and level
show.py          the same as a table and as JSON
calibrate.py     makes a calibration file
calibrators.py   which codecs can be calibrated, and by what
"""
