/* SPDX-License-Identifier: BSD-3-Clause
   Copyright (c) The leastsq developers

   How a fit begins: its packed array, from where it starts and what steers it. */

extern void F_FUNC(state_size, STATE_SIZE)(int *, int *, int *, int *, npy_int64 *);
extern void F_FUNC(start, START)(npy_int64 *, int *, double *, const double *, int *, int *, const double *, int *,
    const double *, int *, const double *, const double *, int *);

enum { TASK_DONE = 0, TASK_RESIDUALS = 1, TASK_JACOBIAN = 2, TASK_NOT_READY = 3, OPTIONS = 8 };

/* The options of a fit, which come first in their tuple; its relative error is `epsfcn` where it has none of its own.
   -1 with an error where there are others. */
static int read_options(PyObject *tuple, double epsfcn, double *numbers)
{
    int i;

    if (!PyTuple_Check(tuple) || PyTuple_GET_SIZE(tuple) <= OPTIONS) {
        PyErr_SetString(PyExc_TypeError, "expected options in a tuple");
        return -1;
    }
    for (i = 0; i < OPTIONS; i++) {
        PyObject *number = PyTuple_GET_ITEM(tuple, i);
        numbers[i] = number == Py_None ? epsfcn : PyFloat_AsDouble(number);
        if (numbers[i] == -1.0 && PyErr_Occurred()) {
            return -1;
        }
    }
    return 0;
}

/* Where the numbers of an optional array like the starting point are; those of that point where there is none. */
static const double *like_start(PyObject *object, PyArrayObject *x0)
{
    if (object == Py_None) {
        return PyArray_DATA(x0);
    }
    if (!is_ready(object, 1) || PyArray_DIM((PyArrayObject *)object, 0) != PyArray_DIM(x0, 0)) {
        PyErr_SetString(PyExc_TypeError, "expected scale factors and bounds as float64 arrays like the start, or None");
        return NULL;
    }
    return PyArray_DATA((PyArrayObject *)object);
}

/* Set up the packed array of a fit. Bounds are None, or a lower and an upper array. */
static PyObject *begun(npy_intp residuals, PyArrayObject *x0, int analytic, PyObject *options, double epsfcn,
    PyObject *bounds)
{
    PyObject *state;
    double numbers[OPTIONS];
    const double *diag, *lower, *upper;
    int m = (int)residuals, n = (int)PyArray_DIM(x0, 0), bounded = bounds != Py_None, scaled, task;
    npy_int64 size;
    npy_intp length;

    if (bounded && (!PyTuple_Check(bounds) || PyTuple_GET_SIZE(bounds) != 2)) {
        PyErr_SetString(PyExc_TypeError, "expected bounds as a pair of arrays, or None");
        return NULL;
    }
    if (read_options(options, epsfcn, numbers) < 0) {
        return NULL;
    }
    scaled = PyTuple_GET_ITEM(options, OPTIONS) != Py_None;
    if ((diag = like_start(PyTuple_GET_ITEM(options, OPTIONS), x0)) == NULL
        || (lower = like_start(bounded ? PyTuple_GET_ITEM(bounds, 0) : Py_None, x0)) == NULL
        || (upper = like_start(bounded ? PyTuple_GET_ITEM(bounds, 1) : Py_None, x0)) == NULL) {
        return NULL;
    }
    F_FUNC(state_size, STATE_SIZE)(&m, &n, &analytic, &bounded, &size);
    length = (npy_intp)size;
    state = PyArray_SimpleNew(1, &length, NPY_DOUBLE);
    if (state == NULL) {
        return NULL;
    }
    F_FUNC(start, START)(&size, &n, PyArray_DATA((PyArrayObject *)state), PyArray_DATA(x0), &m, &analytic, numbers,
        &scaled, diag, &bounded, lower, upper, &task);
    if (task != TASK_RESIDUALS) {
        PyErr_Format(PyExc_RuntimeError,
            "a fit of %d parameters to %d residuals was refused by the compiled code", n, m);
        Py_CLEAR(state);
    }
    return state;
}

static PyObject *begin(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    npy_intp m;
    int analytic;
    double epsfcn;

    if (count != 6 || !is_ready(arguments[1], 1) || PyArray_DIM((PyArrayObject *)arguments[1], 0) > INT_MAX) {
        PyErr_SetString(PyExc_TypeError, "expected begin(m, x0, analytic, options, epsfcn, bounds)");
        return NULL;
    }
    m = PyLong_AsLong(arguments[0]);
    analytic = (int)PyLong_AsLong(arguments[2]);
    epsfcn = PyFloat_AsDouble(arguments[4]);
    if (PyErr_Occurred()) {
        return NULL;
    }
    return begun(m, (PyArrayObject *)arguments[1], analytic, arguments[3], epsfcn, arguments[5]);
}
