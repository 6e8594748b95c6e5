/* SPDX-License-Identifier: BSD-3-Clause
   Copyright (c) The leastsq developers

   What arrays have to be for the compiled code to work on them, and what NumPy takes several calls for. */

extern void F_FUNC(row_norms, ROW_NORMS)(int *, int *, const double *, double *);

/* From this many numbers on, work is long enough to release the interpreter lock for. */
enum { LARGE = 20000 };

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

/* Norms of the rows of a matrix. */
static PyObject *row_norms(PyObject *module, PyObject *rows)
{
    PyArrayObject *matrix = (PyArrayObject *)PyArray_FROM_OTF(rows, NPY_DOUBLE, NPY_ARRAY_CARRAY_RO);
    PyObject *norms = NULL;
    int m, count;

    if (matrix != NULL && (PyArray_NDIM(matrix) != 2 || PyArray_DIM(matrix, 0) > INT_MAX
        || PyArray_DIM(matrix, 1) > INT_MAX)) {
        PyErr_SetString(PyExc_TypeError, "expected row_norms(rows), a matrix of float64");
    } else if (matrix != NULL) {
        norms = PyArray_SimpleNew(1, PyArray_DIMS(matrix), NPY_DOUBLE);
    }
    if (norms != NULL) {
        count = (int)PyArray_DIM(matrix, 0);
        m = (int)PyArray_DIM(matrix, 1);
        if (PyArray_SIZE(matrix) < LARGE) {
            F_FUNC(row_norms, ROW_NORMS)(&m, &count, PyArray_DATA(matrix), PyArray_DATA((PyArrayObject *)norms));
        } else {
            Py_BEGIN_ALLOW_THREADS
            F_FUNC(row_norms, ROW_NORMS)(&m, &count, PyArray_DATA(matrix), PyArray_DATA((PyArrayObject *)norms));
            Py_END_ALLOW_THREADS
        }
    }
    Py_XDECREF(matrix);
    return norms;
}

/* A negative number if all of some numbers are smaller in size than a bound above zero, which NaN is not. Sizes are in
   the order of their bits, NaN beyond infinity: differences are negative, which SIMD of any processor sees. */
static npy_int64 sign_below(const double *values, npy_intp size, double bound)
{
    npy_int64 limit, below = -1;

    memcpy(&limit, &bound, sizeof limit);
    for (npy_intp i = 0; i < size; i++) {
        npy_int64 bits;
        memcpy(&bits, values + i, sizeof bits);
        below &= (bits & NPY_MAX_INT64) - limit;
    }
    return below;
}

/* Whether all numbers of an array are smaller in size than a bound above zero, which NaN is not; no, where that is not
   plain. */
static PyObject *all_below(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    PyArrayObject *array;
    const double *values;
    double bound;
    npy_intp size;
    npy_int64 below;

    if (count != 2) {
        PyErr_SetString(PyExc_TypeError, "expected all_below(array, bound)");
        return NULL;
    }
    array = (PyArrayObject *)arguments[0];
    bound = PyFloat_AsDouble(arguments[1]);
    if (bound == -1.0 && PyErr_Occurred()) {
        return NULL;
    }
    if (!PyArray_Check(arguments[0]) || !is_ready(arguments[0], PyArray_NDIM(array))) {
        Py_RETURN_FALSE;
    }
    values = PyArray_DATA(array);
    size = PyArray_SIZE(array);
    if (size < LARGE) {
        below = sign_below(values, size, bound);
    } else {
        Py_BEGIN_ALLOW_THREADS
        below = sign_below(values, size, bound);
        Py_END_ALLOW_THREADS
    }
    return PyBool_FromLong(below < 0);
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
