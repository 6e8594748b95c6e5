/* SPDX-License-Identifier: BSD-3-Clause
   Copyright (c) The leastsq developers

   What happens at every evaluation of a user's function, which may itself take less than a microsecond: handing in its
   result, and calling models with their parameters as separate arguments. Written out here because the wrappers that
   f2py generates spend as much again on keywords and conversions. What is not ready to be worked on is not touched, and
   the answer is the task that says so: Python converts it, or says what is wrong with it. The interpreter lock is
   released while the work is long; nothing is called back while it is. */

#include <numpy/arrayscalars.h>

extern void F_FUNC(take_residuals, TAKE_RESIDUALS)(int *, int *, double *, double *, double *, int *);
extern void F_FUNC(take_jacobian, TAKE_JACOBIAN)(npy_int64 *, int *, double *, double *, int *, double *, int *);
extern void F_FUNC(take_values, TAKE_VALUES)(
    int *, int *, double *, const double *, const double *, int *, const double *, double *, double *, int *);
extern void F_FUNC(take_slopes, TAKE_SLOPES)(
    int *, int *, double *, const double *, int *, const double *, int *, const double *, double *, int *);
extern void F_FUNC(compare_values, COMPARE_VALUES)(
    int *, const double *, const double *, int *, const double *, double *);

/* Residuals in an array that is ready, converted from arrays of other real numbers, lists and tuples; NULL for anything
   else, with an error only if it is not about types and values: what is wrong with those is said in Python. */
static PyArrayObject *ready_residuals(PyObject *object)
{
    PyArrayObject *array, *converted = NULL;

    if (is_ready(object, 1)) {
        Py_INCREF(object);
        return (PyArrayObject *)object;
    }
    if (!PyArray_CheckExact(object) && !PyList_CheckExact(object) && !PyTuple_CheckExact(object)) {
        return NULL;
    }
    array = (PyArrayObject *)PyArray_FROM_O(object);
    if (array != NULL && PyArray_NDIM(array) == 1
        && (PyArray_ISFLOAT(array) || PyArray_ISINTEGER(array) || PyArray_ISBOOL(array))) {
        converted = (PyArrayObject *)PyArray_FROM_OTF(
            (PyObject *)array, NPY_DOUBLE, NPY_ARRAY_CARRAY_RO | NPY_ARRAY_FORCECAST);
    }
    Py_XDECREF(array);
    if (PyErr_Occurred() && (PyErr_ExceptionMatches(PyExc_TypeError) || PyErr_ExceptionMatches(PyExc_ValueError))) {
        PyErr_Clear();
    }
    return converted;
}

/* Hand in residuals that are ready; get the next task, and the point it is for. */
static int residuals_taken(PyObject *state, PyArrayObject *residuals, PyObject *point)
{
    double *packed = PyArray_DATA((PyArrayObject *)state), *f = PyArray_DATA(residuals);
    double *x = PyArray_DATA((PyArrayObject *)point);
    int m = (int)PyArray_DIM(residuals, 0), n = (int)PyArray_DIM((PyArrayObject *)point, 0), task;

    if ((npy_int64)m * n < LARGE) {
        F_FUNC(take_residuals, TAKE_RESIDUALS)(&m, &n, packed, f, x, &task);
    } else {
        Py_BEGIN_ALLOW_THREADS
        F_FUNC(take_residuals, TAKE_RESIDUALS)(&m, &n, packed, f, x, &task);
        Py_END_ALLOW_THREADS
    }
    return task;
}

static PyObject *take_residuals(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    PyArrayObject *residuals;
    int task = TASK_NOT_READY;

    if (count != 3) {
        PyErr_SetString(PyExc_TypeError, "expected take_residuals(state, f, x)");
        return NULL;
    }
    residuals = ready_residuals(arguments[1]);
    if (residuals == NULL && PyErr_Occurred()) {
        return NULL;
    }
    if (residuals != NULL && PyArray_SIZE(residuals) <= INT_MAX && is_ready_as_state(arguments[0])
        && is_ready_for_point(arguments[2])) {
        task = residuals_taken(arguments[0], residuals, arguments[2]);
    }
    Py_XDECREF(residuals);
    return PyLong_FromLong(task);
}

/* Hand in a Jacobian; get the next task, and the point it is for. */
static int jacobian_taken(PyObject *state, PyObject *jacobian, int by_columns, PyObject *point)
{
    PyArrayObject *slopes = (PyArrayObject *)jacobian;
    double *packed = PyArray_DATA((PyArrayObject *)state), *x = PyArray_DATA((PyArrayObject *)point);
    int n = (int)PyArray_DIM((PyArrayObject *)point, 0), task;
    npy_int64 entries;

    if (PyArray_CheckExact(jacobian) && PyArray_NDIM(slopes) == 2
        && PyArray_DIM(slopes, by_columns ? 0 : 1) != n) {
        return TASK_NOT_READY;
    }
    if (!is_ready(jacobian, 2)) {
        if (!is_ready_by_columns(jacobian)) {
            return TASK_NOT_READY;
        }
        by_columns = !by_columns;   /* the transpose is stored by rows */
    }
    entries = PyArray_SIZE(slopes);
    if (entries < LARGE) {
        F_FUNC(take_jacobian, TAKE_JACOBIAN)(&entries, &n, packed, PyArray_DATA(slopes), &by_columns, x, &task);
    } else {
        Py_BEGIN_ALLOW_THREADS
        F_FUNC(take_jacobian, TAKE_JACOBIAN)(&entries, &n, packed, PyArray_DATA(slopes), &by_columns, x, &task);
        Py_END_ALLOW_THREADS
    }
    return task;
}

static PyObject *take_jacobian(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    int by_columns, task = TASK_NOT_READY;

    if (count != 4) {
        PyErr_SetString(PyExc_TypeError, "expected take_jacobian(state, jacobian, by_columns, x)");
        return NULL;
    }
    by_columns = PyObject_IsTrue(arguments[2]);
    if (by_columns < 0) {
        return NULL;
    }
    if (is_ready_as_state(arguments[0]) && is_ready_for_point(arguments[3])) {
        task = jacobian_taken(arguments[0], arguments[1], by_columns, arguments[3]);
    }
    return PyLong_FromLong(task);
}

/* Whether these are observations, and weights or None, for m points. */
static int are_data(PyObject *y, PyObject *weights, npy_intp m)
{
    return is_ready(y, 1) && PyArray_SIZE((PyArrayObject *)y) == m
        && (weights == Py_None || (is_ready(weights, 1) && PyArray_SIZE((PyArrayObject *)weights) == m));
}

static PyObject *take_values(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    PyArrayObject *const *arrays = (PyArrayObject *const *)arguments;
    int m, n, weighted, task = TASK_NOT_READY;

    if (count != 5) {
        PyErr_SetString(PyExc_TypeError, "expected take_values(state, values, y, weights, x)");
        return NULL;
    }
    if (is_ready_as_state(arguments[0]) && is_ready(arguments[1], 1) && PyArray_SIZE(arrays[1]) <= INT_MAX
        && are_data(arguments[2], arguments[3], PyArray_SIZE(arrays[1])) && is_ready_for_point(arguments[4])) {
        double *state = PyArray_DATA(arrays[0]), *x = PyArray_DATA(arrays[4]), *kept;
        const double *values = PyArray_DATA(arrays[1]), *y = PyArray_DATA(arrays[2]);
        const double *weights = arguments[3] == Py_None ? NULL : PyArray_DATA(arrays[3]);
        m = (int)PyArray_SIZE(arrays[1]);
        n = (int)PyArray_SIZE(arrays[4]);
        weighted = weights != NULL;
        kept = PyMem_New(double, m > 0 ? m : 1);
        if (kept == NULL) {
            return PyErr_NoMemory();
        }
        if ((npy_int64)m * n < LARGE) {
            F_FUNC(take_values, TAKE_VALUES)(&m, &n, state, values, y, &weighted, weights, kept, x, &task);
        } else {
            Py_BEGIN_ALLOW_THREADS
            F_FUNC(take_values, TAKE_VALUES)(&m, &n, state, values, y, &weighted, weights, kept, x, &task);
            Py_END_ALLOW_THREADS
        }
        PyMem_Free(kept);
    }
    return PyLong_FromLong(task);
}

static PyObject *take_slopes(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    PyArrayObject *const *arrays = (PyArrayObject *const *)arguments;
    int m, n, weighted, by_columns, task = TASK_NOT_READY;

    if (count != 6) {
        PyErr_SetString(PyExc_TypeError, "expected take_slopes(state, slopes, by_columns, y, weights, x)");
        return NULL;
    }
    by_columns = PyObject_IsTrue(arguments[2]);
    if (by_columns < 0) {
        return NULL;
    }
    if (is_ready_as_state(arguments[0]) && is_ready(arguments[1], 2) && is_ready_for_point(arguments[5])
        && PyArray_DIM(arrays[1], by_columns ? 0 : 1) == PyArray_SIZE(arrays[5])
        && PyArray_DIM(arrays[1], by_columns ? 1 : 0) <= INT_MAX
        && are_data(arguments[3], arguments[4], PyArray_DIM(arrays[1], by_columns ? 1 : 0))) {
        double *state = PyArray_DATA(arrays[0]), *x = PyArray_DATA(arrays[5]);
        const double *slopes = PyArray_DATA(arrays[1]), *y = PyArray_DATA(arrays[3]);
        const double *weights = arguments[4] == Py_None ? NULL : PyArray_DATA(arrays[4]);
        m = (int)PyArray_SIZE(arrays[3]);
        n = (int)PyArray_SIZE(arrays[5]);
        weighted = weights != NULL;
        if ((npy_int64)m * n < LARGE) {
            F_FUNC(take_slopes, TAKE_SLOPES)(&m, &n, state, slopes, &by_columns, y, &weighted, weights, x, &task);
        } else {
            Py_BEGIN_ALLOW_THREADS
            F_FUNC(take_slopes, TAKE_SLOPES)(&m, &n, state, slopes, &by_columns, y, &weighted, weights, x, &task);
            Py_END_ALLOW_THREADS
        }
    }
    return PyLong_FromLong(task);
}

/* Copies of an array, or of several in a tuple, which a function may change; anything else as it is. */
static PyObject *copied(PyObject *data)
{
    PyObject *copies;
    Py_ssize_t i;

    if (PyArray_Check(data)) {
        return PyArray_NewCopy((PyArrayObject *)data, NPY_CORDER);
    }
    if (!PyTuple_CheckExact(data)) {
        return Py_NewRef(data);
    }
    copies = PyTuple_New(PyTuple_GET_SIZE(data));
    for (i = 0; copies != NULL && i < PyTuple_GET_SIZE(data); i++) {
        PyObject *copy = copied(PyTuple_GET_ITEM(data, i));
        if (copy == NULL) {
            Py_CLEAR(copies);
        } else {
            PyTuple_SET_ITEM(copies, i, copy);
        }
    }
    return copies;
}

/* f(data, *parameters), the parameters as NumPy scalars. */
static PyObject *call_model(PyObject *f, PyObject *data, PyObject *parameters)
{
    PyArrayObject *array = (PyArrayObject *)parameters;
    PyObject **arguments, *value = NULL;
    npy_intp i, n, made = 0;

    if (!is_ready(parameters, 1)) {
        PyErr_SetString(PyExc_TypeError, "expected parameters in a float64 array of one dimension");
        return NULL;
    }
    n = PyArray_SIZE(array);
    arguments = PyMem_New(PyObject *, n + 2);
    if (arguments == NULL) {
        return PyErr_NoMemory();
    }
    arguments[1] = data;
    for (i = 0; i < n; i++) {
        PyObject *scalar = PyArrayScalar_New(Double);
        if (scalar == NULL) {
            break;
        }
        PyArrayScalar_ASSIGN(scalar, Double, ((double *)PyArray_DATA(array))[i]);
        arguments[i + 2] = scalar;
        made++;
    }
    if (made == n) {
        value = PyObject_Vectorcall(f, arguments + 1, (size_t)(n + 1) | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    }
    for (i = 0; i < made; i++) {
        Py_DECREF(arguments[i + 2]);
    }
    PyMem_Free(arguments);
    return value;
}

/* Call the function and data in a tuple, data that are copied first if the next item is true. */
static PyObject *call_with_data(PyObject *self, PyObject *parameters)
{
    PyObject *data = PyTuple_GET_ITEM(self, 1), *value = NULL;

    data = PyTuple_GET_ITEM(self, 2) == Py_True ? copied(data) : Py_NewRef(data);
    if (data != NULL) {
        value = call_model(PyTuple_GET_ITEM(self, 0), data, parameters);
        Py_DECREF(data);
    }
    return value;
}

/* The same, less observations, times weights; what is not an array like the observations is left to `finish`. */
static PyObject *call_and_compare(PyObject *self, PyObject *parameters)
{
    PyArrayObject *observed = (PyArrayObject *)PyTuple_GET_ITEM(self, 3);
    PyObject *weights = PyTuple_GET_ITEM(self, 4), *finish = PyTuple_GET_ITEM(self, 5), *residuals = NULL;
    PyObject *values = call_with_data(self, parameters);
    npy_intp m = PyArray_SIZE(observed);

    if (values == NULL) {
        return NULL;
    }
    if (is_ready(values, 1) && m <= INT_MAX && PyArray_SIZE((PyArrayObject *)values) == m
        && (weights == Py_None || PyArray_SIZE((PyArrayObject *)weights) == m)) {
        residuals = PyArray_SimpleNew(1, &m, NPY_DOUBLE);
        if (residuals != NULL) {
            const double *w = weights == Py_None ? NULL : PyArray_DATA((PyArrayObject *)weights);
            int points = (int)m, weighted = w != NULL;
            F_FUNC(compare_values, COMPARE_VALUES)(&points, PyArray_DATA((PyArrayObject *)values),
                PyArray_DATA(observed), &weighted, w, PyArray_DATA((PyArrayObject *)residuals));
        }
    } else {
        residuals = PyObject_CallOneArg(finish, values);
    }
    Py_DECREF(values);
    return residuals;
}

static PyMethodDef with_data_method = {"model", call_with_data, METH_O, NULL};
static PyMethodDef residual_method = {"residuals", call_and_compare, METH_O, NULL};

static PyObject *with_data(PyObject *module, PyObject *arguments)
{
    PyObject *f, *data, *copies;
    if (!PyArg_ParseTuple(arguments, "OOO!:with_data", &f, &data, &PyBool_Type, &copies)) {
        return NULL;
    }
    return PyCFunction_New(&with_data_method, arguments);
}

static PyObject *residual_function(PyObject *module, PyObject *arguments)
{
    PyObject *f, *data, *copies, *observed, *weights, *finish;
    if (!PyArg_ParseTuple(arguments, "OOO!OOO:residual_function", &f, &data, &PyBool_Type, &copies, &observed, &weights,
            &finish)) {
        return NULL;
    }
    if (!is_ready(observed, 1)
        || (weights != Py_None && !(is_ready(weights, 1)
            && PyArray_SIZE((PyArrayObject *)weights) == PyArray_SIZE((PyArrayObject *)observed)))) {
        PyErr_SetString(PyExc_TypeError, "expected observations, and as many weights or None, as float64 arrays");
        return NULL;
    }
    return PyCFunction_New(&residual_method, arguments);
}

#if defined(__x86_64__)
#include <cpuid.h>

/* Whether a processor has what x86-64-v3 means besides AVX2, FMA and BMI: MOVBE, F16C and LZCNT, for which not every
   compiler has a name. */
static int has_rest_of_v3(void)
{
    unsigned int a, b, c, d, extended;

    return __get_cpuid(1, &a, &b, &c, &d) && __get_cpuid(0x80000001, &a, &b, &extended, &d)
        && (c & 1u << 22) && (c & 1u << 29) && (extended & 1u << 5);
}
#endif

/* The highest level of lane modules that this processor runs: 3 with AVX-512, 2 with AVX2 and FMA, else 1. */
static PyObject *processor_level(PyObject *module, PyObject *nothing)
{
    long level = 1;
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi")
        && __builtin_cpu_supports("bmi2") && has_rest_of_v3()) {
        level = 2;
        if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd")
            && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
            level = 3;
        }
    }
#endif
    return PyLong_FromLong(level);
}
