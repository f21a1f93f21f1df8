"""Many steps of a compiled graph in one call: between two of a small network, Python takes half as long as a step."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from functools import cache
from itertools import chain
from typing import Any

import torch
from torch import Tensor

# A handle is a tensor, in the stable interface of torch's compiled code: whoever is given one has to delete it, or to
# give it to somebody else. Tensors come from Python, and go there, as lists of capsules with handles.
_SOURCE = """
#include <exception>

struct Tensor;
struct PyObject;
using Step = void (*)(Tensor** given, Tensor** found);

extern "C" {
int aoti_torch_new_tensor_handle(Tensor*, Tensor**);
int aoti_torch_delete_tensor_object(Tensor*);
void* PyCapsule_GetPointer(PyObject*, const char*);
PyObject* PyCapsule_New(void*, const char*, void (*)(PyObject*));
PyObject* PyList_New(long);
PyObject* PyList_GetItem(PyObject*, long);
int PyList_SetItem(PyObject*, long, PyObject*);
long PyList_Size(PyObject*);
void PyErr_SetString(PyObject*, const char*);
void Py_DecRef(PyObject*);
extern PyObject* PyExc_RuntimeError;

static Tensor* tensor(PyObject* list, long number) {
    return static_cast<Tensor*>(PyCapsule_GetPointer(PyList_GetItem(list, number), nullptr));
}

// Gives the first num_kept tensors that each step finds, of `common` ones and its num_own of `own`; deletes all others.
PyObject* steps(Step step, PyObject* common, PyObject* own, long num_own, long num_found, long num_kept) {
    const long num_common = PyList_Size(common), num_steps = PyList_Size(own) / num_own;
    Tensor *given[num_common + num_own], *found[num_found];
    PyObject* kept = PyList_New(num_steps * num_kept);
    long number = 0;
    try {
        for (; number < num_steps; number++) {
            for (long i = 0; i < num_common; i++) aoti_torch_new_tensor_handle(tensor(common, i), given + i);
            for (long i = 0; i < num_own; i++) given[num_common + i] = tensor(own, number * num_own + i);
            step(given, found);
            for (long i = 0; i < num_kept; i++)
                PyList_SetItem(kept, number * num_kept + i, PyCapsule_New(found[i], nullptr, nullptr));
            for (long i = num_kept; i < num_found; i++) aoti_torch_delete_tensor_object(found[i]);
        }
    } catch (const std::exception& error) {  // the step has deleted what it was given
        PyErr_SetString(PyExc_RuntimeError, error.what());
        for (long i = 0; i < number * num_kept; i++) aoti_torch_delete_tensor_object(tensor(kept, i));
        for (long i = (number + 1) * num_own; i < num_steps * num_own; i++)
            aoti_torch_delete_tensor_object(tensor(own, i));
        Py_DecRef(kept);
        kept = nullptr;
    }
    for (long i = 0; i < num_common; i++) aoti_torch_delete_tensor_object(tensor(common, i));
    return kept;
}
}
"""
_ENTRY = "_Z19inductor_entry_implPP16AtenTensorOpaqueS1_"
"""What torch calls the machine code of a graph."""


@cache
def _steps() -> Any:
    from torch._inductor.codecache import CppCodeCache

    # Python's lock is kept, which each step gives away and takes again by itself.
    found = ctypes.PyDLL(CppCodeCache.load(_SOURCE)._name).steps
    found.restype = ctypes.py_object
    found.argtypes = [ctypes.c_void_p, ctypes.py_object, ctypes.py_object, *[ctypes.c_long] * 3]
    return found


ManySteps = Callable[[Sequence[Tensor], Sequence[Sequence[Tensor]]], list[list[Tensor]]]
"""Of tensors that all steps have in common, and those of each step by itself; gives what is kept of each step."""


def steps_in_one_call(call: Callable[..., Any], *, num_found: int, num_kept: int) -> ManySteps | None:
    """Many calls of `call`, which is what torch makes of a graph for the CPU and gives `num_found` tensors, of which
    the first `num_kept` are kept. None where torch has made it in another way, or this file's code cannot be compiled:
    steps are the same one by one."""
    from torch._inductor.exc import CppCompileError

    entry = getattr(call, "__globals__", {}).get("inductor_entry")
    file = getattr(getattr(entry, "__self__", None), "__file__", None)
    step = getattr(ctypes.PyDLL(file), _ENTRY, None) if file else None
    if step is None:
        return None
    try:
        steps = _steps()
    except (OSError, CppCompileError):
        return None
    address = ctypes.cast(step, ctypes.c_void_p)
    handles = torch._C._aoti.unsafe_alloc_void_ptrs_from_tensors
    tensors = torch._C._aoti.alloc_tensors_by_stealing_from_void_ptrs

    def function(common: Sequence[Tensor], own: Sequence[Sequence[Tensor]]) -> list[list[Tensor]]:
        given = handles([*common]), handles([*chain.from_iterable(own)])
        found = tensors(steps(address, *given, len(own[0]), num_found, num_kept))
        return [found[first : first + num_kept] for first in range(0, len(found), num_kept)]

    return function
