import pandas as pd
from squares import Squares

from byrote.evidence.finding import Finding


class Told(Squares):
    def verdict(self, table):
        return [Finding(f"{model} fits", "supported", f"{model} fits all.") for model in table["model"]]


def test_a_verdict_calls_the_users_code_by_its_short_name_and_two_alike_apart():
    first, second = "__main__@0123456789ab:Net", "__main__@ba9876543210:Net"
    table = pd.DataFrame({"model": [first, second, "a/net.py:Other", "mlp-1x4"], "corruption": "noise.py:Noise=0.5"})
    found = Told([1]).verdict(table)
    claims = ["Net (0123456789ab) fits", "Net (ba9876543210) fits", "Other fits", "mlp-1x4 fits"]
    assert [each.claim for each in found] == claims
    assert found[2].statement == "Other fits all."
    assert Told([1]).verdict(table[:1])[0].claim == "Net fits"
    assert table["model"][0] == first
