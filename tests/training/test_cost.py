import math
from dataclasses import replace

import pytest

from byrote.training.cost import Speed, Work, demand_of, speed_of, work_of
from byrote.training.spec import TrainSpec

SPEC = TrainSpec(model="mlp-1x8", n_train=64, batch_size=32, steps=100)


def test_products_of_a_perceptron_are_those_that_one_counts_by_hand(tiny):
    d, k, batch = math.prod(tiny.input_shape), tiny.num_classes, 32
    # Forward, and backward with respect to weights and to inputs, which the first layer's need not.
    by_hand = 2 * batch * (2 * d * 8 + 3 * 8 * k)
    more = replace_steps(SPEC, 200)
    assert work_of([more], tiny).products - work_of([SPEC], tiny).products == pytest.approx(100 * 1.12 * by_hand)


def replace_steps(spec, steps):
    return spec.model_copy(update={"steps": steps})


def test_a_stack_takes_as_many_products_and_fewer_calls(tiny):
    alone = work_of([SPEC], tiny)
    stack = work_of([SPEC.model_copy(update={"seed": seed}) for seed in range(8)], tiny)
    assert stack.products == pytest.approx(8 * alone.products)
    assert alone.calls < stack.calls < 4 * alone.calls


def test_what_may_stop_early_is_the_most_there_is(tiny):
    assert not work_of([SPEC], tiny).is_most
    assert work_of([TrainSpec(model="mlp-1x8", n_train=64)], tiny).is_most
    assert (Work(is_most=True) + Work()).times(2.0).is_most


def test_more_weights_take_more_memory(tiny):
    small, large = (demand_of([SPEC.model_copy(update={"model": model})], tiny) for model in ("mlp-1x8", "mlp-1x512"))
    assert large.num_weights > small.num_weights
    assert large.num_bytes - small.num_bytes >= 28 * (large.num_weights - small.num_weights)


def test_seconds_are_the_sum_of_what_each_part_takes():
    speed = Speed(calls=10.0, products=100.0, convolutions=50.0, values=20.0)
    assert speed.seconds(Work(10.0, 200.0, 50.0, 10.0)) == 1 + 2 + 1 + 0.5


def test_the_speed_of_a_machine_is_measured_once():
    speed = speed_of("cpu")
    assert speed is speed_of("cpu")
    assert all(1e2 < rate < math.inf for rate in (speed.calls, speed.products, speed.convolutions, speed.values))
    assert replace(speed) == speed
