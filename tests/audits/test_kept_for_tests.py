from byrote.audits.kept_for_tests import KeptForTests


def test_each_audit_of_a_test_has_a_folder_that_is_the_same_in_the_next_run(tmp_path, monkeypatch):
    kept = KeptForTests()
    assert kept.next("learns") is None, "without a root"
    kept.root = tmp_path
    test = "tests/test_it.py::test_a[b/c]"
    for stage in ("setup", "call"):
        monkeypatch.setenv("PYTEST_CURRENT_TEST", f"{test} ({stage})")
    found = [kept.next("learns"), kept.next("audit")]
    assert found == [tmp_path / "tests-test_it.py-test_a-b-c-" / name for name in ("0-learns", "1-audit")]
    kept.begin(test)
    assert kept.next("learns") == found[0]
    monkeypatch.delenv("PYTEST_CURRENT_TEST")
    assert kept.next("learns") is None, "outside of a test"
