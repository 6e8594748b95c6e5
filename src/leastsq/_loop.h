/* SPDX-License-Identifier: BSD-3-Clause
   Copyright (c) The leastsq developers

   One fit from beginning to end: the loop that calls a user's functions at the points that the iteration asks for. An
   exception of theirs ends it and goes on as it is; a signal is handled between two evaluations. What a function
   returns is looked at each time, and left to Python where it is not ready to be worked on. */

extern void F_FUNC(state_size, STATE_SIZE)(int *, int *, int *, int *, npy_int64 *);
extern void F_FUNC(start, START)(npy_int64 *, int *, double *, const double *, int *, int *, const double *, int *,
    const double *, int *, const double *, const double *, int *);
extern void F_FUNC(outcome, OUTCOME)(double *, int *, int *, int *, int *, double *);
extern void F_FUNC(positions, POSITIONS)(
    int *, double *, npy_int64 *, npy_int64 *, npy_int64 *, npy_int64 *, npy_int64 *, int *);
extern void F_FUNC(covariance_matrix, COVARIANCE_MATRIX)(
    int *, double *, double *, double *, double *, double *, double *);

enum { TASK_DONE = 0, TASK_RESIDUALS = 1, TASK_JACOBIAN = 2, OPTIONS = 8, FEW_ARGUMENTS = 8 };

/* A fit under way: arguments as they came, which the caller keeps, and what the functions returned last. */
typedef struct {
    PyObject *state, *func, *dfun, *finish, *finish_jacobian;
    npy_intp m, n;
    int by_columns;
    PyObject *point, *residuals, *jacobian;     /* owned; the latter two may be NULL */
    PyObject **arguments;                       /* of the functions, after a free place: the point and others */
    size_t count;
} Loop;

static int refused(void)
{
    if (!PyErr_Occurred()) {
        PyErr_SetString(PyExc_RuntimeError,
            "compiled code refused arrays that had been made ready for it; please report this");
    }
    return -1;
}

/* Make the point an array that nothing else refers to: the functions may have kept it, or spoilt it. A count of
   references cannot be relied on where threads run without the lock. */
static int own_point(Loop *loop)
{
    PyObject *point;

#if !defined(Py_GIL_DISABLED)
    if (loop->point != NULL && Py_REFCNT(loop->point) == 1 && is_ready_as_state(loop->point)
        && PyArray_SIZE((PyArrayObject *)loop->point) == loop->n) {
        return 0;
    }
#endif
    point = PyArray_SimpleNew(1, &loop->n, NPY_DOUBLE);
    if (point == NULL) {
        return -1;
    }
    Py_XSETREF(loop->point, point);
    return 0;
}

/* Evaluate a function at the point, in place of what it returned before, which is given back first. */
static int evaluate(Loop *loop, PyObject *function, PyObject **value)
{
    if (PyErr_CheckSignals() < 0) {
        return -1;
    }
    Py_CLEAR(*value);
    loop->arguments[1] = loop->point;
    *value = PyObject_Vectorcall(
        function, loop->arguments + 1, loop->count | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    return *value == NULL ? -1 : 0;
}

/* Hand in the residuals, and return the next task; -1 with an error. */
static int hand_in_residuals(Loop *loop)
{
    PyArrayObject *f = ready_residuals(loop->residuals);
    int task = TASK_NOT_READY;

    if (f == NULL && PyErr_Occurred()) {
        return -1;
    }
    if (f == NULL || PyArray_SIZE(f) != loop->m) {
        PyObject *made = PyObject_CallOneArg(loop->finish, loop->residuals);
        Py_XDECREF(f);
        if (made == NULL) {
            return -1;
        }
        f = (PyArrayObject *)made;
    }
    if (own_point(loop) == 0 && is_ready((PyObject *)f, 1) && PyArray_SIZE(f) == loop->m) {
        task = residuals_taken(loop->state, f, loop->point);
    }
    Py_DECREF(f);
    return task == TASK_NOT_READY ? refused() : task;
}

/* Hand in the Jacobian, and return the next task; -1 with an error. */
static int hand_in_jacobian(Loop *loop)
{
    int task = own_point(loop) < 0 ? -1 : jacobian_taken(loop->state, loop->jacobian, loop->by_columns, loop->point);
    PyObject *made, *jacobian;
    int by_columns;

    if (task != TASK_NOT_READY) {
        return task;
    }
    made = PyObject_CallOneArg(loop->finish_jacobian, loop->jacobian);
    if (made == NULL) {
        return -1;
    }
    if (PyArg_ParseTuple(made, "Op:finish", &jacobian, &by_columns)) {
        task = jacobian_taken(loop->state, jacobian, by_columns, loop->point);
    }
    Py_DECREF(made);
    return task == TASK_NOT_READY ? refused() : task;
}

/* Evaluate until the fit is done; -1 with an error. */
static int loop_until_done(Loop *loop)
{
    int task = hand_in_residuals(loop);

    while (task == TASK_RESIDUALS || task == TASK_JACOBIAN) {
        if (task == TASK_JACOBIAN) {
            if (loop->dfun == Py_None) {
                return refused();
            }
            task = evaluate(loop, loop->dfun, &loop->jacobian) < 0 ? -1 : hand_in_jacobian(loop);
        } else {
            Py_CLEAR(loop->jacobian);
            task = evaluate(loop, loop->func, &loop->residuals) < 0 ? -1 : hand_in_residuals(loop);
        }
    }
    return task == TASK_DONE || PyErr_Occurred() ? task : refused();
}

/* Set up a loop and run it. */
static PyObject *run_loop(Loop *loop, PyObject *others)
{
    PyObject *few[FEW_ARGUMENTS], *result = NULL;
    Py_ssize_t i, count = PyTuple_GET_SIZE(others);

    loop->count = (size_t)count + 1;
    loop->arguments = count + 2 <= FEW_ARGUMENTS ? few : PyMem_New(PyObject *, count + 2);
    if (loop->arguments == NULL) {
        return PyErr_NoMemory();
    }
    for (i = 0; i < count; i++) {
        loop->arguments[i + 2] = PyTuple_GET_ITEM(others, i);
    }
    if (loop_until_done(loop) == TASK_DONE) {
        result = PyTuple_Pack(3, loop->point, loop->residuals, loop->jacobian == NULL ? Py_None : loop->jacobian);
    }
    if (loop->arguments != few) {
        PyMem_Free(loop->arguments);
    }
    return result;
}

static PyObject *run(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    Loop loop = {0};
    PyObject *result;

    if (count != 10 || !is_ready_as_state(arguments[0]) || !PyTuple_Check(arguments[4])) {
        PyErr_SetString(PyExc_TypeError,
            "expected run(state, m, n, func, args, dfun, by_columns, residuals, finish, finish_jacobian)");
        return NULL;
    }
    loop.state = arguments[0];
    loop.m = PyLong_AsSsize_t(arguments[1]);
    loop.n = PyLong_AsSsize_t(arguments[2]);
    loop.func = arguments[3];
    loop.dfun = arguments[5];
    loop.by_columns = PyObject_IsTrue(arguments[6]);
    loop.finish = arguments[8];
    loop.finish_jacobian = arguments[9];
    if (PyErr_Occurred()) {
        return NULL;
    }
    loop.residuals = Py_NewRef(arguments[7]);
    result = run_loop(&loop, arguments[4]);
    Py_XDECREF(loop.point);
    Py_XDECREF(loop.residuals);
    Py_XDECREF(loop.jacobian);
    return result;
}

/* Numbers of a tuple; -1 with an error where there are others or more. */
static int read_numbers(PyObject *tuple, int count, double *numbers)
{
    int i;

    if (!PyTuple_Check(tuple) || PyTuple_GET_SIZE(tuple) != count) {
        PyErr_Format(PyExc_TypeError, "expected a tuple of %d numbers", count);
        return -1;
    }
    for (i = 0; i < count; i++) {
        numbers[i] = PyFloat_AsDouble(PyTuple_GET_ITEM(tuple, i));
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
    if (!is_ready(object, 1) || PyArray_SIZE((PyArrayObject *)object) != PyArray_SIZE(x0)) {
        PyErr_SetString(PyExc_TypeError, "expected scale factors and bounds as float64 arrays like the start, or None");
        return NULL;
    }
    return PyArray_DATA((PyArrayObject *)object);
}

static PyObject *begin(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    PyArrayObject *x0;
    PyObject *state;
    double options[OPTIONS];
    const double *diag, *lower, *upper;
    int m, n, analytic, bounded, scaled, task;
    npy_int64 size;
    npy_intp length;

    if (count != 7 || !is_ready(arguments[1], 1) || PyArray_SIZE((PyArrayObject *)arguments[1]) > INT_MAX) {
        PyErr_SetString(PyExc_TypeError, "expected begin(m, x0, analytic, options, diag, lower, upper)");
        return NULL;
    }
    m = (int)PyLong_AsLong(arguments[0]);
    analytic = (int)PyLong_AsLong(arguments[2]);
    if (PyErr_Occurred() || read_numbers(arguments[3], OPTIONS, options) < 0) {
        return NULL;
    }
    x0 = (PyArrayObject *)arguments[1];
    n = (int)PyArray_SIZE(x0);
    scaled = arguments[4] != Py_None;
    bounded = arguments[5] != Py_None && arguments[6] != Py_None;
    if ((diag = like_start(arguments[4], x0)) == NULL || (lower = like_start(arguments[5], x0)) == NULL
        || (upper = like_start(arguments[6], x0)) == NULL) {
        return NULL;
    }
    F_FUNC(state_size, STATE_SIZE)(&m, &n, &analytic, &bounded, &size);
    length = (npy_intp)size;
    state = PyArray_SimpleNew(1, &length, NPY_DOUBLE);
    if (state == NULL) {
        return NULL;
    }
    F_FUNC(start, START)(&size, &n, PyArray_DATA((PyArrayObject *)state), PyArray_DATA(x0), &m, &analytic, options,
        &scaled, diag, &bounded, lower, upper, &task);
    if (task != TASK_RESIDUALS) {
        PyErr_Format(PyExc_RuntimeError,
            "a fit of %d parameters to %d residuals was refused by the compiled code", n, m);
        Py_CLEAR(state);
    }
    return state;
}

static PyObject *outcome(PyObject *module, PyObject *state)
{
    int info, nfev, njev, column;
    double fnorm;

    if (!is_ready_as_state(state)) {
        PyErr_SetString(PyExc_TypeError, "expected outcome(state)");
        return NULL;
    }
    F_FUNC(outcome, OUTCOME)(PyArray_DATA((PyArrayObject *)state), &info, &nfev, &njev, &column, &fnorm);
    return Py_BuildValue("iiiid", info, nfev, njev, column, fnorm);
}

static PyObject *covariance_matrix(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    PyArrayObject *const *arrays = (PyArrayObject *const *)arguments;
    double deviation, least_ratio, tangent;
    int n;

    if (count != 4 || !is_ready_as_state(arguments[0]) || !is_ready(arguments[2], 2)
        || !is_ready_for_point(arguments[3]) || PyArray_DIM(arrays[2], 0) != PyArray_SIZE(arrays[3])
        || PyArray_DIM(arrays[2], 1) != PyArray_SIZE(arrays[3]) || !PyArray_ISWRITEABLE(arrays[2])) {
        PyErr_SetString(PyExc_TypeError, "expected covariance_matrix(state, deviation, cov, norms)");
        return NULL;
    }
    deviation = PyFloat_AsDouble(arguments[1]);
    if (deviation == -1.0 && PyErr_Occurred()) {
        return NULL;
    }
    n = (int)PyArray_SIZE(arrays[3]);
    F_FUNC(covariance_matrix, COVARIANCE_MATRIX)(&n, PyArray_DATA(arrays[0]), &deviation, PyArray_DATA(arrays[2]),
        PyArray_DATA(arrays[3]), &least_ratio, &tangent);
    return Py_BuildValue("dd", least_ratio, tangent);
}

static PyObject *positions(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    PyObject *pivots;
    npy_int64 x, f, qtf, r, rows;
    npy_intp length;
    int n;

    if (count != 2 || !is_ready_as_state(arguments[0])) {
        PyErr_SetString(PyExc_TypeError, "expected positions(state, n)");
        return NULL;
    }
    n = (int)PyLong_AsLong(arguments[1]);
    length = n;
    if (PyErr_Occurred() || (pivots = PyArray_ZEROS(1, &length, NPY_INT, 0)) == NULL) {
        return NULL;
    }
    F_FUNC(positions, POSITIONS)(&n, PyArray_DATA((PyArrayObject *)arguments[0]), &x, &f, &qtf, &r, &rows,
        PyArray_DATA((PyArrayObject *)pivots));
    return Py_BuildValue("LLLLLN", (long long)x, (long long)f, (long long)qtf, (long long)r, (long long)rows, pivots);
}

extern void F_FUNC(step_model, STEP_MODEL)(const int *, const npy_int64 *, const int *, const int *, const int *,
    const double *, const double *, const int *, const double *, int *, double *, double *, double *, int *);

/* Arrays of a fit of a compiled model: model, x, y, weights, interrupt, state, work, point. */
static int are_of_a_fit(PyObject *const *objects)
{
    PyArrayObject *const *arrays = (PyArrayObject *const *)objects, *model = arrays[0], *interrupt = arrays[4];
    npy_intp m;

    if (!PyArray_CheckExact(objects[0]) || PyArray_TYPE(model) != NPY_INT64 || !PyArray_ISCARRAY_RO(model)
        || PyArray_SIZE(model) != 4 || !PyArray_CheckExact(objects[4]) || PyArray_TYPE(interrupt) != NPY_INT
        || !PyArray_ISCARRAY(interrupt) || PyArray_SIZE(interrupt) < 1 || !is_ready(objects[1], 2)
        || !is_ready(objects[2], 1) || !is_ready_as_state(objects[5]) || !is_ready_as_state(objects[6])
        || !is_ready_for_point(objects[7])) {
        return 0;
    }
    m = PyArray_SIZE(arrays[2]);
    return m <= INT_MAX && PyArray_DIM(arrays[1], 1) == m && are_data(objects[2], objects[3], m);
}

static PyObject *step_model(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    PyArrayObject *const *arrays = (PyArrayObject *const *)arguments + 1;
    const double *weights;
    double *x, *y, *state, *work, *point;
    int level, m, n, predictors, weighted, task = TASK_RESIDUALS, *interrupt;
    long steps;

    if (count != 10 || !are_of_a_fit(arguments + 1)) {
        PyErr_SetString(PyExc_TypeError,
            "expected step_model(level, model, x, y, weights, interrupt, state, work, point, steps)");
        return NULL;
    }
    level = (int)PyLong_AsLong(arguments[0]);
    steps = PyLong_AsLong(arguments[9]);
    if (PyErr_Occurred()) {
        return NULL;
    }
    predictors = (int)PyArray_DIM(arrays[1], 0);
    m = (int)PyArray_SIZE(arrays[2]);
    n = (int)PyArray_SIZE(arrays[7]);
    weighted = arguments[4] != Py_None;
    x = PyArray_DATA(arrays[1]);
    y = PyArray_DATA(arrays[2]);
    weights = weighted ? PyArray_DATA(arrays[3]) : y;
    interrupt = PyArray_DATA(arrays[4]);
    state = PyArray_DATA(arrays[5]);
    work = PyArray_DATA(arrays[6]);
    point = PyArray_DATA(arrays[7]);
    Py_BEGIN_ALLOW_THREADS
    for (; steps > 0 && task == TASK_RESIDUALS && *(volatile int *)interrupt == 0; steps--) {
        F_FUNC(step_model, STEP_MODEL)(&level, PyArray_DATA(arrays[0]), &n, &predictors, &m, x, y, &weighted, weights,
            interrupt, state, work, point, &task);
    }
    Py_END_ALLOW_THREADS
    return PyLong_FromLong(task);
}
