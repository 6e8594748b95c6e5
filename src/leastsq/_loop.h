/* SPDX-License-Identifier: BSD-3-Clause
   Copyright (c) The leastsq developers

   One fit from beginning to end: the loop that calls a user's functions at the points that the iteration asks for. An
   exception of theirs ends it and goes on as it is; a signal is handled between two evaluations. What a function
   returns is looked at each time, and left to Python where it is not ready to be worked on. */

extern void F_FUNC(outcome, OUTCOME)(double *, int *, int *, int *, int *, double *);
extern void F_FUNC(positions, POSITIONS)(
    int *, double *, npy_int64 *, npy_int64 *, npy_int64 *, npy_int64 *, npy_int64 *, int *);
extern void F_FUNC(covariance_matrix, COVARIANCE_MATRIX)(int *, double *, const double *, double *, double *,
    double *, double *, double *, double *);

enum { FEW_ARGUMENTS = 8 };

/* A fit under way: arguments as they came, which the caller keeps, and what the functions returned last. */
typedef struct {
    PyObject *func, *dfun, *by_columns, *look, *finish, *finish_jacobian, *names;
    npy_intp m, n;
    PyObject *state, *point, *residuals, *jacobian;     /* owned, NULL until there are any */
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
        && PyArray_DIM((PyArrayObject *)loop->point, 0) == loop->n) {
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
    if (f == NULL || PyArray_DIM(f, 0) != loop->m) {
        PyObject *made = PyObject_CallFunction(
            loop->finish, "OnO", loop->residuals, loop->m, PyTuple_GET_ITEM(loop->names, 0));
        Py_XDECREF(f);
        if (made == NULL) {
            return -1;
        }
        f = (PyArrayObject *)made;
    }
    if (own_point(loop) == 0 && is_ready((PyObject *)f, 1) && PyArray_DIM(f, 0) == loop->m) {
        task = residuals_taken(loop->state, f, loop->point);
    }
    Py_DECREF(f);
    return task == TASK_NOT_READY ? refused() : task;
}

/* Hand in the Jacobian, and return the next task; -1 with an error. */
static int hand_in_jacobian(Loop *loop)
{
    PyObject *made, *jacobian;
    int by_columns = loop->by_columns == Py_True;
    int task = own_point(loop) < 0 ? -1 : jacobian_taken(loop->state, loop->jacobian, by_columns, loop->point);

    if (task != TASK_NOT_READY) {
        return task;
    }
    made = PyObject_CallFunction(loop->finish_jacobian, "OnnOO", loop->jacobian, loop->m, loop->n, loop->by_columns,
        PyTuple_GET_ITEM(loop->names, 1));
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

/* Evaluate at the start, if that is still to be done, and set up the packed array for what comes of it, which `watch`
   is shown if it is not None. */
static int begin_loop(Loop *loop, PyArrayObject *x0, PyObject *options, PyObject *bounds, PyObject *watch)
{
    PyObject *looked, *watched;
    double epsfcn;

    if (loop->residuals == NULL) {
        if (own_point(loop) < 0) {
            return -1;
        }
        memcpy(PyArray_DATA((PyArrayObject *)loop->point), PyArray_DATA(x0), PyArray_NBYTES(x0));
        if (evaluate(loop, loop->func, &loop->residuals) < 0) {
            return -1;
        }
    }
    looked = PyObject_CallFunctionObjArgs(loop->look, loop->residuals, x0, bounds, loop->names, NULL);
    if (looked != NULL && PyArg_ParseTuple(looked, "nd:look", &loop->m, &epsfcn)) {
        loop->state = begun(loop->m, x0, loop->dfun != Py_None, options, epsfcn, bounds);
    }
    Py_XDECREF(looked);
    if (loop->state == NULL || watch == Py_None) {
        return loop->state == NULL ? -1 : 0;
    }
    watched = PyObject_CallOneArg(watch, loop->state);
    Py_XDECREF(watched);
    return watched == NULL ? -1 : 0;
}

/* Set up a loop and run it. */
static PyObject *run_loop(Loop *loop, PyObject *const *given)
{
    PyObject *few[FEW_ARGUMENTS], *result = NULL, *others = given[4];
    Py_ssize_t i, count = PyTuple_GET_SIZE(others);
    int info, nfev, njev, column;
    double fnorm;

    loop->count = (size_t)count + 1;
    loop->arguments = count + 2 <= FEW_ARGUMENTS ? few : PyMem_New(PyObject *, count + 2);
    if (loop->arguments == NULL) {
        return PyErr_NoMemory();
    }
    for (i = 0; i < count; i++) {
        loop->arguments[i + 2] = PyTuple_GET_ITEM(others, i);
    }
    if (begin_loop(loop, (PyArrayObject *)given[0], given[1], given[2], given[12]) == 0
        && loop_until_done(loop) == TASK_DONE) {
        F_FUNC(outcome, OUTCOME)(PyArray_DATA((PyArrayObject *)loop->state), &info, &nfev, &njev, &column, &fnorm);
        result = Py_BuildValue("OOniiiidOO", loop->state, loop->point, loop->m, info, nfev, njev, column, fnorm,
            loop->residuals, loop->jacobian == NULL ? Py_None : loop->jacobian);
    }
    if (loop->arguments != few) {
        PyMem_Free(loop->arguments);
    }
    return result;
}

/* The arguments of a fit: 0 x0, 1 options, 2 bounds, 3 func, 4 args, 5 dfun, 6 by_columns, 7 first, 8 look, 9 finish,
   10 finish_jacobian, 11 names, 12 watch. */
static PyObject *run(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    Loop loop = {0};
    PyObject *result;

    if (count != 13 || !is_ready(arguments[0], 1) || PyArray_DIM((PyArrayObject *)arguments[0], 0) > INT_MAX
        || !PyTuple_Check(arguments[4]) || !PyBool_Check(arguments[6]) || !PyTuple_Check(arguments[11])
        || PyTuple_GET_SIZE(arguments[11]) != 2) {
        PyErr_SetString(PyExc_TypeError, "expected run(x0, options, bounds, func, args, dfun, by_columns, first, look, "
            "finish, finish_jacobian, names, watch)");
        return NULL;
    }
    loop.n = PyArray_DIM((PyArrayObject *)arguments[0], 0);
    loop.func = arguments[3];
    loop.dfun = arguments[5];
    loop.by_columns = arguments[6];
    loop.residuals = arguments[7] == Py_None ? NULL : Py_NewRef(arguments[7]);
    loop.look = arguments[8];
    loop.finish = arguments[9];
    loop.finish_jacobian = arguments[10];
    loop.names = arguments[11];
    result = run_loop(&loop, arguments);
    Py_XDECREF(loop.state);
    Py_XDECREF(loop.point);
    Py_XDECREF(loop.residuals);
    Py_XDECREF(loop.jacobian);
    return result;
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
    PyObject *cov, *norms;
    double deviation, least_ratio, tangent, changes[2], share;
    npy_intp shape[2];
    int n;

    if (count != 3 || !is_ready_as_state(arguments[0])) {
        PyErr_SetString(PyExc_TypeError, "expected covariance_matrix(state, n, deviation)");
        return NULL;
    }
    n = (int)PyLong_AsLong(arguments[1]);
    deviation = PyFloat_AsDouble(arguments[2]);
    if (PyErr_Occurred()) {
        return NULL;
    }
    shape[0] = shape[1] = n;
    cov = PyArray_SimpleNew(2, shape, NPY_DOUBLE);
    norms = PyArray_SimpleNew(1, shape, NPY_DOUBLE);
    if (cov == NULL || norms == NULL) {
        Py_XDECREF(cov);
        Py_XDECREF(norms);
        return NULL;
    }
    F_FUNC(covariance_matrix, COVARIANCE_MATRIX)(&n, PyArray_DATA((PyArrayObject *)arguments[0]), &deviation,
        PyArray_DATA((PyArrayObject *)cov), PyArray_DATA((PyArrayObject *)norms), &least_ratio, &tangent, changes,
        &share);
    if (least_ratio == 0.0) {
        Py_SETREF(cov, Py_NewRef(Py_None));
    }
    return Py_BuildValue("NNddddd", cov, norms, least_ratio, tangent, changes[0], changes[1], share);
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
