"""Snapshots of the index, written by a process of their own (own design).

Writing one in the serving process would stop it: hnswlib holds the interpreter's lock for as long
as it writes, 0.2 s for 100 000 vectors. So another process reads the last snapshot, follows the
change log from there as any replica does, writes the next one and ends. `kill -9` of either process
leaves the last snapshot whole.
"""
