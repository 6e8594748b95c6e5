/* SPDX-License-Identifier: BSD-3-Clause
   Copyright (c) The leastsq developers

   What arrays have to be for the compiled code to work on them, and what NumPy takes several calls for. */

/* Whether an array is float64, in one piece, stored by rows, in native byte order. */
static int is_ready(PyObject *object, int dimensions)
{
    PyArrayObject *array = (PyArrayObject *)object;
    return PyArray_CheckExact(object) && PyArray_TYPE(array) == NPY_DOUBLE && PyArray_ISCARRAY_RO(array)
        && PyArray_NDIM(array) == dimensions;
}

/* Whether an array of two dimensions is the same, but stored by columns. */
static int is_ready_by_columns(PyObject *object)
{
    PyArrayObject *array = (PyArrayObject *)object;
    return PyArray_CheckExact(object) && PyArray_TYPE(array) == NPY_DOUBLE && PyArray_ISFARRAY_RO(array)
        && PyArray_NDIM(array) == 2;
}

/* Whether an array is ready, and may be written to. */
static int is_ready_as_state(PyObject *object)
{
    return is_ready(object, 1) && PyArray_ISWRITEABLE((PyArrayObject *)object);
}

/* The same for one that is also not too long to be counted with an int. */
static int is_ready_for_point(PyObject *object)
{
    return is_ready_as_state(object) && PyArray_SIZE((PyArrayObject *)object) <= INT_MAX;
}

/* Whether all numbers of an array are smaller in size than a bound, which NaN is not; no, where that is not plain. */
static PyObject *all_below(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    PyArrayObject *array = (PyArrayObject *)arguments[0];
    double bound;
    int below = 1;

    if (count != 2) {
        PyErr_SetString(PyExc_TypeError, "expected all_below(array, bound)");
        return NULL;
    }
    bound = PyFloat_AsDouble(arguments[1]);
    if (bound == -1.0 && PyErr_Occurred()) {
        return NULL;
    }
    if (!PyArray_Check(arguments[0]) || !is_ready(arguments[0], PyArray_NDIM(array))) {
        Py_RETURN_FALSE;
    }
    for (npy_intp i = 0, size = PyArray_SIZE(array); i < size; i++) {
        below &= fabs(((const double *)PyArray_DATA(array))[i]) < bound;
    }
    return PyBool_FromLong(below);
}

/* An array of doubles that begins on a line of the cache. */
static PyObject *aligned(PyObject *module, PyObject *size)
{
    enum { LINE = 64 };
    npy_intp length = PyLong_AsSsize_t(size), whole;
    PyObject *buffer, *array;
    char *first;

    if (length < 0 || length > NPY_MAX_INTP - LINE) {
        return PyErr_Occurred() ? NULL : PyErr_NoMemory();
    }
    whole = length + LINE / (npy_intp)sizeof(double);
    buffer = PyArray_SimpleNew(1, &whole, NPY_DOUBLE);
    if (buffer == NULL) {
        return NULL;
    }
    first = PyArray_DATA((PyArrayObject *)buffer);
    first += -(npy_uintp)first % LINE;
    array = PyArray_SimpleNewFromData(1, &length, NPY_DOUBLE, first);
    if (array == NULL) {
        Py_DECREF(buffer);
    } else if (PyArray_SetBaseObject((PyArrayObject *)array, buffer) < 0) {  /* which has taken the reference */
        Py_CLEAR(array);
    }
    return array;
}
