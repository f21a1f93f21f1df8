import pytest

from byrote.data.roles import role_of


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("x", ("", "inputs")),
        ("y", ("", "labels")),
        ("X_train", ("train", "inputs")),
        ("Ytest", ("test", "labels")),
        ("trainX", ("train", "inputs")),
        ("val_images", ("validation", "inputs")),
        ("test.labels", ("test", "labels")),
        ("y_te", ("test", "labels")),
        ("data", ("", "inputs")),
        ("x_train_mean", None),
        ("x_y", None),
        ("train", None),
        ("arr_0", None),
        ("", None),
    ],
)
def test_names_say_what_they_hold(name: str, role: tuple[str, str] | None) -> None:
    assert role_of(name) == role
