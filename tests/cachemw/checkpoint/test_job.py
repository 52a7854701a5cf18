"""The job crosses a pipe."""

from __future__ import annotations

from dataclasses import replace

from cachemw.checkpoint.job import CheckpointJob


def test_a_job_is_the_same_on_the_other_side(job: CheckpointJob) -> None:
    redis = replace(job, store=replace(job.store, kind="redis", url="redis://:secret@h/0"))
    for one in (job, redis):
        assert CheckpointJob.from_json(one.to_json()) == one


def test_a_job_does_not_show_the_stores_password(job: CheckpointJob) -> None:
    assert "secret" not in repr(
        replace(job, store=replace(job.store, kind="redis", url="redis://:secret@h/0"))
    )
