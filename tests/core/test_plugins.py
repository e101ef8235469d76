"""Late loading."""

from __future__ import annotations

import json

import pytest

from millpond.core.errors import HostError
from millpond.core.plugins import load, lookup


def test_a_module_and_a_name_in_it_are_found() -> None:
    """By import path, when they are asked for."""
    assert load("json") is json
    assert lookup("json:dumps") is json.dumps


def test_a_missing_package_is_named_with_its_install_command() -> None:
    """The next step can be typed as it stands."""
    with pytest.raises(HostError) as caught:
        load("no_such_package_here.inner")
    assert caught.value.code == "MP-9001"
    assert caught.value.finding.next_step == "pip install 'no_such_package_here'"


def test_an_extra_is_named_where_it_brings_the_package() -> None:
    """Who lacks an adapter installs the extra, not the library."""
    with pytest.raises(HostError) as caught:
        lookup("no_such_package_here:thing", extra="kafka")
    assert caught.value.finding.next_step == "pip install 'millpond[kafka]'"
