/* How many pairs of a list of whole numbers stand in the wrong order. model.py says the same in Python. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* Sorts `items` with the help of `spare`, which is as long. */
static Py_ssize_t merge_sort(long long *items, long long *spare, Py_ssize_t length)
{
    if (length < 2)
        return 0;
    Py_ssize_t middle = length / 2;
    Py_ssize_t pairs = merge_sort(items, spare, middle) + merge_sort(items + middle, spare, length - middle);
    memcpy(spare, items, length * sizeof *items);
    Py_ssize_t left = 0, right = middle;
    for (Py_ssize_t at = 0; at < length; at++) {
        if (right == length || (left < middle && spare[left] <= spare[right])) {
            items[at] = spare[left++];
        } else {
            items[at] = spare[right++];
            pairs += middle - left;
        }
    }
    return pairs;
}

static PyObject *count(PyObject *module, PyObject *list)
{
    if (!PyList_Check(list)) {
        PyErr_SetString(PyExc_TypeError, "a list is needed");
        return NULL;
    }
    Py_ssize_t length = PyList_GET_SIZE(list);
    long long *items = PyMem_New(long long, 2 * length);
    if (items == NULL)
        return PyErr_NoMemory();
    for (Py_ssize_t at = 0; at < length; at++) {
        PyObject *item = PyList_GET_ITEM(list, at); /* borrowed */
        if (!PyLong_Check(item)) {
            PyErr_SetString(PyExc_TypeError, "whole numbers are compared");
            goto failed;
        }
        items[at] = PyLong_AsLongLong(item);
        if (items[at] == -1 && PyErr_Occurred()) /* it does not fit: OverflowError */
            goto failed;
    }
    Py_ssize_t pairs;
    /* Nothing of Python's is touched here, so other threads may run. */
    Py_BEGIN_ALLOW_THREADS
    pairs = merge_sort(items, items + length, length);
    Py_END_ALLOW_THREADS
    PyMem_Free(items);
    return PyLong_FromSsize_t(pairs);
failed:
    PyMem_Free(items);
    return NULL;
}

static PyMethodDef functions[] = {
    {"count", count, METH_O, "How many pairs of a list of whole numbers stand in the wrong order."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "inversions", .m_size = 0, .m_methods = functions,
};

PyMODINIT_FUNC PyInit_inversions(void)
{
    return PyModuleDef_Init(&definition);
}
