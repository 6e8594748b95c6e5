// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) The leastsq developers

// Loops over the TinySolver that comes with Ceres, and over cminpack's lmder, for models that `leastsq` has compiled too:
// see compiled_peers.py, which builds this where both libraries are installed. Values and derivatives are written as
// their users would, the number of points of each case is known to the compiler, and work arrays are made once.

#include <ceres/tiny_solver.h>
#include <cminpack-1/cminpack.h>

#include <cmath>
#include <vector>

namespace {

constexpr double tolerance = 1.49012e-8;

struct Gaussian {
    static constexpr int parameters = 4, predictors = 1;
    static void value(const double *x, int, int i, const double *p, double &f, double *slopes)
    {
        const double z = (x[i] - p[1]) / p[2], e = std::exp(-0.5 * z * z), slope = p[0] * e * z / p[2];
        f = p[0] * e + p[3];
        slopes[0] = e;
        slopes[1] = slope;
        slopes[2] = slope * z;
        slopes[3] = 1.0;
    }
};

struct Exponential {
    static constexpr int parameters = 3, predictors = 1;
    static void value(const double *x, int, int i, const double *p, double &f, double *slopes)
    {
        const double e = std::exp(-p[1] * x[i]);
        f = p[0] * e + p[2];
        slopes[0] = e;
        slopes[1] = -p[0] * x[i] * e;
        slopes[2] = 1.0;
    }
};

struct Spot {
    static constexpr int parameters = 5, predictors = 2;
    static void value(const double *x, int m, int i, const double *p, double &f, double *slopes)
    {
        const double inverse = 1.0 / p[3], u = (x[i] - p[1]) * inverse, v = (x[m + i] - p[2]) * inverse;
        const double e = std::exp(-0.5 * (u * u + v * v)), slope = p[0] * e * inverse;
        f = p[0] * e + p[4];
        slopes[0] = e;
        slopes[1] = slope * u;
        slopes[2] = slope * v;
        slopes[3] = slope * (u * u + v * v);
        slopes[4] = 1.0;
    }
};

template <class Model, int Points>
struct Residuals {
    using Scalar = double;
    enum { NUM_RESIDUALS = Points, NUM_PARAMETERS = Model::parameters };
    const double *x, *y;
    bool operator()(const double *p, double *residuals, double *jacobian) const
    {
        double f, slopes[Model::parameters];
        for (int i = 0; i < Points; i++) {
            Model::value(x, Points, i, p, f, slopes);
            residuals[i] = f - y[i];
            if (jacobian) {
                for (int j = 0; j < Model::parameters; j++) {
                    jacobian[j * Points + i] = slopes[j];
                }
            }
        }
        return true;
    }
};

template <class Model, int Points>
void tiny_solver(const double *x, const double *y, const double *p0, double *popt, int sets, int count)
{
    using Function = Residuals<Model, Points>;
    ceres::TinySolver<Function> solver;
    solver.options.function_tolerance = tolerance;
    solver.options.parameter_tolerance = tolerance;
    solver.options.gradient_tolerance = 0.0;
    solver.options.max_num_iterations = 100 * (Model::parameters + 1);
    Eigen::Matrix<double, Model::parameters, 1> p;
    for (int k = 0; k < count; k++) {
        const int set = k % sets;
        Function function{x, y + static_cast<long>(set) * Points};
        for (int j = 0; j < Model::parameters; j++) {
            p[j] = p0[set * Model::parameters + j];
        }
        solver.Solve(function, &p);
        for (int j = 0; j < Model::parameters; j++) {
            popt[static_cast<long>(k) * Model::parameters + j] = p[j];
        }
    }
}

template <class Model, int Points>
int residuals_or_slopes(void *data, int m, int, const double *p, double *residuals, double *jacobian, int rows, int task)
{
    const auto *function = static_cast<const Residuals<Model, Points> *>(data);
    double f, slopes[Model::parameters];
    for (int i = 0; i < m; i++) {
        Model::value(function->x, Points, i, p, f, slopes);
        if (task == 1) {
            residuals[i] = f - function->y[i];
        } else {
            for (int j = 0; j < Model::parameters; j++) {
                jacobian[j * rows + i] = slopes[j];
            }
        }
    }
    return 0;
}

template <class Model, int Points>
void cminpack(const double *x, const double *y, const double *p0, double *popt, int sets, int count)
{
    constexpr int n = Model::parameters;
    std::vector<double> residuals(Points), jacobian(static_cast<std::size_t>(Points) * n), last(Points);
    double diag[n], qtf[n], one[n], two[n], three[n];
    int pivots[n], nfev, njev;
    for (int k = 0; k < count; k++) {
        const int set = k % sets;
        Residuals<Model, Points> function{x, y + static_cast<long>(set) * Points};
        double *p = popt + static_cast<long>(k) * n;
        for (int j = 0; j < n; j++) {
            p[j] = p0[set * n + j];
        }
        lmder(residuals_or_slopes<Model, Points>, &function, Points, n, p, residuals.data(), jacobian.data(), Points,
              tolerance, tolerance, 0.0, 100 * (n + 1), diag, 1, 100.0, 0, &nfev, &njev, pivots, qtf, one, two, three,
              last.data());
    }
}

}  // namespace

#define PEERS(name, Model, points)                                                                                       \
    extern "C" void tiny_solver_##name(                                                                                  \
        const double *x, const double *y, const double *p0, double *popt, int sets, int count)                          \
    {                                                                                                                    \
        tiny_solver<Model, points>(x, y, p0, popt, sets, count);                                                         \
    }                                                                                                                    \
    extern "C" void cminpack_##name(                                                                                     \
        const double *x, const double *y, const double *p0, double *popt, int sets, int count)                          \
    {                                                                                                                    \
        cminpack<Model, points>(x, y, p0, popt, sets, count);                                                            \
    }

PEERS(gaussian_50, Gaussian, 50)
PEERS(gaussian_1000, Gaussian, 1000)
PEERS(exponential_100, Exponential, 100)
PEERS(gaussian_2d_25, Spot, 25)
PEERS(gaussian_2d_225, Spot, 225)
