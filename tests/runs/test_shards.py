import pytest
from hypothesis import given
from hypothesis import strategies as st

from byrote.errors import UserError
from byrote.runs.shards import Shard, share_of, split


@pytest.mark.parametrize("text", ["0/4", "5/4", "1/0", "x", "", "3", "1/2/3", "-1/4", "1.5/4", "1/ 4x"])
def test_what_is_no_shard_is_one_sentence(text):
    with pytest.raises(UserError, match=r"^got the shard .*, expected K/N with K from 1 to N, such as 3/16$"):
        Shard.parse(text)


def test_what_is_one():
    assert str(Shard.parse(" 16/16 ")) == "16/16"


@given(st.lists(st.floats(0, 1e6), max_size=60), st.integers(1, 9))
def test_all_is_in_one_shard_each_and_none_has_much_more_than_its_share(seconds, num_shards):
    costs = dict(enumerate(seconds))
    shards = split(costs, num_shards)
    assert shards == split(dict(costs), num_shards)
    assert sorted(each for shard in shards for each in shard) == list(costs)
    most = max(sum(costs[each] for each in shard) for shard in shards)
    assert most <= sum(seconds) / num_shards + max(seconds, default=0) + 1e-6


def test_equal_costs_of_nothing_are_spread_too():
    assert [len(shard) for shard in split(dict.fromkeys("abcdef", 0.0), 3)] == [2, 2, 2]


def test_calculations_go_with_the_runs_that_they_read():
    groups = [(["a", "b"], 5.0), (["c"], 5.0), (["d"], 1.0)]
    calculations = {"of a": (9.0, ["a"]), "of all": (9.0, ["a", "c"]), "free": (4.0, [])}
    shares = [share_of(Shard(number, 2), groups, calculations) for number in (1, 2)]
    assert shares == [{"a", "b", "of a", "free"}, {"c", "d"}]
