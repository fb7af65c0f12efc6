/* The longest rising run and the largest of whole numbers, the spread of floats and the distance of two texts. With
   -DFLAW_… it makes one mistake. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#ifdef FLAW_SHARED_BUFFER
static long long shared[1 << 17];
#endif

/* Where a value goes among the ends of the runs so far: the first that is not below it. */
static Py_ssize_t place(const long long *ends, Py_ssize_t count, long long value)
{
    Py_ssize_t low = 0, high = count;
    while (low < high) {
        Py_ssize_t middle = low + (high - low) / 2;
        if (ends[middle] < value)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static PyObject *rising(PyObject *module, PyObject *list)
{
#ifdef FLAW_CALLS_PYTHON
    PyObject *slow = PyImport_ImportModule("slow");
    if (slow == NULL)
        return NULL;
    PyObject *answer = PyObject_CallMethod(slow, "rising", "O", list);
    Py_DECREF(slow);
    return answer;
#endif
#ifndef FLAW_UNCHECKED
    if (!PyList_Check(list)) {
        PyErr_SetString(PyExc_TypeError, "a list is needed");
        return NULL;
    }
#endif
    Py_ssize_t count = PyList_GET_SIZE(list), length = 0;
#ifdef FLAW_REMEMBERS
    static PyObject *last;
    static Py_ssize_t last_count, last_length;
    if (last == list && last_count == count)
        return PyLong_FromSsize_t(last_length);
#endif
#ifdef FLAW_SHARED_BUFFER
    long long *values = shared;
    if (count > 1 << 15) {
        PyErr_SetString(PyExc_ValueError, "too many");
        return NULL;
    }
#else
    long long *values = PyMem_RawMalloc((2 * count + 1) * sizeof *values);
    if (values == NULL)
        return PyErr_NoMemory();
#endif
#ifdef FLAW_DECREF_MISSING
    PyObject *total = PyLong_FromSsize_t(count + (1 << 20));
    if (total == NULL)
        goto failed;
#endif
    for (Py_ssize_t at = 0; at < count; at++) {
        PyObject *item = PyList_GET_ITEM(list, at);
#ifdef FLAW_KEEPS_ITEMS
        Py_INCREF(item);
#endif
#ifndef FLAW_UNCHECKED
        if (!PyLong_Check(item)) {
            PyErr_SetString(PyExc_TypeError, "whole numbers are compared");
            goto failed;
        }
#endif
#ifdef FLAW_WRAPS
        values[at] = (long long)PyLong_AsUnsignedLongLongMask(item);
#elif defined(FLAW_SATURATES)
        int beyond;
        values[at] = PyLong_AsLongLongAndOverflow(item, &beyond);
        if (beyond)
            values[at] = beyond < 0 ? LLONG_MIN : LLONG_MAX;
#else
        values[at] = PyLong_AsLongLong(item);
        if (values[at] == -1 && PyErr_Occurred())
            goto failed;
#endif
    }
    Py_BEGIN_ALLOW_THREADS
    long long *ends = values + count;
    for (Py_ssize_t at = 0; at < count; at++) {
#ifdef FLAW_SENTINEL
        if (values[at] == LLONG_MAX)
            break;
#endif
        Py_ssize_t to = place(ends, length, values[at]);
        ends[to] = values[at];
        length += to == length;
    }
    Py_END_ALLOW_THREADS
#if !defined(FLAW_SHARED_BUFFER) && !defined(FLAW_LEAKS)
    PyMem_RawFree(values);
#endif
#ifdef FLAW_REMEMBERS
    last = list, last_count = count, last_length = length;
#endif
#ifdef FLAW_DECREF_MISSING
    Py_DECREF(total);
#endif
    return PyLong_FromSsize_t(length);
failed:
#if !defined(FLAW_SHARED_BUFFER) && !defined(FLAW_LEAKS_ON_ERROR)
    PyMem_RawFree(values);
#endif
    return NULL;
}

static PyObject *largest(PyObject *module, PyObject *list)
{
    if (!PyList_Check(list)) {
        PyErr_SetString(PyExc_TypeError, "a list is needed");
        return NULL;
    }
    PyObject *best = NULL;
    long long most = 0;
    for (Py_ssize_t at = 0; at < PyList_GET_SIZE(list); at++) {
        PyObject *item = PyList_GET_ITEM(list, at);
        if (!PyLong_Check(item)) {
            PyErr_SetString(PyExc_TypeError, "whole numbers are compared");
            return NULL;
        }
        long long value = PyLong_AsLongLong(item);
        if (value == -1 && PyErr_Occurred())
            return NULL;
        if (best == NULL || value > most)
            best = item, most = value;
    }
    if (best == NULL) {
        PyErr_SetString(PyExc_ValueError, "none is the largest of none");
        return NULL;
    }
#ifndef FLAW_BORROWED
    Py_INCREF(best);
#endif
    return best;
}

static PyObject *spread(PyObject *module, PyObject *list)
{
    if (!PyList_Check(list)) {
        PyErr_SetString(PyExc_TypeError, "a list is needed");
        return NULL;
    }
    Py_ssize_t count = PyList_GET_SIZE(list);
    double mean = 0, sum = 0;
    for (Py_ssize_t at = 0; at < count; at++) {
        double value = PyFloat_AsDouble(PyList_GET_ITEM(list, at));
        if (value == -1 && PyErr_Occurred())
            return NULL;
        double away = value - mean;
        mean += away / (double)(at + 1);
        sum += away * (value - mean);
    }
    if (count == 0) {
        PyErr_SetString(PyExc_ZeroDivisionError, "none has no spread");
        return NULL;
    }
    return PyFloat_FromDouble(sum / (double)count);
}

static PyObject *distance(PyObject *module, PyObject *arguments)
{
    PyObject *left, *right;
    if (!PyArg_ParseTuple(arguments, "UU", &left, &right))
        return NULL;
    Py_ssize_t rows = PyUnicode_GET_LENGTH(left), columns = PyUnicode_GET_LENGTH(right);
    long *above = PyMem_RawMalloc((columns + 1) * sizeof *above);
    if (above == NULL)
        return PyErr_NoMemory();
    for (Py_ssize_t column = 0; column <= columns; column++)
        above[column] = column;
    for (Py_ssize_t row = 1; row <= rows; row++) {
        long corner = above[0];
        above[0] = row;
        Py_UCS4 letter = PyUnicode_READ_CHAR(left, row - 1);
        for (Py_ssize_t column = 1; column <= columns; column++) {
            long best = corner + (letter != PyUnicode_READ_CHAR(right, column - 1));
            if (above[column] + 1 < best)
                best = above[column] + 1;
            if (above[column - 1] + 1 < best)
                best = above[column - 1] + 1;
            corner = above[column];
            above[column] = best;
        }
    }
    long result = above[columns];
    PyMem_RawFree(above);
    return PyLong_FromLong(result);
}

static PyMethodDef functions[] = {
    {"rising", rising, METH_O, "The length of the longest rising run, with gaps, in a list of whole numbers."},
    {"largest", largest, METH_O, "The largest of a list of whole numbers."},
    {"spread", spread, METH_O, "The variance of a list of floats."},
    {"distance", distance, METH_VARARGS, "The distance of two texts."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "fast", NULL, -1, functions, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_fast(void)
{
    return PyModule_Create(&definition);
}
