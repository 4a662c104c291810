"""The algebra of positions: containment is a partial order, and `behind` is its measure."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.model.position import Gtid, MariaDBPosition, Position, parse_position


class OtherKind(Position):
    def contains(self, other: Position, /) -> bool:
        return other is self

    def behind(self, other: Position, /) -> int:
        return 0 if other is self else 1


numbers = st.integers(min_value=0, max_value=6)
gtids = st.builds(Gtid, numbers, numbers, st.integers(min_value=1, max_value=8))
positions = st.lists(gtids, max_size=5).map(lambda found: MariaDBPosition.parse(",".join(map(str, found))))


def merged(first: MariaDBPosition, second: MariaDBPosition) -> MariaDBPosition:
    return MariaDBPosition.parse(",".join(filter(None, (str(first), str(second)))))


@given(positions)
def test_a_position_contains_itself(a: MariaDBPosition) -> None:
    assert a.contains(a)


@given(positions, positions)
def test_two_that_contain_each_other_end_at_the_same_numbers(a: MariaDBPosition, b: MariaDBPosition) -> None:
    if a.contains(b) and b.contains(a):
        assert [(g.domain, g.sequence) for g in a.gtids] == [(g.domain, g.sequence) for g in b.gtids]


@given(positions, positions, positions)
def test_containment_goes_on(a: MariaDBPosition, b: MariaDBPosition, c: MariaDBPosition) -> None:
    if a.contains(b) and b.contains(c):
        assert a.contains(c)


@given(positions, positions)
def test_nothing_is_behind_exactly_if_all_is_contained(a: MariaDBPosition, b: MariaDBPosition) -> None:
    assert a.contains(b) == (a.behind(b) == 0)
    assert a.behind(b) >= 0


@given(positions, positions)
def test_one_that_merges_two_contains_both(a: MariaDBPosition, b: MariaDBPosition) -> None:
    assert merged(a, b).contains(a)
    assert merged(a, b).contains(b)


@given(positions)
def test_the_text_of_a_position_reads_back_as_the_same(a: MariaDBPosition) -> None:
    assert MariaDBPosition.parse(str(a)) == a
    assert parse_position(str(a)) == a


@given(positions, numbers)
def test_the_part_of_a_domain_is_contained_and_holds_nothing_else(a: MariaDBPosition, domain: int) -> None:
    part = a.only(domain)
    assert a.contains(part)
    assert {gtid.domain for gtid in part.gtids} <= {domain}
    assert part.of_domain(domain) == a.of_domain(domain)


@given(st.lists(gtids, max_size=6), st.randoms())
def test_the_order_of_the_text_does_not_matter(found: list[Gtid], random: object) -> None:
    last = {gtid.domain: max(g.sequence for g in found if g.domain == gtid.domain) for gtid in found}
    parsed = MariaDBPosition.parse(",".join(map(str, reversed(found))))
    del random
    assert {gtid.domain: gtid.sequence for gtid in parsed.gtids} == last
    assert [gtid.domain for gtid in parsed.gtids] == sorted(last)


CONTAINED = {
    "the same": ("0-1-5", "0-1-5", True, 0),
    "further": ("0-1-7", "0-1-5", True, 0),
    "behind by two": ("0-1-5", "0-1-7", False, 2),
    "a domain that it never saw": ("0-1-5", "0-1-5,7-2-3", False, 3),
    "another server wrote last in the domain": ("0-2-5", "0-1-5", True, 0),
    "nothing holds nothing": ("", "", True, 0),
    "nothing is held by all": ("0-1-5", "", True, 0),
    "two domains, one behind": ("0-1-9,1-2-4", "0-1-5,1-2-6", False, 2),
}


@pytest.mark.parametrize(("ours", "theirs", "contains", "behind"), CONTAINED.values(), ids=CONTAINED.keys())
def test_containment(ours: str, theirs: str, contains: bool, behind: int) -> None:  # noqa: FBT001 - a table's column
    a, b = MariaDBPosition.parse(ours), MariaDBPosition.parse(theirs)
    assert (a.contains(b), a.behind(b)) == (contains, behind)


def test_a_position_of_another_kind_is_never_contained() -> None:
    assert not MariaDBPosition.parse("0-1-5").contains(OtherKind())
    assert MariaDBPosition.parse("0-1-5").behind(OtherKind()) == 0


@pytest.mark.parametrize("text", ["x", "0-1", "0-1-2-3", "0-1--2", "0-1-5;1-1-1", "bin.000001:4", "0-1-5 1-1-1"])
def test_what_is_no_position_is_refused_with_its_words(text: str) -> None:
    with pytest.raises(ValueError, match="not a MariaDB GTID"):
        parse_position(text)
