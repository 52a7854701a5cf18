"""What the description promises."""

from __future__ import annotations

import orjson
import pytest
from pydantic import ValidationError

from cachemw.admin.categories import categories_json
from cachemw.admin.category_models import CategoriesResult
from tests.cachemw.admin.conftest import category_view


@pytest.mark.parametrize("name", ["threshold", "hit_rate"])
def test_what_may_be_null(name: str) -> None:
    reply = orjson.loads(categories_json([category_view()]))
    reply["categories"][0][name] = None
    assert CategoriesResult.model_validate(reply).model_dump() == reply


@pytest.mark.parametrize("name", ["entries", "load", "ttl", "normal", "policy", "paused"])
def test_what_may_not(name: str) -> None:
    reply = orjson.loads(categories_json([category_view()]))
    reply["categories"][0][name] = None
    with pytest.raises(ValidationError):
        CategoriesResult.model_validate(reply)
